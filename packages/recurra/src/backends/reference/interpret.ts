/** The float64 meaning of every node, in plain loops. Slow and obvious on purpose: every fast path is compared with it. */
import { InternalError, ShapeError } from "../../base/errors.ts";
import { hashUniform } from "../../base/random.ts";
import {
  type Axis,
  type AxisSizes,
  elementCount,
  formatType,
  orderAxes,
  segmentLength,
  sizeOf,
  type TensorType,
} from "../../base/shapes.ts";
import {
  type BinaryKind,
  type Graph,
  isBinary,
  isUnary,
  type Node,
  type NodeId,
  type NodeOf,
  type Program,
  type ScanNode,
  type UnaryKind,
} from "../../ir/nodes.ts";
import { elementType } from "../../ir/shapes.ts";

/** A tensor in the order its type is printed in: first axis outermost, last feature innermost. */
export interface Value {
  readonly type: TensorType;
  readonly data: Float64Array;
}

export type Feeds = Readonly<Record<string, ArrayLike<number>>>;

export interface Interpretation {
  readonly outputs: Readonly<Record<string, Float64Array>>;
  readonly updates: Readonly<Record<string, Float64Array>>;
}

/** Runs a program. `feeds` holds inputs and parameters by name. @throws ShapeError when one is missing or has a wrong length. */
export function interpret(program: Program, feeds: Feeds, sizes: AxisSizes): Interpretation {
  const values = new Evaluation(program.graph, sizes, (node, type) => {
    if (node.kind !== "input" && node.kind !== "param") throw new InternalError(`a ${node.kind} stands outside a scan`);
    return feed(node.name, type, feeds, sizes);
  });
  const read = (names: Readonly<Record<string, NodeId>>) =>
    Object.fromEntries(Object.entries(names).map(([name, id]) => [name, values.of(id).data]));
  return { outputs: read(program.outputs), updates: read(program.updates) };
}

function feed(name: string, type: TensorType, feeds: Feeds, sizes: AxisSizes): Value {
  const given = feeds[name];
  const expected = elementCount(type, sizes);
  if (given === undefined || given.length !== expected) {
    throw new ShapeError({
      where: `"${name}"`,
      given: given === undefined ? "missing" : `${given.length} numbers`,
      expected: `${expected} numbers for ${formatType(type)}`,
      mend: "feed every input and parameter of the program",
    });
  }
  return { type, data: Float64Array.from(given) };
}

type Leaf = NodeOf<"input" | "param" | "state" | "element" | "captured">;

/** Of the steps of enclosing scans, and where the segment of each cut axis begins. */
interface Positions {
  readonly steps: Readonly<Record<Axis, number>>;
  readonly starts: Readonly<Record<Axis, number>>;
}

class Evaluation {
  readonly #values: (Value | undefined)[] = [];
  readonly #scans = new Map<NodeId, { final: Value[]; stacked: Value[] }>();

  constructor(
    graph: Graph,
    sizes: AxisSizes,
    leaf: (node: Leaf, type: TensorType) => Value,
    positions: Positions = { steps: {}, starts: {} },
  ) {
    graph.nodes.forEach((node, position) => {
      const id = position as NodeId; // The position in the list is the id.
      const type = graph.types[id]!;
      if (node.kind === "scan") this.#scans.set(id, runScan(node, this, sizes, positions));
      else this.#values[id] = this.#evaluate(node, type, sizes, leaf, positions);
    });
  }

  of(id: NodeId): Value {
    const value = this.#values[id];
    if (value === undefined) throw new InternalError(`%${id} has no value`);
    return value;
  }

