/** Where tensors lie: dense layouts, views of them, and rows as the matrix kernels want them. */
import { type Axis, product, segmentLength, segmentsOf, type TensorType } from "../../../base/shapes.ts";
import { type Access, type BufferId, type Dim, equalSize, type LoopDim, type Size, size, times } from "./plan.ts";

export const noSize: Size = size(0);

/** Names of the feature dimensions, first to last: "#2", "#1". */
export function featureDims(shape: readonly number[]): readonly Dim[] {
  return shape.map((_, i) => `#${shape.length - i}`);
}

/** The index space of a type, outermost first: the last axis outermost, batch innermost of the axes, then the features. */
export function spaceOf(type: TensorType): readonly LoopDim[] {
  return [
    ...[...type.axes].reverse().map((axis) => ({ name: axis, size: size(1, axis) })),
    ...featureDims(type.shape).map((name, i) => ({ name, size: size(type.shape[i]!) })),
  ].filter((dim) => !equalSize(dim.size, size(1)));
}

export function elements(type: TensorType): Size {
  return size(product(type.shape), ...type.axes);
}

/** The whole buffer, densely, in the order of `spaceOf`. */
export function dense(buffer: BufferId, type: TensorType): Access {
  const strides: Record<Dim, Size> = {};
  let stride = size(1);
  for (const dim of [...spaceOf(type)].reverse()) {
    strides[dim.name] = stride;
    stride = times(stride, dim.size);
  }
  return { buffer, offset: 0, start: noSize, strides };
}

/** A tensor of full length as a scan sees it that cuts `axis`: each of its steps begins one segment further on. */
export function inSegments(access: Access, axis: Axis): Access {
  const stride = times(access.strides[axis] ?? noSize, size(1, segmentLength(axis)));
  return { ...access, strides: { ...access.strides, [segmentsOf(axis)]: stride } };
}

/** Slots of `type` along `axis`, one after the other; element t of the view lies in slot t + shift. */
export function slots(buffer: BufferId, type: TensorType, axis: Axis, shift: 0 | 1): Access {
  const step = elements(type);
  return {
    ...dense(buffer, type),
    start: shift === 1 ? step : noSize,
    strides: { ...dense(buffer, type).strides, [axis]: step },
  };
}

/** One slot of the same buffer: the first, or the one behind the last step. */
export function slot(buffer: BufferId, type: TensorType, axis: Axis, which: "first" | "last"): Access {
  return { ...dense(buffer, type), start: which === "first" ? noSize : times(elements(type), size(1, axis)) };
}

/** `count` positions from `start`, `every` so many, of a feature dimension. A single position has no stride: it may be stretched later. */
export function sliced(access: Access, type: TensorType, dim: number, start: number, count: number, every = 1): Access {
  const name = featureDims(type.shape)[dim]!;
  const stride = access.strides[name] ?? size(1);
  const others = Object.fromEntries(Object.entries(access.strides).filter(([other]) => other !== name));
  const strides = count === 1 ? others : { ...others, [name]: times(stride, size(every)) };
  return { ...access, offset: access.offset + start * stride.coefficient, strides };
}

/** The access with other feature sizes, or undefined when its features do not lie next to each other. */
export function reshaped(access: Access, from: TensorType, to: readonly number[]): Access | undefined {
  let expected = 1;
  const names = featureDims(from.shape);
  for (let dim = from.shape.length - 1; dim >= 0; dim--) {
    if (from.shape[dim] === 1) continue;
    if (!equalSize(access.strides[names[dim]!] ?? noSize, size(expected))) return undefined;
    expected *= from.shape[dim]!;
  }
  const strides: Record<Dim, Size> = Object.fromEntries(
    Object.entries(access.strides).filter(([name]) => !name.startsWith("#")),
  );
  let stride = 1;
  for (const [dim, name] of [...featureDims(to).entries()].reverse()) {
    if (to[dim] !== 1) strides[name] = size(stride);
    stride *= to[dim]!;
  }
  return { ...access, strides };
}

/** The rows of a [.., features] tensor, over axes and feature dimensions, as one run with one stride; undefined when they do not lie so. */
export function rowsOf(access: Access, type: TensorType): { count: Size; stride: Size } | undefined {
  const features = type.shape.at(-1)!;
  if (features > 1 && !equalSize(access.strides["#1"] ?? noSize, size(1))) return undefined;
  const rows = spaceOf(type).filter((dim) => dim.name !== "#1");
  const inner = rows.at(-1);
  if (inner === undefined) return { count: size(1), stride: size(features) };
  const innerStride = access.strides[inner.name];
  if (innerStride === undefined) return undefined;
  let count = inner.size;
  for (const dim of [...rows].reverse().slice(1)) {
    if (!equalSize(access.strides[dim.name] ?? noSize, times(innerStride, count))) return undefined;
    count = times(count, dim.size);
  }
  return { count, stride: innerStride };
}

/** Whether both mean the same place, for every element and, unlike `samePlace` of plan.ts, at every step of enclosing scans. */
export function isSameAccess(a: Access | undefined, b: Access): boolean {
  if (a === undefined) return false;
  const dims = new Set([...Object.keys(a.strides), ...Object.keys(b.strides)]);
  return (
    a.buffer === b.buffer &&
    a.offset === b.offset &&
    equalSize(a.start, b.start) &&
    [...dims].every((dim) => equalSize(a.strides[dim] ?? noSize, b.strides[dim] ?? noSize))
  );
}
