/** Cells of a table to columns and matrices over the timesteps of one series. */
import type { SeriesRows } from "./grid.ts";
import { addSteps, type Interval } from "./interval.ts";

/** Cells to their timesteps; NaN where a timestep has no row. */
export function spread(values: Float64Array, { rows, positions }: SeriesRows): Float64Array {
  const column = new Float64Array(positions.at(-1)! + 1).fill(Number.NaN);
  for (let k = 0; k < rows.length; k++) column[positions[k]!] = values[rows[k]!]!;
  return column;
}

export function spreadLabels(
  labels: readonly (string | null)[],
  { rows, positions }: SeriesRows,
): readonly (string | null)[] {
  const column = new Array<string | null>(positions.at(-1)! + 1).fill(null);
  for (let k = 0; k < rows.length; k++) column[positions[k]!] = labels[rows[k]!] ?? null;
  return column;
}

/** [first, end) of the timesteps for which `given` holds; [0, 0] when there is none. */
export function extent(timesteps: number, given: (t: number) => boolean): readonly [first: number, end: number] {
  let first = 0;
  while (first < timesteps && !given(first)) first++;
  if (first === timesteps) return [0, 0];
  let end = timesteps;
  while (!given(end - 1)) end--;
  return [first, end];
}

/** The times of all timesteps of the grid. */
export function gridTimes({ positions, times }: SeriesRows, interval: Interval): Float64Array {
  const all = new Float64Array(positions.at(-1)! + 1);
  for (let k = 0; k < positions.length; k++) {
    const end = positions[k + 1] ?? positions[k]! + 1;
    // Steps without a row are counted from the row before them.
    for (let t = positions[k]!; t < end; t++)
      all[t] = t === positions[k] ? times![k]! : addSteps(interval, times![k]!, t - positions[k]!);
  }
  return all;
}

/** [timesteps, columns]: 1 where a value is given; undefined when all are. */
export function observedMatrix(columns: readonly Float64Array[], first: number, end: number): Uint8Array | undefined {
  const observed = new Uint8Array((end - first) * columns.length);
  for (let t = first; t < end; t++) {
    for (let k = 0; k < columns.length; k++) {
      observed[(t - first) * columns.length + k] = Number.isNaN(columns[k]![t]) ? 0 : 1;
    }
  }
  return observed.includes(0) ? observed : undefined;
}

/** Columns side by side: [timesteps, columns]. */
export function interleave(columns: readonly Float64Array[], timesteps: number): Float64Array {
  const matrix = new Float64Array(timesteps * columns.length);
  for (const [k, column] of columns.entries()) {
    for (let t = 0; t < timesteps; t++) matrix[t * columns.length + k] = column[t]!;
  }
  return matrix;
}
