/** Turns fused elementwise nodes into a loop: loads, operations, stores and reductions. */
import { InternalError } from "../../../base/errors.ts";
import { isPackedAxis } from "../../../base/packing.ts";
import { orderAxes, type TensorType } from "../../../base/shapes.ts";
import { type Graph, isBinary, isUnary, type NodeId, type NodeOf } from "../../../ir/nodes.ts";
import { featureDims, spaceOf } from "./layout.ts";
import { type Access, type Command, equalSize, type Loop, type LoopOp, type Ref, size } from "./plan.ts";

export type LoopSource =
  | { readonly kind: "memory"; readonly access: Access }
  | { readonly kind: "free"; readonly graph: Graph; readonly id: NodeId }
  | { readonly kind: "number"; readonly value: number };

export interface FusedGroup {
  readonly graph: Graph;
  readonly type: TensorType;
  readonly members: readonly NodeId[];
  /** Whether a node's value is in a register of this loop. */
  readonly inThisLoop: (id: NodeId) => boolean;
  /** Whether a value of another loop is computed again here, from operands that are in memory or remade themselves. */
  readonly isRemade: (id: NodeId) => boolean;
  readonly source: (id: NodeId) => LoopSource;
  /** Where a value must be written; empty when only this loop reads it. */
  readonly targets: (id: NodeId) => readonly Access[];
  /** Whether a place that sums are added to was filled before. */
  readonly isBegun: (place: Access) => boolean;
}

export function fusedLoop(group: FusedGroup): { before: Command[]; loop: Loop } {
  const { graph, type, members } = group;
  const writer = new LoopWriter();
  const refs = new Map<NodeId, Ref>();
  const refOf = (id: NodeId): Ref => {
    const known = refs.get(id);
    if (known !== undefined) return known;
    if (group.inThisLoop(id)) throw new InternalError(`%${id} is used before it is computed in its loop`);
    const ref = group.isRemade(id) ? writer.node(graph, id, refOf, type) : writer.source(group.source(id));
    refs.set(id, ref);
    return ref;
  };
  const stores: { value: Ref; access: Access }[] = [];
  const reductions: { value: Ref; op: "sum" | "max"; access: Access; carried: boolean }[] = [];
  const before: Command[] = [];
  for (const id of members) {
    const node = graph.nodes[id]!;
    if (node.kind === "reduce") {
      const carried = isCarried(node, type);
      for (const access of group.targets(id)) {
        const reduced = reductionAccess(access, node, type);
        if (carried && !group.isBegun(access))
          before.push(
            copyLoop(
              { kind: "number", value: node.op === "sum" ? 0 : Number.NEGATIVE_INFINITY },
              access,
              graph.types[id]!,
            ),
          );
        reductions.push({ value: refOf(node.x), op: node.op, access: reduced, carried });
      }
      continue;
    }
    const ref = writer.node(graph, id, refOf, type);
    refs.set(id, ref);
    for (const access of group.targets(id)) stores.push({ value: ref, access });
  }
  return { before, loop: { kind: "loop", dims: spaceOf(type), ops: writer.ops, stores, reductions } };
}

/** Writes one value to a place, stretched or not. */
export function copyLoop(source: LoopSource, to: Access, type: TensorType): Loop {
  const writer = new LoopWriter();
  const value = writer.source(source);
  return { kind: "loop", dims: spaceOf(type), ops: writer.ops, stores: [{ value, access: to }], reductions: [] };
}

class LoopWriter {
  readonly ops: LoopOp[] = [];

  #push(op: LoopOp): Ref {
    return this.ops.push(op) - 1;
  }

  source(source: LoopSource): Ref {
    if (source.kind === "memory") return this.#push({ kind: "load", access: source.access });
    if (source.kind === "number") return this.#push({ kind: "literal", value: source.value });
    const node = source.graph.nodes[source.id]!;
    switch (node.kind) {
      case "literal":
        return this.#push({ kind: "literal", value: node.value });
      case "iota":
        return this.#push({ kind: "position", dim: typeof node.along === "string" ? node.along : "#1" });
      case "step":
        return this.#push({ kind: "step", axis: node.axis });
      case "broadcast":
        return this.source({ ...source, id: node.x });
      default:
        throw new InternalError(`a ${node.kind} is not free`);
    }
  }

  node(graph: Graph, id: NodeId, refOf: (id: NodeId) => Ref, space: TensorType): Ref {
    const node = graph.nodes[id]!;
    if (isUnary(node)) return this.#push({ kind: "unary", op: node.kind, x: refOf(node.x) });
    if (isBinary(node)) return this.#push({ kind: "binary", op: node.kind, a: refOf(node.a), b: refOf(node.b) });
    switch (node.kind) {
      case "select":
        return this.#push({
          kind: "select",
          condition: refOf(node.condition),
          a: refOf(node.a),
          b: refOf(node.b),
        });
      case "broadcast":
        return refOf(node.x);
      case "random":
        // The axes of enclosing scans are added by the emitter, which knows them.
        return this.#push({
          kind: "random",
          seed: refOf(node.seed),
          stream: node.stream,
          dims: [...orderAxes(space.axes), ...featureDims(space.shape)],
        });
      default:
        throw new InternalError(`%${id} (${node.kind}) is not elementwise`);
    }
  }
}

/** Whether partial results must be kept in memory: unless only the innermost dimension is reduced. */
function isCarried(node: NodeOf<"reduce">, type: TensorType): boolean {
  // Packed rows may be taken step by step.
  if (node.axes.length > 0 && type.axes.some(isPackedAxis)) return true;
  const dims = spaceOf(type);
  const innermost = dims.at(-1)?.name;
  const reduced = reducedDims(node, type).filter((name) => dims.some((dim) => dim.name === name));
  return reduced.some((name) => name !== innermost);
}

function reducedDims(node: NodeOf<"reduce">, type: TensorType): string[] {
  return [...node.axes, ...node.dims.map((dim) => featureDims(type.shape)[dim]!)];
}

/** The access over the wide index space: reduced dimensions do not move it. */
function reductionAccess(access: Access, node: NodeOf<"reduce">, type: TensorType): Access {
  const reduced = new Set(reducedDims(node, type));
  const strides = Object.fromEntries(
    Object.entries(access.strides).filter(([name, stride]) => !reduced.has(name) && !equalSize(stride, size(0))),
  );
  return { ...access, strides };
}
