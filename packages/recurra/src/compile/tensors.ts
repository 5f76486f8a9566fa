/** Between the callers' order of numbers, [batch, time, features], and the memory's, in which the last axis is outermost. */
import { type AxisSizes, product, sizeOf, type TensorType } from "../base/shapes.ts";

/** Numbers in the order of the printed type: [batch, time, features]. */
export type Numbers = Float32Array | Float64Array | readonly number[];

/** Writes `source` from its element `from` on. */
export function writeTensor(
  target: Float32Array,
  source: Numbers,
  from: number,
  type: TensorType,
  sizes: AxisSizes,
): void {
  eachRow(type, sizes, (inCallers, inMemory, features) => {
    for (let i = 0; i < features; i++) target[inMemory + i] = source[from + inCallers + i]!;
  });
}

/** Reads into `target` from its element `from` on. */
export function readTensor(
  memory: Float32Array,
  target: Float32Array,
  from: number,
  type: TensorType,
  sizes: AxisSizes,
): void {
  eachRow(type, sizes, (inCallers, inMemory, features) => {
    for (let i = 0; i < features; i++) target[from + inCallers + i] = memory[inMemory + i]!;
  });
}

function eachRow(
  type: TensorType,
  sizes: AxisSizes,
  visit: (inCallers: number, inMemory: number, features: number) => void,
): void {
  const features = product(type.shape);
  const counts = type.axes.map((axis) => sizeOf(axis, sizes));
  if (counts.length < 2) {
    visit(0, 0, features * (counts[0] ?? 1)); // One axis or none: the same order.
    return;
  }
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
  walk(0, 0, 0);
}
