/**
 * Packing: rows of a batch that have lengths along an axis, sorted by falling length, step by step without padding.
 *
 *     lengths 4 3 1:     t = 0: rows 0 1 2    t = 1: rows 0 1    t = 2: rows 0 1    t = 3: row 0
 *
 * The rows that are alive are always the first. Two sizes come with it, named like axes: that of all steps together, and that of
 * the step a scan is at.
 */
import type { Axis, TensorType } from "./shapes.ts";

export interface Packing {
  readonly axis: Axis;
  /** The input [batch, 1] that holds the lengths. */
  readonly lengths: string;
}

/** The one axis that stands for [batch, axis]: the rows alive at each step, one step behind the other. */
export function packedAxis(axis: Axis): Axis {
  return `${axis}.packed`;
}

/** The rows alive at the current step. */
export function aliveAxis(axis: Axis): Axis {
  return `${axis}.alive`;
}

/** The steps in which a row is alive. */
export function stepsAxis(axis: Axis): Axis {
  return `${axis}.steps`;
}

/** Whether values of this type are packed. */
export function isPackedType({ axes }: TensorType, axis: Axis): boolean {
  return axes.includes("batch") && axes.includes(axis);
}

export function isPackedAxis(axis: Axis): boolean {
  return axis.endsWith(".packed");
}
