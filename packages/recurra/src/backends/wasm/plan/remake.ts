/**
 * Values that a second loop computes again instead of loading them: one operation on at most one operand of their own size that is in
 * memory anyway. Storing them would add a write and save nothing: logits with their bias, one-hot rows, gradients over a count.
 */
import { product, sameType, type TensorType } from "../../../base/shapes.ts";
import { type Graph, isPointwise, type Node, type NodeId, operands } from "../../../ir/nodes.ts";
import { isFree, isFusible, isLeaf, isView } from "./fuse.ts";

/** The nodes that read each node. */
export class Users {
  readonly #users: NodeId[][] = [];

  constructor(graph: Graph, used: ReadonlySet<NodeId>) {
    for (const id of used) {
      operands(graph.nodes[id]!).forEach((operand) => {
        const known = this.#users[operand];
        if (known === undefined) this.#users[operand] = [id];
        else known.push(id);
      });
    }
  }

  of(id: NodeId): readonly NodeId[] {
    return this.#users[id] ?? [];
  }
}

const cheap: ReadonlySet<Node["kind"]> = new Set(["add", "sub", "mul", "div", "neg", "less", "equal", "broadcast"]);

/** `overwritten`: names of parameters whose values change before the end of the program. */
export function isCheaperThanLoad(graph: Graph, id: NodeId, overwritten: ReadonlySet<string>): boolean {
  const node = graph.nodes[id]!;
  if (!cheap.has(node.kind) || !isFusible(graph, id)) return false;
  const type = graph.types[id]!;
  const sources = operands(node).flatMap((operand) => {
    const from = graph.nodes[operand]!;
    return isFree(graph, operand) ? [] : from.kind === "broadcast" ? [from.x] : [operand];
  });
  return (
    sources.every((source) => isStretched(graph, source, type) || staysInMemory(graph, source, overwritten)) &&
    sources.filter((source) => sameType(graph.types[source]!, type)).length <= 1
  );
}

/** A computed number that is stretched over a larger value: its readers find it in memory. */
function isStretched(graph: Graph, id: NodeId, over: TensorType): boolean {
  const { axes, shape } = graph.types[id]!;
  const isNumber = axes.length === 0 && product(shape) === 1;
  return isNumber && !sameType(graph.types[id]!, over) && isPointwise(graph.nodes[id]!);
}

function staysInMemory(graph: Graph, id: NodeId, overwritten: ReadonlySet<string>): boolean {
  const node = graph.nodes[id]!;
  if (node.kind === "input") return true;
  if (node.kind === "param") return !overwritten.has(node.name);
  if (node.kind === "slice" || node.kind === "reshape") return staysInMemory(graph, node.x, overwritten);
  return !isLeaf(node) && !isView(node) && !isPointwise(node) && node.kind !== "scan";
}
