/** Rows to timesteps: which rows make a series, in which order, and where the regular grid of times has gaps. */
import { DataError } from "../base/errors.ts";
import { formatInterval, type Interval, inferInterval, stepsBetween, weekdaysBetween } from "./interval.ts";
import type { Roles } from "./roles.ts";
import { cellLabel, labelsOf, rowLabel, type Table, timesOf } from "./table.ts";
import { formatDuration, formatTime } from "./time.ts";

/** The id of the series when all rows are one: not the file name, which is another one at prediction. */
export const onlySeries = "series";

/** The rows of one series on its grid. */
export interface SeriesRows {
  readonly id: string;
  /** Rows of the table, in order of time. */
  readonly rows: Int32Array;
  /** The timestep of each row: 0, 1, 2, …, with jumps where timesteps are missing. */
  readonly positions: Int32Array;
  /** Timestamps of the rows in milliseconds; undefined without a time column. */
  readonly times: Float64Array | undefined;
}

export interface Grid {
  readonly interval: Interval;
  readonly series: readonly SeriesRows[];
  /** Timesteps between rows that have none, over all series. */
  readonly insertedSteps: number;
  readonly notes: readonly string[];
}

/**
 * Groups the rows by series and lays each group on a regular grid, of the `given` interval or else the usual one.
 * @throws DataError for missing series names or times, for times that are unsorted, double or off the grid of the usual
 * interval, for gaps when `missing` is "error", and when more timesteps are missing than there are rows.
 */
export function layGrid(table: Table, roles: Roles, missing: "interpolate" | "mask" | "error", given?: Interval): Grid {
  const groups = groupRows(table, roles.series);
  if (roles.time === undefined) {
    const series = groups.map(({ id, rows }) => ({ id, rows, positions: rows.map((_, k) => k), times: undefined }));
    const notes = ["no time column: rows are taken as timesteps in the order given"];
    return { interval: { kind: "index" }, series, insertedSteps: 0, notes };
  }
  const column = roles.time;
  const allTimes = timesOf(table, column);
  const timed = groups.map(({ id, rows }) => {
    const where = (k: number) =>
      `${cellLabel(table, rows[k]!, column)}${roles.series === undefined ? "" : ` of series "${id}"`}`;
    const times = Float64Array.from(rows, (row) => allTimes[row]!);
    const rowBefore = (k: number) => rowLabel(table, rows[k - 1]!);
    checkOrder(times, where, rowBefore);
    return { id, rows, times, where };
  });
  const interval = given ?? inferInterval(timed.map(({ times }) => times));
  if (given === undefined) refuseIrregular(`${table.source}: column ${column}`, timed, interval);
  const series = timed.map(({ id, rows, times, where }) => {
    return { id, rows, times, positions: gridPositions(times, interval, where, missing) };
  });
  return { interval, series, ...reportGaps(table, series, interval, roles.series !== undefined) };
}

function groupRows(table: Table, series: string | undefined): readonly { id: string; rows: Int32Array }[] {
  if (series === undefined)
    return [{ id: onlySeries, rows: Int32Array.from({ length: table.rowCount }, (_, row) => row) }];
  const groups = new Map<string, number[]>();
  const labels = labelsOf(table, series);
  for (let row = 0; row < table.rowCount; row++) {
    const id = labels[row] ?? null;
    if (id === null) {
      throw new DataError({
        where: cellLabel(table, row, series),
        given: "empty",
        expected: "the name of the series the row belongs to",
        mend: "fill it in, or leave the row out",
      });
    }
    const rows = groups.get(id);
    if (rows === undefined) groups.set(id, [row]);
    else rows.push(row);
  }
  return Array.from(groups, ([id, rows]) => ({ id, rows: Int32Array.from(rows) }));
}

function checkOrder(times: Float64Array, where: (k: number) => string, rowBefore: (k: number) => string): void {
  for (let k = 0; k < times.length; k++) {
    const time = times[k]!;
    if (Number.isNaN(time)) {
      throw new DataError({
        where: where(k),
        given: "empty",
        expected: "a time",
        mend: "fill it in, or leave the row out",
      });
    }
    if (k === 0 || time > times[k - 1]!) continue;
    if (time === times[k - 1]) {
      throw new DataError({
        where: where(k),
        given: `${formatTime(time)}, the time of ${rowBefore(k)} again`,
        expected: "one row for each time",
        mend: "keep one of the rows; if the table holds several series, name the column that tells them apart (option series)",
      });
    }
    throw new DataError({
      where: where(k),
      given: `${formatTime(time)}, earlier than ${rowBefore(k)} with ${formatTime(times[k - 1]!)}`,
      expected: "times in ascending order",
      mend: "sort the rows by time; if the table holds several series, name the column that tells them apart (option series)",
    });
  }
}

