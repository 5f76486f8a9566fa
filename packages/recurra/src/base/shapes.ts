/** Shapes whose feature sizes are fixed when a model is built, and whose axes (batch, time, …) get a size at run time. */

/** A run-time axis, by name: "batch", "time", "steps". */
export type Axis = string;

/**
 * The type of a tensor: its run-time axes, then its fixed feature sizes. Printed `[batch, time, 12]`.
 * In memory the axes lie in reverse order, the last one outermost: `[batch, time]` is stored time-major, so that one
 * timestep is one contiguous block.
 */
export interface TensorType {
  readonly axes: readonly Axis[];
  readonly shape: readonly number[];
}

export type AxisSizes = Readonly<Record<Axis, number>>;

export const scalarType: TensorType = { axes: [], shape: [1] };

export function formatType({ axes, shape }: TensorType): string {
  return `[${[...axes, ...shape].join(", ")}]`;
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a === b || (sameList(a.axes, b.axes) && sameList(a.shape, b.shape));
}

export function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}

/** Number of elements once the axes have sizes. */
export function elementCount(type: TensorType, sizes: AxisSizes): number {
  return rowCount(type, sizes) * product(type.shape);
}

export function rowCount(type: TensorType, sizes: AxisSizes): number {
  return type.axes.reduce((total, axis) => total * sizeOf(axis, sizes), 1);
}

export function sizeOf(axis: Axis, sizes: AxisSizes): number {
  const size = sizes[axis];
  if (size === undefined) throw new RangeError(`axis "${axis}" has no size`);
  return size;
}

/** The axis that counts the segments an axis is cut into. */
export function segmentsOf(axis: Axis): Axis {
  return `${axis}.segments`;
}

/** The name under which the length of a segment is given: of every segment but the last, which has what is left. */
export function segmentLength(axis: Axis): Axis {
  return `${axis}.segment`;
}

/** Axes in their one canonical order: batch first, the others by name. */
export function orderAxes(axes: Iterable<Axis>): Axis[] {
  return [...new Set(axes)].sort((a, b) => (a === "batch" ? -1 : b === "batch" ? 1 : a < b ? -1 : a > b ? 1 : 0));
}

function isNumber({ axes, shape }: TensorType): boolean {
  return axes.length === 0 && shape.length === 1 && shape[0] === 1;
}

/** Feature shapes align from the right, a size of 1 stretches; axes align by name. `undefined` when they do not fit. */
export function broadcastTypes(a: TensorType, b: TensorType): TensorType | undefined {
  // Most operands are alike, or one is a number.
  if (sameType(a, b) || (isNumber(b) && a.shape.length > 0)) return a;
  if (isNumber(a) && b.shape.length > 0) return b;
  const rank = Math.max(a.shape.length, b.shape.length);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a.shape[a.shape.length - rank + i] ?? 1;
    const right = b.shape[b.shape.length - rank + i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    shape.push(left === 1 ? right : left);
  }
  return { axes: orderAxes([...a.axes, ...b.axes]), shape };
}
