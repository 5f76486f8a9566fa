/**
 * Which elementwise nodes share one pass. Every node of a graph gets a slot, in the order of execution; the elementwise nodes
 * and reductions of one slot run over one index space, each intermediate result in a register.
 */
import { formatType, type TensorType } from "../../base/shapes.ts";
import { type Graph, isPointwise, type Node, type NodeId, operands } from "../../ir/nodes.ts";

export type Slot =
  | { readonly kind: "fused"; readonly type: TensorType; readonly members: readonly NodeId[] }
  | { readonly kind: "single"; readonly node: NodeId };

export interface Schedule {
  readonly slots: readonly Slot[];
  /** The slot that computes a node; −1 for what exists before. A view has the slot of what it views. */
  readonly slotOf: readonly number[];
}

/** More members than this in one pass spill registers and gain nothing. */
const largestGroup = 64;

export function schedule(graph: Graph, used: ReadonlySet<NodeId>): Schedule {
  const slots: ({ kind: "fused"; type: TensorType; members: NodeId[] } | { kind: "single"; node: NodeId })[] = [];
  const slotOf: number[] = [];
  graph.nodes.forEach((node, position) => {
    const id = position as NodeId; // The position in the list is the id.
    if (!used.has(id) || isLeaf(node)) {
      slotOf[id] = -1;
      return;
    }
    if (isView(node)) {
      slotOf[id] = slotOf[operands(node)[0]!]!;
      return;
    }
    if (isFree(graph, id)) {
      slotOf[id] = -1;
      return;
    }
    const space = fusedSpace(graph, id);
    if (space === undefined) {
      slotOf[id] = slots.push({ kind: "single", node: id }) - 1;
      return;
    }
    const key = formatType(space);
    // A value in the same space can be taken from its register; anything else must be in memory before.
    const earliest = operands(node).reduce((latest, operand) => {
      const inRegister = isFusible(graph, operand) && formatType(graph.types[operand]!) === key;
      return Math.max(latest, slotOf[operand]! + (inRegister ? 0 : 1));
    }, 0);
    const found = slots.findIndex(
      (slot, i) =>
        i >= earliest && slot.kind === "fused" && formatType(slot.type) === key && slot.members.length < largestGroup,
    );
    const target = found >= 0 ? slots[found]! : undefined;
    if (target?.kind === "fused") {
      target.members.push(id);
      slotOf[id] = found;
    } else slotOf[id] = slots.push({ kind: "fused", type: space, members: [id] }) - 1;
  });
  return { slots, slotOf };
}

/** The index space a node is computed over when fused: its own type, or for a reduction that of its operand. */
function fusedSpace(graph: Graph, id: NodeId): TensorType | undefined {
  const node = graph.nodes[id]!;
  if (node.kind === "reduce") return graph.types[node.x]!;
  return isPointwise(node) ? graph.types[id]! : undefined;
}

/** Elementwise, and neither a leaf nor computed anew wherever it is used. */
export function isFusible(graph: Graph, id: NodeId): boolean {
  return isPointwise(graph.nodes[id]!) && !isFree(graph, id);
}

/** Literals, positions and their broadcasts: cheaper to make again than to load. */
export function isFree(graph: Graph, id: NodeId): boolean {
  const node = graph.nodes[id]!;
  if (node.kind === "literal" || node.kind === "iota" || node.kind === "step") return true;
  return node.kind === "broadcast" && isFree(graph, node.x);
}

/** Another way to look at storage that exists. */
export function isView(node: Node): boolean {
  return node.kind === "slice" || node.kind === "reshape" || node.kind === "pick";
}

export function isLeaf(node: Node): boolean {
  return (
    node.kind === "input" ||
    node.kind === "param" ||
    node.kind === "state" ||
    node.kind === "element" ||
    node.kind === "captured"
  );
}