/** The usual interval of times without a pattern is an accident: to complain about the first that does not fit would mislead. */
function refuseIrregular(where: string, timed: readonly { readonly times: Float64Array }[], interval: Interval): void {
  if (interval.kind !== "fixed") return;
  let [steps, onGrid, usual] = [0, 0, 0];
  for (const { times } of timed) {
    for (let k = 1; k < times.length; k++) {
      const count = stepsBetween(interval, times[k - 1]!, times[k]!);
      steps++;
      if (count !== undefined) onGrid++;
      if (count === 1) usual++;
    }
  }
  if (onGrid >= steps / 2) return;
  throw new DataError({
    where,
    given: `irregular: its most common step, ${formatInterval(interval)}, is only ${usual} of ${steps}`,
    expected: "times at one interval",
    mend: "resample the data to one interval, or leave the column out to take each row as one timestep",
  });
}

function gridPositions(
  times: Float64Array,
  interval: Interval,
  where: (k: number) => string,
  missing: "interpolate" | "mask" | "error",
): Int32Array {
  const positions = new Int32Array(times.length);
  for (let k = 1; k < times.length; k++) {
    const steps = stepsBetween(interval, times[k - 1]!, times[k]!);
    if (steps === 1 || (steps !== undefined && missing !== "error")) {
      positions[k] = positions[k - 1]! + steps;
      continue;
    }
    const isGap = steps !== undefined;
    throw new DataError({
      where: where(k),
      given: `${formatTime(times[k]!)}, ${formatDuration(times[k]! - times[k - 1]!)} after the row before it`,
      expected: isGap
        ? `${formatInterval(interval)} after it (the usual interval)`
        : `a whole number of steps of ${formatInterval(interval)} after it (the usual interval)`,
      mend: isGap
        ? 'add the missing rows, or choose "interpolate" or "mask" for what is missing'
        : "resample the data to one interval, or correct this time",
    });
  }
  return positions;
}

function reportGaps(
  table: Table,
  series: readonly SeriesRows[],
  interval: Interval,
  many: boolean,
): { insertedSteps: number; notes: readonly string[] } {
  if (interval.kind === "businessDays") {
    const left = series.reduce((sum, { times = new Float64Array() }) => {
      return sum + times.reduce((days, time, k) => (k === 0 ? 0 : days + weekdaysBetween(times[k - 1]!, time)), 0);
    }, 0);
    return {
      insertedSteps: 0,
      notes: [`business days: weekends are left out, and ${left} ${left === 1 ? "weekday" : "weekdays"} without a row`],
    };
  }
  const missingIn = ({ rows, positions }: SeriesRows) => (positions.at(-1) ?? 0) + 1 - rows.length;
  const gappy = series.filter((one) => missingIn(one) > 0);
  const insertedSteps = gappy.reduce((sum, one) => sum + missingIn(one), 0);
  const first = gappy[0];
  if (first === undefined) return { insertedSteps, notes: [] };
  const k = first.positions.findIndex((position, k) => position !== k) - 1;
  if (insertedSteps > table.rowCount) {
    throw new DataError({
      where: `${rowLabel(table, first.rows[k]!)}: the time after ${formatTime(first.times![k]!)}`,
      given: `the first of ${insertedSteps} timesteps without a row, more than the ${table.rowCount} rows there are`,
      expected: `a row every ${formatInterval(interval)}, with few missing`,
      mend: "resample the data to a longer interval",
    });
  }
  const [noun, verb] = insertedSteps === 1 ? ["timestep", "is"] : ["timesteps", "are"];
  const place = many ? ` in ${gappy.length} series, the first in ${first.id}` : ", the first";
  return {
    insertedSteps,
    notes: [
      `${insertedSteps} missing ${noun} of ${formatInterval(interval)} ${verb} inserted${place} after ${formatTime(first.times![k]!)}`,
    ],
  };
}
