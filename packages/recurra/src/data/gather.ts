/** Gathering: windows of many series copied into the buffers of one batch, and normalised on the way. No allocation. */
import { InternalError } from "../base/errors.ts";
import type { Windows } from "./windows.ts";

/** Per-window normalisation of each target, from the window's past only. */
export type WindowNormalization = "none" | "last" | "season" | "mean" | "standard";

/** Added to the variance of a window before the root, as in RevIN (Kim et al. 2022): a flat window is not blown up. */
export const varianceEpsilon = 1e-5;

/** Columns `at` … of a buffer [batch, time, features]: several matrices can be gathered side by side into one. */
export interface Slot {
  readonly buffer: Float32Array;
  readonly features: number;
  /** First column to write. Default 0. */
  readonly at?: number;
}

/** Matrices to gather from, one per series of the set: [timesteps, columns]. */
export interface Source {
  readonly matrices: readonly Float64Array[];
  readonly columns: number;
}

export interface TargetSlots {
  /** [batch, past, features] */
  readonly past: Slot;
  /** [batch, horizon, features]; leave it out where the future is not known. */
  readonly future?: Slot;
  /** [batch, targets]: what was subtracted, in the units of the source. */
  readonly offset: Float64Array | Float32Array;
  /** [batch, targets]: what was divided by. A forecast is output · scale + offset. */
  readonly scale: Float64Array | Float32Array;
}

/**
 * Gathers past and future of the picked windows, normalised by the same offset and scale: (x − offset) / scale.
 *
 * none: 0 and 1. last: the last value of the past. season: the mean of its last `season` values. mean: its mean. standard: its mean, and √(variance + 1e-5) with the
 * variance divided by N; the epsilon supposes a source scaled to a deviation near 1. Arithmetic in float64, one rounding at the end.
 * `picks` are window numbers; row r of the batch is window picks[r].
 */
export function gatherTargets(
  source: Source,
  windows: Windows,
  picks: Int32Array,
  normalization: WindowNormalization,
  into: TargetSlots,
  season = 1,
): void {
  const { columns } = source;
  const { past, horizon } = windows;
  checkSlot(into.past, picks.length * past, columns);
  if (into.future !== undefined) checkSlot(into.future, picks.length * horizon, columns);
  for (let row = 0; row < picks.length; row++) {
    const series = windows.series[picks[row]!]!;
    const origin = windows.origin[picks[row]!]!;
    for (let k = 0; k < columns; k++) {
      const column: Column = { matrix: source.matrices[series]!, columns, column: k };
      const offset = windowOffset(column, origin, past, normalization, season);
      const scale = windowScale(column, origin, past, normalization, offset);
      into.offset[row * columns + k] = offset;
      into.scale[row * columns + k] = scale;
      copyInto(into.past, row * past, column, origin - past, past, offset, scale);
      if (into.future !== undefined) copyInto(into.future, row * horizon, column, origin, horizon, offset, scale);
    }
  }
}

/** One of the columns of a matrix [timesteps, columns]. */
export interface Column {
  readonly matrix: Float64Array;
  readonly columns: number;
  readonly column: number;
}

function copyInto(
  { buffer, features, at = 0 }: Slot,
  firstStep: number,
  from: Column,
  start: number,
  count: number,
  offset: number,
  scale: number,
): void {
  copyColumn(from, start, count, offset, scale, buffer, firstStep * features + at + from.column, features);
}

/** `count` timesteps from `start` on, normalised, to every `stride`th element of the buffer from `to` on. */
export function copyColumn(
  { matrix, columns, column }: Column,
  start: number,
  count: number,
  offset: number,
  scale: number,
  buffer: Float32Array,
  to: number,
  stride: number,
): void {
  if (start < 0 || (start + count) * columns > matrix.length) {
    throw new InternalError(`gather: timesteps ${start} to ${start + count} of ${matrix.length / columns}`);
  }
  let from = start * columns + column;
  for (let at = to, end = to + count * stride; at < end; at += stride, from += columns)
    buffer[at] = (matrix[from]! - offset) / scale;
}

/** What is subtracted from a window, see `gatherTargets`. */
export function windowOffset(
  { matrix, columns, column }: Column,
  origin: number,
  past: number,
  normalization: WindowNormalization,
  season: number,
): number {
  if (normalization === "none") return 0;
  if (normalization === "last") return matrix[(origin - 1) * columns + column]!;
  const count = normalization === "season" ? Math.min(season, past) : past;
  const first = (origin - count) * columns + column;
  let sum = 0;
  for (let t = 0; t < count; t++) sum += matrix[first + t * columns]!;
  return sum / count;
}

/** What a window is divided by; `mean` is its offset. */
export function windowScale(
  { matrix, columns, column }: Column,
  origin: number,
  past: number,
  normalization: WindowNormalization,
  mean: number,
): number {
  if (normalization !== "standard") return 1;
  const first = (origin - past) * columns + column;
  let squares = 0;
  for (let t = 0; t < past; t++) {
    const distance = matrix[first + t * columns]! - mean;
    squares += distance * distance;
  }
  return Math.sqrt(squares / past + varianceEpsilon);
}

function checkSlot({ buffer, features, at = 0 }: Slot, steps: number, columns: number): void {
  if (at >= 0 && at + columns <= features && steps * features <= buffer.length) return;
  throw new InternalError(
    `gather: columns ${at} to ${at + columns} of ${steps} steps do not fit into ${buffer.length} values of ${features} features`,
  );
}
