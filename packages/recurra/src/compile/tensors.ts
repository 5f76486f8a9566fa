/** Between the callers' order of numbers, [batch, time, features], and the memory's, in which the last axis is outermost. */
import { type AxisSizes, product, sizeOf, type TensorType } from "../base/shapes.ts";
import type { TurnIn } from "./native.ts";
import type { ShardOrder } from "./rowOrder.ts";

/** Numbers in the order of the printed type: [batch, time, features]. */
export type Numbers = Float32Array | Float64Array | readonly number[];

/** A model's memory, and what moves tensors in it. Addresses are in bytes. */
export interface Room {
  /** All of the memory. */
  readonly floats: Float32Array;
  /** Address of free room for a tensor of two axes. */
  readonly staging: number;
  /** Turns [outer, inner, features] at the first address into [inner, outer, features] at the second. */
  readonly turn: (from: number, to: number, outer: number, inner: number, features: number) => void;
  /** The same from an array of the caller's, from one of its elements on; undefined where there are no native kernels. */
  readonly turnIn: TurnIn | undefined;
}

/** The sizes of a tensor, or of some rows of one. */
export interface Extent {
  readonly count: number;
  /** Of its axes, in the callers' order. */
  readonly axes: readonly number[];
  readonly features: number;
  /** Whether both orders are the same: one axis at most is longer than 1. */
  readonly isRun: boolean;
}

export function extentOf(type: TensorType, sizes: AxisSizes): Extent {
  const axes = type.axes.map((axis) => sizeOf(axis, sizes));
  const features = product(type.shape);
  return { count: product(axes) * features, axes, features, isRun: axes.filter((size) => size !== 1).length < 2 };
}

/** Writes `source` from its element `from` on. */
export function writeTensor(room: Room, address: number, source: Numbers, from: number, extent: Extent): void {
  const { floats, staging, turn, turnIn } = room;
  const { count, axes, features } = extent;
  if (extent.isRun) floats.set(run(source, from, count), address / 4);
  else if (axes.length === 2) {
    const [outer, inner] = axes as readonly [number, number];
    if (turnIn !== undefined && source instanceof Float32Array) {
      turnIn(source, from, address, outer, inner, features);
      return;
    }
    // One copy of all, then the module turns it: row by row from JavaScript took over 4 % of a training step at hidden size 128.
    floats.set(run(source, from, count), staging / 4);
    turn(staging, address, outer, inner, features);
  } else {
    const target = view(floats, address, count);
    eachRow(extent, (inCallers, inMemory) => {
      for (let i = 0; i < features; i++) target[inMemory + i] = source[from + inCallers + i]!;
    });
  }
}

/** Reads into `target` from its element `from` on. */
export function readTensor(room: Room, address: number, target: Float32Array, from: number, extent: Extent): void {
  const { floats, staging, turn } = room;
  const { count, axes, features } = extent;
  if (extent.isRun) target.set(view(floats, address, count), from);
  else if (axes.length === 2) {
    turn(address, staging, axes[1]!, axes[0]!, features);
    target.set(view(floats, staging, count), from);
  } else {
    const source = view(floats, address, count);
    eachRow(extent, (inCallers, inMemory) => {
      for (let i = 0; i < features; i++) target[from + inCallers + i] = source[inMemory + i]!;
    });
  }
}

/** Writes these rows of a tensor with a batch axis, in their order. */
export function writeSorted(
  { floats }: Room,
  address: number,
  source: Numbers,
  { positions }: ShardOrder,
  extent: Extent,
): void {
  const target = view(floats, address, extent.count);
  const visit = (inCallers: number, inMemory: number) => {
    for (let i = 0; i < extent.features; i++) target[inMemory + i] = source[inCallers + i]!;
  };
  eachRow(extent, visit, positions);
}

/** Reads into these rows of a tensor with a batch axis. */
export function readSorted(
  { floats }: Room,
  address: number,
  target: Float32Array,
  { positions }: ShardOrder,
  extent: Extent,
): void {
  const source = view(floats, address, extent.count);
  const visit = (inCallers: number, inMemory: number) => {
    for (let i = 0; i < extent.features; i++) target[inCallers + i] = source[inMemory + i]!;
  };
  eachRow(extent, visit, positions);
}

/** Bytes that `Room.staging` needs for a tensor of this type. */
export function stagingBytes(type: TensorType, sizes: AxisSizes): number {
  return type.axes.length === 2 ? 4 * extentOf(type, sizes).count : 0;
}

function view(floats: Float32Array, address: number, count: number): Float32Array {
  return floats.subarray(address / 4, address / 4 + count);
}

function run(source: Numbers, from: number, count: number): Numbers {
  if (source.length === count) return source;
  return "subarray" in source ? source.subarray(from, from + count) : source.slice(from, from + count);
}

function eachRow(
  { axes, features }: Extent,
  visit: (inCallers: number, inMemory: number) => void,
  positions?: Int32Array,
): void {
  const memoryStrides: number[] = [];
  let stride = features;
  for (const [i, size] of axes.entries()) {
    memoryStrides[i] = stride;
    stride *= size;
  }
  const walk = (axis: number, inCallers: number, inMemory: number): number => {
    if (axis === axes.length) {
      visit(inCallers, inMemory);
      return inCallers + features;
    }
    let next = inCallers;
    for (let i = 0; i < axes[axis]!; i++) next = walk(axis + 1, next, inMemory + i * memoryStrides[axis]!);
    return next;
  };
  if (positions === undefined) {
    walk(0, 0, 0);
    return;
  }
  const perRow = product(axes.slice(1)) * features;
  positions.forEach((position, row) => {
    walk(1, position * perRow, row * features); // The batch is the first of the axes, and the innermost in memory.
  });
}

/** Writes the true steps of these rows of [batch, axis, features]: the rows alive at each step, one step behind the other. */
export function writePacked(
  room: Room,
  address: number,
  source: Numbers,
  steps: number,
  order: ShardOrder,
  features: number,
): void {
  const { floats, staging, turn } = room;
  eachRun(order, (first, count, alive) => {
    for (let row = 0; row < alive; row++) {
      const from = (order.positions[row]! * steps + first) * features;
      floats.set(run(source, from, count * features), staging / 4 + row * count * features);
    }
    turn(staging, address + 4 * order.firstRows[first]! * features, alive, count, features);
  });
}

/** Reads true steps into a target that holds 0 at padding. */
export function readPacked(
  room: Room,
  address: number,
  target: Float32Array,
  steps: number,
  order: ShardOrder,
  features: number,
): void {
  const { floats, staging, turn } = room;
  eachRun(order, (first, count, alive) => {
    turn(address + 4 * order.firstRows[first]! * features, staging, count, alive, features);
    for (let row = 0; row < alive; row++) {
      const own = view(floats, staging + 4 * row * count * features, count * features);
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
