/** What the gradients of all scans share: what arrives at one, which parts of its body take part, and what leaves them. */
import { GraphBuilder } from "../ir/builder.ts";
import type { NodeId, ScanNode } from "../ir/nodes.ts";
import { activity, type Reversal } from "./reversal.ts";
import { total } from "./rules.ts";

export interface Arriving {
  /** By state index and by output index: the gradient that arrives, in `outer.out`. */
  readonly final: ReadonlyMap<number, NodeId>;
  readonly stacked: ReadonlyMap<number, NodeId>;
}

export function collectPicks(outer: Reversal, id: NodeId, done: ReadonlyMap<NodeId, NodeId>): Arriving {
  const final = new Map<number, NodeId>();
  const stacked = new Map<number, NodeId>();
  outer.source.nodes.forEach((node, position) => {
    if (node.kind !== "pick" || node.scan !== id) return;
    const gradient = done.get(position as NodeId); // The position in the list is the id.
    if (gradient !== undefined) (node.port === "final" ? final : stacked).set(node.index, gradient);
  });
  return { final, stacked };
}

export interface BodyActivity {
  readonly node: (id: NodeId) => boolean;
  readonly state: (index: number) => boolean;
}

export function bodyActivity(outer: Reversal, scan: ScanNode): BodyActivity {
  const activeStates = new Set<number>();
  const body = builderOf(scan);
  for (;;) {
    const roots = new Set<NodeId>();
    scan.body.graph.nodes.forEach((node, position) => {
      const active =
        (node.kind === "state" && (activeStates.has(node.index) || outer.needs(scan.initial[node.index]!))) ||
        (node.kind === "element" && outer.needs(scan.sequences[node.index]!)) ||
        (node.kind === "captured" && outer.needs(scan.captured[node.index]!));
      if (active) roots.add(position as NodeId); // The position in the list is the id.
    });
    const node = activity(body, roots);
    const before = activeStates.size;
    scan.body.next.forEach((next, k) => {
      if (node(next) || outer.needs(scan.initial[k]!)) activeStates.add(k);
    });
    if (activeStates.size === before) return { node, state: (index) => activeStates.has(index) };
  }
}

/** By index: what flows to the states before the step, the elements of sequences and the captured values. */
export interface LeafGradients {
  readonly state: ReadonlyMap<number, NodeId>;
  readonly element: ReadonlyMap<number, NodeId>;
  readonly captured: ReadonlyMap<number, NodeId>;
}

/** `flow`: the gradient, in `backward`, of a node of the scan's body. */
export function gradientsOfLeaves(
  scan: ScanNode,
  backward: GraphBuilder,
  flow: (id: NodeId) => NodeId | undefined,
): LeafGradients {
  const of = (kind: keyof LeafGradients): Map<number, NodeId> => {
    const lists = new Map<number, NodeId[]>();
    scan.body.graph.nodes.forEach((node, position) => {
      if (node.kind !== kind) return;
      const gradient = flow(position as NodeId); // The position in the list is the id.
      if (gradient !== undefined) lists.set(node.index, [...(lists.get(node.index) ?? []), gradient]);
    });
    return new Map([...lists].map(([index, list]) => [index, total(backward, list)]));
  };
  return { state: of("state"), element: of("element"), captured: of("captured") };
}

export function builderOf(scan: ScanNode): GraphBuilder {
  const builder = new GraphBuilder();
  scan.body.graph.nodes.forEach((node, id) => {
    builder.nodes.push(node);
    builder.types.push(scan.body.graph.types[id]!);
  });
  return builder;
}