  #evaluate(
    node: Exclude<Node, ScanNode>,
    type: TensorType,
    sizes: AxisSizes,
    leaf: (node: Leaf, type: TensorType) => Value,
    { steps, starts }: Positions,
  ): Value {
    if (isUnary(node)) return pointwise(type, sizes, [this.of(node.x)], ([x]) => unaryMeaning[node.kind](x!));
    if (isBinary(node))
      return pointwise(type, sizes, [this.of(node.a), this.of(node.b)], ([a, b]) => binaryMeaning[node.kind](a!, b!));
    switch (node.kind) {
      case "input":
      case "param":
      case "state":
      case "element":
      case "captured":
        return leaf(node, type);
      case "literal":
        return { type, data: Float64Array.of(node.value) };
      case "iota": {
        const start = typeof node.along === "string" ? (starts[node.along] ?? 0) : 0;
        return { type, data: Float64Array.from({ length: elementCount(type, sizes) }, (_, i) => start + i) };
      }
      case "step":
        return { type, data: Float64Array.of(steps[node.axis]!) };
      case "random": {
        const seed = this.of(node.seed).data[0]!;
        // Inside a scan the step counts like a position along an axis of the type.
        const axes = orderAxes([...type.axes, ...Object.keys(steps)]);
        return generate(type, sizes, (index) => {
          const along = axes.map((axis) =>
            type.axes.includes(axis) ? (starts[axis] ?? 0) + index[type.axes.indexOf(axis)]! : steps[axis]!,
          );
          return hashUniform(seed, node.stream, [...along, ...index.slice(type.axes.length)]);
        });
      }
      case "select":
        return pointwise(
          type,
          sizes,
          [this.of(node.condition), this.of(node.a), this.of(node.b)],
          ([condition, a, b]) => (condition !== 0 ? a! : b!),
        );
      case "broadcast":
      case "stopGradient":
        return pointwise(type, sizes, [this.of(node.x)], ([x]) => x!);
      case "slice": {
        const x = this.of(node.x);
        const dim = type.axes.length + node.dim;
        return generate(type, sizes, (index) =>
          at(x, sizes, moved(index, dim, node.start + index[dim]! * (node.stride ?? 1))),
        );
      }
      case "pad": {
        const x = this.of(node.x);
        const dim = type.axes.length + node.dim;
        const size = x.type.shape[node.dim]!;
        return generate(type, sizes, (index) => {
          const from = (index[dim]! - node.before) / (node.stride ?? 1);
          return Number.isInteger(from) && from >= 0 && from < size ? at(x, sizes, moved(index, dim, from)) : 0;
        });
      }
      case "shift": {
        const x = this.of(node.x);
        const slot = type.axes.indexOf(node.axis);
        const steps = sizeOf(node.axis, sizes);
        return generate(type, sizes, (index) => {
          const from = index[slot]! - node.by;
          return from >= 0 && from < steps ? at(x, sizes, moved(index, slot, from)) : 0;
        });
      }
      case "concat": {
        const parts = node.parts.map((part) => this.of(part));
        const dim = type.axes.length + node.dim;
        return generate(type, sizes, (index) => {
          let start = 0;
          for (const part of parts) {
            const size = part.type.shape[node.dim]!;
            if (index[dim]! < start + size) return at(part, sizes, moved(index, dim, index[dim]! - start));
            start += size;
          }
          throw new InternalError("concat: an index lies behind the last part");
        });
      }
      case "reshape":
        return { type, data: this.of(node.x).data };
      case "reduce":
        return reduce(node, this.of(node.x), type, sizes);
      case "matmul":
        return matmul(node, this.of(node.x), this.of(node.weight), type, sizes);
      case "outer":
        return outer(this.of(node.a), this.of(node.b), type, sizes);
      case "gather": {
        const table = this.of(node.table);
        const index = this.of(node.index);
        const features = type.shape[0]!;
        const rows = table.type.shape[0]!;
        return {
          type,
          data: Float64Array.from({ length: elementCount(type, sizes) }, (_, i) => {
            const row = index.data[Math.floor(i / features)]!;
            return isRow(row, rows) ? table.data[row * features + (i % features)]! : Number.NaN;
          }),
        };
      }
      case "scatterAdd": {
        const x = this.of(node.x);
        const index = this.of(node.index);
        const features = type.shape[1]!;
        const data = new Float64Array(elementCount(type, sizes));
        x.data.forEach((value, i) => {
          const row = index.data[Math.floor(i / features)]!;
          if (!isRow(row, node.rows)) return;
          const slot = row * features + (i % features);
          data[slot] = data[slot]! + value;
        });
        return { type, data };
      }
      case "pick": {
        const results = this.#scans.get(node.scan);
        const value = results?.[node.port][node.index];
        if (value === undefined) throw new InternalError(`%${node.scan} has no ${node.port} ${node.index}`);
        return value;
      }
    }
  }
}

