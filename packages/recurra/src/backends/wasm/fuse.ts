/**
 * Which elementwise nodes share one pass. Every node of a graph gets a slot, in the order of execution; the elementwise nodes
 * and reductions of one slot run over one index space, each intermediate result in a register.
 */
import { formatType, sameType, type TensorType } from "../../base/shapes.ts";
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
  // Of the spaces of fused slots; the others have none.
  const keys: (string | undefined)[] = [];
  const add = (slot: (typeof slots)[number], key?: string): number => {
    keys.push(key);
    return slots.push(slot) - 1;
  };
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
      slotOf[id] = add({ kind: "single", node: id });
      return;
    }
    const key = formatType(space);
    // A value in the same space can be taken from its register; anything else must be in memory before.
    const earliest = operands(node).reduce((latest, operand) => {
      const inRegister = isFusible(graph, operand) && sameType(graph.types[operand]!, space);
      return Math.max(latest, slotOf[operand]! + (inRegister ? 0 : 1));
    }, 0);
    for (let i = keys.indexOf(key, earliest); i >= 0; i = keys.indexOf(key, i + 1)) {
      const slot = slots[i]!;
      if (slot.kind !== "fused" || slot.members.length >= largestGroup) continue;
      slot.members.push(id);
      slotOf[id] = i;
      return;
    }
    slotOf[id] = add({ kind: "fused", type: space, members: [id] }, key);
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
