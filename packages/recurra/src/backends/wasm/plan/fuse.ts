/**
 * Which elementwise nodes share one pass. Every node of a graph gets a slot, in the order of execution; the elementwise nodes
 * and reductions of one slot run over one index space, each intermediate result in a register.
 */
import { formatType, sameType, type TensorType } from "../../../base/shapes.ts";
import { type Graph, isPointwise, type Node, type NodeId, operands } from "../../../ir/nodes.ts";

export type Slot =
  | { readonly kind: "fused"; readonly type: TensorType; readonly members: readonly NodeId[] }
  | { readonly kind: "single"; readonly node: NodeId };

export interface Schedule {
  readonly slots: readonly Slot[];
  /** The slot that computes a node; −1 for what exists before. A view has the slot of what it views. */
  readonly slotOf: readonly number[];
}

type GrowingSlot =
  | { readonly kind: "fused"; readonly type: TensorType; readonly members: NodeId[] }
  | { readonly kind: "single"; readonly node: NodeId };

/** More members than this in one pass spill registers and gain nothing. */
const largestGroup = 64;

/**
 * `apart`: values of one space that have nothing to do with each other get passes of their own, and what is made of leaves alone is
 * computed where it is first read. The updates of eight weights in one pass were some fifty streams through memory, more than a set of
 * the first-level cache has lines. In the body of a scan values are in the cache and fewer calls count.
 */
export function schedule(graph: Graph, used: ReadonlySet<NodeId>, apart: boolean): Schedule {
  return new Scheduler(graph, used, apart).run();
}

class Scheduler {
  readonly #graph: Graph;
  readonly #used: ReadonlySet<NodeId>;
  readonly #slots: GrowingSlot[] = [];
  readonly #slotOf: number[] = [];
  /** Of the spaces of fused slots; the others have none. */
  readonly #keys: (string | undefined)[] = [];
  /** Made of leaves alone, and not read yet. */
  readonly #postponed = new Set<NodeId>();
  readonly #partOf: ((id: NodeId) => NodeId) | undefined;

  constructor(graph: Graph, used: ReadonlySet<NodeId>, apart: boolean) {
    this.#graph = graph;
    this.#used = used;
    this.#partOf = apart ? connectedParts(graph, used) : undefined;
  }

  run(): Schedule {
    this.#graph.nodes.forEach((node, position) => {
      const id = position as NodeId; // The position in the list is the id.
      if (!this.#used.has(id) || isLeaf(node) || (!isView(node) && isFree(this.#graph, id))) this.#slotOf[id] = -1;
      else if (isView(node)) {
        const base = operands(node)[0]!;
        if (this.#postponed.has(base)) this.#place(base);
        this.#slotOf[id] = this.#slotOf[base]!;
      } else if (
        this.#partOf !== undefined &&
        isPointwise(node) &&
        operands(node).every((x) => this.#isMadeOfLeaves(x))
      )
        this.#postponed.add(id);
      else this.#place(id);
    });
    for (const id of this.#postponed) this.#place(id);
    return { slots: this.#slots, slotOf: this.#slotOf };
  }

  #isMadeOfLeaves(id: NodeId): boolean {
    return this.#postponed.has(id) || this.#slotOf[id] === -1;
  }

  #place(id: NodeId): void {
    const space = fusedSpace(this.#graph, id);
    const members = this.#withPostponed(id, space).sort((a, b) => a - b);
    for (const member of members) this.#postponed.delete(member);
    const at = space === undefined ? this.#add({ kind: "single", node: id }) : this.#fused(members, space);
    for (const member of members) this.#slotOf[member] = at;
  }

  /** A node with those postponed ones that it reads in its own space; others are placed before. */
  #withPostponed(id: NodeId, space: TensorType | undefined, found: NodeId[] = []): NodeId[] {
    found.push(id);
    for (const operand of operands(this.#graph.nodes[id]!)) {
      if (!this.#postponed.has(operand) || found.includes(operand)) continue;
      if (space !== undefined && sameType(this.#graph.types[operand]!, space))
        this.#withPostponed(operand, space, found);
      else this.#place(operand);
    }
    return found;
  }

  #fused(members: readonly NodeId[], space: TensorType): number {
    const part = this.#partOf?.(members.at(-1)!);
    const key = `${formatType(space)} ${part ?? ""}`;
    // A value in the same space can be taken from its register; anything else must be in memory before.
    const before = members.flatMap((id) => operands(this.#graph.nodes[id]!)).filter((id) => !members.includes(id));
    const earliest = before.reduce((latest, operand) => {
      const inRegister = isFusible(this.#graph, operand) && sameType(this.#graph.types[operand]!, space);
      return Math.max(latest, this.#slotOf[operand]! + (inRegister ? 0 : 1));
    }, 0);
    for (let i = this.#keys.indexOf(key, earliest); i >= 0; i = this.#keys.indexOf(key, i + 1)) {
      const slot = this.#slots[i]!;
      if (slot.kind !== "fused" || slot.members.length + members.length > largestGroup) continue;
      slot.members.push(...members);
      return i;
    }
    return this.#add({ kind: "fused", type: space, members: [...members] }, key);
  }

  #add(slot: GrowingSlot, key?: string): number {
    this.#keys.push(key);
    return this.#slots.push(slot) - 1;
  }
}

/** Nodes that one pass should serve have a way between them of values in one space; sums of views share what they view. */
function connectedParts(graph: Graph, used: ReadonlySet<NodeId>): (id: NodeId) => NodeId {
  const parents: NodeId[] = [];
  const partOf = (id: NodeId): NodeId => {
    let part = id;
    while (parents[part] !== undefined) part = parents[part]!;
    if (part !== id) parents[id] = part;
    return part;
  };
  for (const id of used) {
    const space = fusedSpace(graph, id);
    if (space === undefined) continue;
    const node = graph.nodes[id]!;
    for (const operand of operands(node)) {
      if (isFree(graph, operand) || !sameType(graph.types[operand]!, space)) continue;
      const read = node.kind === "reduce" ? viewed(graph, operand) : operand;
      // A sum has the space of what it adds up.
      if (!sameType(fusedSpace(graph, read) ?? space, space)) continue;
      const [own, other] = [partOf(id), partOf(read)];
      if (own !== other) parents[other] = own;
    }
  }
  return partOf;
}

function viewed(graph: Graph, id: NodeId): NodeId {
  const node = graph.nodes[id]!;
  return isView(node) ? viewed(graph, operands(node)[0]!) : id;
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