/** An index that is not the number of a row: gather makes NaN of it, scatterAdd leaves it out. */
function isRow(index: number, rows: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < rows;
}

function runScan(
  scan: ScanNode,
  outer: Evaluation,
  sizes: AxisSizes,
  positions: Positions,
): { final: Value[]; stacked: Value[] } {
  if (scan.cuts !== undefined) return runSegments(scan, scan.cuts, outer, sizes, positions);
  const steps = sizeOf(scan.axis, sizes);
  const start = positions.starts[scan.axis] ?? 0;
  const { graph: body, next, outputs } = scan.body;
  const lengths = scan.lengths === undefined ? undefined : outer.of(scan.lengths);
  let states = scan.initial.map((id) => outer.of(id));
  const stepped: Value[][] = Array.from({ length: steps }, () => []);
  for (let i = 0; i < steps; i++) {
    const position = scan.direction === "forward" ? i : steps - 1 - i;
    const t = start + position;
    const before = states;
    const step = new Evaluation(
      body,
      sizes,
      (node, type) => {
        if (node.kind === "state") return before[node.index]!;
        if (node.kind === "captured") return outer.of(scan.captured[node.index]!);
        if (node.kind === "element")
          return stepOf(outer.of(scan.sequences[node.index]!), scan.axis, position, type, sizes);
        throw new InternalError(`a ${node.kind} stands inside a scan`);
      },
      { ...positions, steps: { ...positions.steps, [scan.axis]: t } },
    );
    const alive = (batch: number) => lengths === undefined || t < lengths.data[batch]!;
    states = next.map((id, k) => keepRows(step.of(id), (batch) => alive(batch), before[k]!.data, sizes));
    stepped[position] = outputs.map((id) => keepRows(step.of(id), (batch) => alive(batch), undefined, sizes));
  }
  const stacked = outputs.map((id, j) => {
    const type = body.types[id]!;
    const axes = orderAxes([...type.axes, scan.axis]);
    return generate({ axes, shape: type.shape }, sizes, (index) => {
      const slot = axes.indexOf(scan.axis);
      return at(
        stepped[index[slot]!]![j]!,
        sizes,
        index.filter((_, i) => i !== slot),
      );
    });
  });
  return { final: states, stacked };
}

/** Rows that are not alive take the value of `otherwise`, or 0. A value without a batch axis is alive while any row is. */
function keepRows(
  value: Value,
  alive: (batch: number) => boolean,
  otherwise: Float64Array | undefined,
  sizes: AxisSizes,
): Value {
  const batch = sizes["batch"] ?? 1;
  const slot = value.type.axes.indexOf("batch");
  const anyAlive = Array.from({ length: batch }, (_, b) => alive(b)).some(Boolean) || batch === 0;
  const strides = stridesOf(value.type, sizes);
  const data = value.data.map((x, i) => {
    const row = slot < 0 ? anyAlive : alive(Math.floor(i / strides[slot]!) % batch);
    return row ? x : (otherwise?.[i] ?? 0);
  });
  return { type: value.type, data };
}

