/** The dimensions that a loop counts through, and what parts of it are cut from. */
import { type Access, accessesOf, equalSize, type Loop, type LoopDim, size, times } from "./plan.ts";

const none = size(0);

/** Joins neighbouring dimensions that every access passes through as one: dense tensors become a single run. */
export function collapse(dims: readonly LoopDim[], accesses: readonly Access[]): readonly LoopDim[] {
  const joined: LoopDim[] = [];
  for (const dim of [...dims].reverse()) {
    const inner = joined[0];
    const joins =
      inner !== undefined &&
      accesses.every(({ strides }) =>
        equalSize(strides[dim.name] ?? none, times(strides[inner.name] ?? none, inner.size)),
      );
    if (joins) joined[0] = { name: inner.name, size: times(dim.size, inner.size) };
    else joined.unshift(dim);
  }
  return joined;
}

/** How many elements a loop goes through, undefined where that is not known before it runs. */
export function elementsOf({ dims }: Loop): number | undefined {
  if (dims.some(({ size }) => size.axes.length > 0)) return undefined;
  return dims.reduce((product, { size }) => product * size.coefficient, 1);
}

/** Elements of a part are whole cache lines. */
const partUnit = 16;

/** What parts of a loop are cut from: its outermost dimension, at multiples of `unit`. Positions are not counted in it. */
export function cutOf(loop: Loop): { readonly outermost: LoopDim; readonly unit: number } {
  const dims = collapse(loop.dims, accessesOf(loop));
  return { outermost: dims[0]!, unit: dims.length === 1 ? partUnit : 1 };
}
