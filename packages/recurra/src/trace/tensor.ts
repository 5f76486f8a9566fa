/** Symbolic tensors: what equations are written over. Every operation adds a node to the trace that its operands belong to. */
import { ShapeError } from "../base/errors.ts";
import { type Axis, formatType, type TensorType } from "../base/shapes.ts";
import { GraphBuilder } from "../ir/builder.ts";
import type { Graph, Node, NodeId } from "../ir/nodes.ts";

/** A value of the program being traced. Shapes as in `type`; it holds no numbers. */
export class Tensor {
  readonly trace: Trace;
  readonly id: NodeId;
  /** Of a weight: what becomes of a vector before the weight multiplies it. Most take it as it is. */
  readonly entering: ((vector: Tensor) => Tensor) | undefined;

  constructor(trace: Trace, id: NodeId, entering?: (vector: Tensor) => Tensor) {
    this.trace = trace;
    this.id = id;
    this.entering = entering;
  }

  get type(): TensorType {
    return this.trace.builder.typeOf(this.id);
  }

  /** Size of the last feature dimension. */
  get size(): number {
    return this.type.shape.at(-1) ?? 1;
  }

  toString(): string {
    return `%${this.id} : ${formatType(this.type)}`;
  }
}

/** How a value is written in a printed formula: by a name, or as a function of others. It has no effect on the program. */
export interface Notation {
  readonly name?: string;
  readonly call?: { readonly name: string; readonly of: readonly TensorLike[] };
}

/** Where a function is traced to: a whole program, or the body of a scan, which captures what it reads from outside. */
export class Trace {
  readonly builder = new GraphBuilder();
  readonly parent: Trace | undefined;
  readonly captured: Tensor[] = [];
  /** The names that the equations give the states of each scan, in order. */
  readonly stateNames = new Map<NodeId, readonly string[]>();
  readonly notation = new Map<NodeId, Notation>();

  constructor(parent?: Trace) {
    this.parent = parent;
  }

  /** Goes on where a finished graph ends, to add a gradient or an optimizer to it. */
  static resume(graph: Graph): Trace {
    const trace = new Trace();
    trace.builder.nodes.push(...graph.nodes);
    trace.builder.types.push(...graph.types);
    return trace;
  }

  tensor(id: NodeId): Tensor {
    return new Tensor(this, id);
  }

  add(node: Node): Tensor {
    return new Tensor(this, this.builder.add(node));
  }

  input(name: string, type: TensorType): Tensor {
    return this.add({ kind: "input", name, type });
  }

  param(name: string, shape: readonly number[]): Tensor {
    return this.add({ kind: "param", name, shape });
  }

  literal(value: number): Tensor {
    return this.add({ kind: "literal", value });
  }

  /** The tensor as seen from this trace; a tensor of an enclosing trace becomes captured. */
  adopt(tensor: Tensor): Tensor {
    if (tensor.trace === this) return tensor;
    if (this.parent === undefined) {
      throw new ShapeError({
        where: "a tensor of a scan body",
        given: "used outside its scan",
        expected: "a result of the scan",
        mend: "return it from the step as a state or an output, and use what scan returns",
      });
    }
    const node = tensor.trace.builder.nodeOf(tensor.id);
    if (node.kind === "literal") return this.add(node);
    const outside = this.parent.adopt(tensor);
    const known = this.captured.findIndex((other) => other.id === outside.id);
    const index = known >= 0 ? known : this.captured.push(outside) - 1;
    return this.add({ kind: "captured", index, type: outside.type });
  }

  depth(): number {
    return this.parent === undefined ? 0 : this.parent.depth() + 1;
  }
}

/** Numbers may stand wherever a tensor may. */
export type TensorLike = Tensor | number;

/** The innermost trace among tensors; operations are traced there. */
export function traceOf(...values: readonly TensorLike[]): Trace {
  let found: Trace | undefined;
  for (const value of values) {
    if (typeof value !== "number" && (found === undefined || value.trace.depth() > found.depth())) found = value.trace;
  }
  if (found === undefined) {
    throw new ShapeError({
      where: "an operation",
      given: "numbers only",
      expected: "at least one tensor",
      mend: "compute with plain numbers in TypeScript",
    });
  }
  return found;
}

/** A sequence of features: [batch, time, size]. */
export function sequenceType(size: number, time: Axis = "time"): TensorType {
  return { axes: ["batch", time], shape: [size] };
}

/** One row of features per sample: [batch, size]. */
export function vectorType(size: number): TensorType {
  return { axes: ["batch"], shape: [size] };
}