/** Each step is a segment of the axis `cuts`; the last one has what is left. */
function runSegments(
  scan: ScanNode,
  cuts: Axis,
  outer: Evaluation,
  sizes: AxisSizes,
  positions: Positions,
): { final: Value[]; stacked: Value[] } {
  const { graph: body, next, outputs } = scan.body;
  const [whole, length, count] = [sizeOf(cuts, sizes), sizeOf(segmentLength(cuts), sizes), sizeOf(scan.axis, sizes)];
  const typeOf = (id: NodeId, axis: Axis) => ({
    axes: orderAxes([...body.types[id]!.axes, axis]),
    shape: body.types[id]!.shape,
  });
  const stacked = outputs.map((id): Value => {
    const type = typeOf(id, body.types[id]!.axes.includes(cuts) ? cuts : scan.axis);
    return { type, data: new Float64Array(elementCount(type, sizes)) };
  });
  let states = scan.initial.map((id) => outer.of(id));
  for (let i = 0; i < count; i++) {
    const segment = scan.direction === "forward" ? i : count - 1 - i;
    const own = { ...sizes, [cuts]: Math.min(length, whole - segment * length) };
    const before = states;
    /** Where element `index` of a part lies in the whole: parts along the cut axis are `length` apart, others one. */
    const inWhole = (value: Value) => {
      const strides = stridesOf(value.type, sizes);
      const slot = value.type.axes.indexOf(cuts);
      const along = slot >= 0 ? slot : value.type.axes.indexOf(scan.axis);
      const first = (slot >= 0 ? segment * length : segment) * strides[along]!;
      const kept = slot >= 0 ? strides : strides.filter((_, axis) => axis !== along);
      return (index: readonly number[]) => first + index.reduce((sum, at, axis) => sum + at * kept[axis]!, 0);
    };
    const step = new Evaluation(
      body,
      own,
      (node, type) => {
        if (node.kind === "state") return before[node.index]!;
        if (node.kind === "captured") return outer.of(scan.captured[node.index]!);
        if (node.kind !== "element") throw new InternalError(`a ${node.kind} stands inside a scan`);
        const sequence = outer.of(scan.sequences[node.index]!);
        const position = inWhole(sequence);
        return generate(type, own, (index) => sequence.data[position(index)]!);
      },
      {
        steps: positions.steps,
        starts: { ...positions.starts, [cuts]: segment * length },
      },
    );
    states = next.map((id) => step.of(id));
    stacked.forEach((value, j) => {
      const part = step.of(outputs[j]!);
      const position = inWhole(value);
      each(part.type, own, (index, from) => {
        value.data[position(index)] = part.data[from]!;
      });
    });
  }
  return { final: states, stacked };
}

function stepOf(sequence: Value, axis: Axis, t: number, type: TensorType, sizes: AxisSizes): Value {
  const slot = sequence.type.axes.indexOf(axis);
  const element = elementType(sequence.type, { axis });
  if (formatType(element) !== formatType(type))
    throw new InternalError(`element ${formatType(type)} of ${formatType(sequence.type)}`);
  return generate(type, sizes, (index) => at(sequence, sizes, [...index.slice(0, slot), t, ...index.slice(slot)]));
}

const unaryMeaning: Readonly<Record<UnaryKind, (x: number) => number>> = {
  neg: (x) => -x,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  abs: Math.abs,
  sqrt: Math.sqrt,
  sign: Math.sign,
  floor: Math.floor,
  sin: Math.sin,
  cos: Math.cos,
};

const binaryMeaning: Readonly<Record<BinaryKind, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  less: (a, b) => (a < b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0),
};

function reduce(node: NodeOf<"reduce">, x: Value, type: TensorType, sizes: AxisSizes): Value {
  const data = new Float64Array(elementCount(type, sizes)).fill(node.op === "sum" ? 0 : Number.NEGATIVE_INFINITY);
  const strides = stridesOf(type, sizes);
  each(x.type, sizes, (index, position) => {
    const kept = index.filter((_, i) => i >= x.type.axes.length || !node.axes.includes(x.type.axes[i]!));
    const slot = kept.reduce(
      (sum, at, i) => sum + (i >= type.axes.length && node.dims.includes(i - type.axes.length) ? 0 : at * strides[i]!),
      0,
    );
    data[slot] = node.op === "sum" ? data[slot]! + x.data[position]! : Math.max(data[slot]!, x.data[position]!);
  });
  return { type, data };
}

