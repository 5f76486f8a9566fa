/** What the walk backwards works on, for programs and for the bodies of scans, and which nodes it has to visit. */
import type { GraphBuilder } from "../ir/builder.ts";
import { type Node, type NodeId, operands } from "../ir/nodes.ts";
import type { Flow } from "./rules.ts";

export interface Reversal {
  /** The graph that is differentiated. Its scans may be given more outputs. */
  readonly source: GraphBuilder;
  /** Where the gradient is written; the same builder, or the body of a reverse scan. */
  readonly out: GraphBuilder;
  readonly value: (id: NodeId) => NodeId;
  /** Whether a node depends on anything that is differentiated for. */
  readonly needs: (id: NodeId) => boolean;
  readonly arriving: readonly Flow[];
}

/** The walk itself: the gradient of every node that needs one and got one. */
export type Reverse = (reversal: Reversal) => ReadonlyMap<NodeId, NodeId>;

/** Kinds through which nothing flows, so that what depends on a weight only through them needs no gradient. */
const blocking: ReadonlySet<Node["kind"]> = new Set<Node["kind"]>(["stopGradient", "sign", "floor", "less", "equal"]);

/** Which nodes depend on `roots`. Scans and their picks are judged by all their operands at once. */
export function activity(source: GraphBuilder, roots: ReadonlySet<NodeId>): (id: NodeId) => boolean {
  const active: boolean[] = [];
  source.nodes.forEach((node, id) => {
    active[id] =
      roots.has(id as NodeId) ||
      (!blocking.has(node.kind) && operands(node).some((operand) => active[operand] === true));
  });
  return (id) => active[id] === true;
}
