/** Between the callers' order of numbers, [batch, time, features], and the memory's, in which the last axis is outermost. */
import { type AxisSizes, elementCount, product, sizeOf, type TensorType } from "../base/shapes.ts";
import type { TurnIn } from "./native.ts";
import type { ShardOrder } from "./rowOrder.ts";

/** Numbers in the order of the printed type: [batch, time, features]. */
export type Numbers = Float32Array | Float64Array | readonly number[];

/** Where a tensor lies in a model's memory, and what moves it there. */
export interface Place {
  /** A view of the memory: address in bytes, length in floats. */
  readonly floats: (address: number, length: number) => Float32Array;
  readonly address: number;
  /** Address of free room for a tensor of two axes. */
  readonly staging: number;
  /** Turns [outer, inner, features] at the first address into [inner, outer, features] at the second. */
  readonly turn: (from: number, to: number, outer: number, inner: number, features: number) => void;
  /** The same from an array of the caller's, from one of its elements on; undefined where there are no native kernels. */
  readonly turnIn: TurnIn | undefined;
}

/** Writes `source` from its element `from` on. */
export function writeTensor(place: Place, source: Numbers, from: number, type: TensorType, sizes: AxisSizes): void {
  const { floats, address, staging, turn, turnIn } = place;
  const count = elementCount(type, sizes);
  const target = floats(address, count);
  if (type.axes.length < 2) target.set(run(source, from, count));
  else if (type.axes.length === 2) {
    const [outer, inner] = [sizeOf(type.axes[0]!, sizes), sizeOf(type.axes[1]!, sizes)];
    const features = product(type.shape);
    if (turnIn !== undefined && source instanceof Float32Array) {
      turnIn(source, from, address, outer, inner, features);
      return;
    }
    // One copy of all, then the module turns it: row by row from JavaScript took over 4 % of a training step at hidden size 128.
    floats(staging, count).set(run(source, from, count));
    turn(staging, address, outer, inner, features);
  } else {
    eachRow(type, sizes, (inCallers, inMemory, features) => {
      for (let i = 0; i < features; i++) target[inMemory + i] = source[from + inCallers + i]!;
    });
  }
}

/** Reads into `target` from its element `from` on. */
export function readTensor(place: Place, target: Float32Array, from: number, type: TensorType, sizes: AxisSizes): void {
  const { floats, address, staging, turn } = place;
  const count = elementCount(type, sizes);
  const source = floats(address, count);
  if (type.axes.length < 2) target.set(source, from);
  else if (type.axes.length === 2) {
    turn(address, staging, sizeOf(type.axes[1]!, sizes), sizeOf(type.axes[0]!, sizes), product(type.shape));
    target.set(floats(staging, count), from);
  } else {
    eachRow(type, sizes, (inCallers, inMemory, features) => {
      for (let i = 0; i < features; i++) target[from + inCallers + i] = source[inMemory + i]!;
    });
  }
}

/** Writes these rows of a tensor with a batch axis, in their order. */
export function writeSorted(
  target: Float32Array,
  source: Numbers,
  { positions }: ShardOrder,
  type: TensorType,
  sizes: AxisSizes,
): void {
  const visit = (inCallers: number, inMemory: number, features: number) => {
    for (let i = 0; i < features; i++) target[inMemory + i] = source[inCallers + i]!;
  };
  eachRow(type, sizes, visit, positions);
}

/** Reads into these rows of a tensor with a batch axis. */
export function readSorted(
  memory: Float32Array,
  target: Float32Array,
  { positions }: ShardOrder,
  type: TensorType,
  sizes: AxisSizes,
): void {
  const visit = (inCallers: number, inMemory: number, features: number) => {
    for (let i = 0; i < features; i++) target[inCallers + i] = memory[inMemory + i]!;
  };
  eachRow(type, sizes, visit, positions);
}

/** Bytes that `Place.staging` needs for a tensor of this type. */
export function stagingBytes(type: TensorType, sizes: AxisSizes): number {
  return type.axes.length === 2 ? 4 * elementCount(type, sizes) : 0;
}

function run(source: Numbers, from: number, count: number): Numbers {
  if (source.length === count) return source;
  return "subarray" in source ? source.subarray(from, from + count) : source.slice(from, from + count);
}

function eachRow(
  type: TensorType,
  sizes: AxisSizes,
  visit: (inCallers: number, inMemory: number, features: number) => void,
  positions?: Int32Array,
): void {
  const features = product(type.shape);
  const counts = type.axes.map((axis) => sizeOf(axis, sizes));
  const memoryStrides: number[] = [];
  let stride = features;
  for (const [i, count] of counts.entries()) {
    memoryStrides[i] = stride;
    stride *= count;
  }
  const walk = (axis: number, inCallers: number, inMemory: number): number => {
    if (axis === counts.length) {
      visit(inCallers, inMemory, features);
      return inCallers + features;
    }
    let next = inCallers;
    for (let i = 0; i < counts[axis]!; i++) next = walk(axis + 1, next, inMemory + i * memoryStrides[axis]!);
    return next;
  };
  if (positions === undefined) {
    walk(0, 0, 0);
    return;
  }
  const perRow = product(counts.slice(1)) * features;
  positions.forEach((position, row) => {
    walk(1, position * perRow, row * features); // The batch is the first of the axes, and the innermost in memory.
  });
}

/** Writes the true steps of these rows of [batch, axis, features]: the rows alive at each step, one step behind the other. */
export function writePacked(place: Place, source: Numbers, steps: number, order: ShardOrder, features: number): void {
  const { floats, address, staging, turn } = place;
  eachRun(order, (first, count, alive) => {
    const staged = floats(staging, alive * count * features);
    for (let row = 0; row < alive; row++) {
      const from = (order.positions[row]! * steps + first) * features;
      staged.set(run(source, from, count * features), row * count * features);
    }
    turn(staging, address + 4 * order.firstRows[first]! * features, alive, count, features);
  });
}

/** Reads true steps into a target that holds 0 at padding. */
export function readPacked(
  place: Place,
  target: Float32Array,
  steps: number,
  order: ShardOrder,
  features: number,
): void {
  const { floats, address, staging, turn } = place;
  eachRun(order, (first, count, alive) => {
    turn(address + 4 * order.firstRows[first]! * features, staging, count, alive, features);
    const staged = floats(staging, alive * count * features);
    for (let row = 0; row < alive; row++) {
      const own = staged.subarray(row * count * features, (row + 1) * count * features);
      target.set(own, (order.positions[row]! * steps + first) * features);
    }
  });
}

/** Steps behind each other in which the same rows are alive lie in memory like a tensor of two axes: `count` from step `first` on. */
function eachRun({ firstRows }: ShardOrder, visit: (first: number, count: number, alive: number) => void): void {
  const aliveAt = (t: number) => firstRows[t + 1]! - firstRows[t]!;
  let first = 0;
  for (let t = 1; t < firstRows.length; t++) {
    if (t < firstRows.length - 1 && aliveAt(t) === aliveAt(first)) continue;
    visit(first, t - first, aliveAt(first));
    first = t;
  }
}