function matmul(node: NodeOf<"matmul">, x: Value, weight: Value, type: TensorType, sizes: AxisSizes): Value {
  const [outputs, inputs] = [type.shape.at(-1)!, x.type.shape.at(-1)!];
  const data = new Float64Array(elementCount(type, sizes));
  const width = weight.type.shape[1]!;
  for (let row = 0; row < data.length / outputs; row++) {
    for (let n = 0; n < outputs; n++) {
      let dot = 0;
      for (let k = 0; k < inputs; k++)
        dot += x.data[row * inputs + k]! * weight.data[node.transposed ? k * width + n : n * width + k]!;
      data[row * outputs + n] = dot;
    }
  }
  return { type, data };
}

function outer(a: Value, b: Value, type: TensorType, sizes: AxisSizes): Value {
  const [rows, columns] = [type.shape[0]!, type.shape[1]!];
  const data = new Float64Array(elementCount(type, sizes));
  const strides = stridesOf(type, sizes);
  each({ axes: a.type.axes, shape: a.type.shape.slice(0, -1) }, sizes, (index, row) => {
    const kept = index.filter((_, i) => type.axes.includes(a.type.axes[i]!));
    const start = kept.reduce((sum, at, i) => sum + at * strides[i]!, 0);
    for (let m = 0; m < rows; m++) {
      for (let n = 0; n < columns; n++) {
        const slot = start + m * columns + n;
        data[slot] = data[slot]! + a.data[row * rows + m]! * b.data[row * columns + n]!;
      }
    }
  });
  return { type, data };
}

function pointwise(
  type: TensorType,
  sizes: AxisSizes,
  inputs: readonly Value[],
  compute: (values: number[]) => number,
): Value {
  const readers = inputs.map((input) => broadcastReader(input, type, sizes));
  return generate(type, sizes, (index) => compute(readers.map((read) => read(index))));
}

/** Reads `value` at an index of the wider type `to`: axes match by name, features from the right. */
function broadcastReader(value: Value, to: TensorType, sizes: AxisSizes): (index: readonly number[]) => number {
  const strides = stridesOf(value.type, sizes);
  const steps = [...to.axes.map((axis) => strides[value.type.axes.indexOf(axis)] ?? 0), ...to.shape.map(() => 0)];
  const shift = to.shape.length - value.type.shape.length;
  value.type.shape.forEach((size, dim) => {
    if (size > 1) steps[to.axes.length + shift + dim] = strides[value.type.axes.length + dim]!;
  });
  return (index) => value.data[index.reduce((sum, at, i) => sum + at * steps[i]!, 0)]!;
}

function stridesOf(type: TensorType, sizes: AxisSizes): number[] {
  const all = [...type.axes.map((axis) => sizeOf(axis, sizes)), ...type.shape];
  const strides = all.map(() => 1);
  for (let i = all.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * all[i + 1]!;
  return strides;
}

function at(value: Value, sizes: AxisSizes, index: readonly number[]): number {
  const strides = stridesOf(value.type, sizes);
  return value.data[index.reduce((sum, position, i) => sum + position * strides[i]!, 0)]!;
}

function moved(index: readonly number[], slot: number, to: number): number[] {
  return index.map((position, i) => (i === slot ? to : position));
}

function generate(type: TensorType, sizes: AxisSizes, compute: (index: readonly number[]) => number): Value {
  const data = new Float64Array(elementCount(type, sizes));
  each(type, sizes, (index, position) => {
    data[position] = compute(index);
  });
  return { type, data };
}

/** Visits every index of a type in storage order. */
function each(type: TensorType, sizes: AxisSizes, visit: (index: readonly number[], position: number) => void): void {
  const all = [...type.axes.map((axis) => sizeOf(axis, sizes)), ...type.shape];
  const total = all.reduce((count, size) => count * size, 1);
  const index = all.map(() => 0);
  for (let position = 0; position < total; position++) {
    visit(index, position);
    for (let i = all.length - 1; i >= 0; i--) {
      index[i] = index[i]! + 1;
      if (index[i]! < all[i]!) break;
      index[i] = 0;
    }
  }
}
