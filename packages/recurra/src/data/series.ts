/** From a table to series: matrices by role on a regular grid, with missing values filled and everything found reported. */
import { DataError } from "../base/errors.ts";
import { extent, gridTimes, interleave, observedMatrix, spread, spreadLabels } from "./columns.ts";
import { type Grid, layGrid, type SeriesRows } from "./grid.ts";
import type { Interval } from "./interval.ts";
import { fillMissing } from "./missing.ts";
import { type Roles, resolveRoles, type SeriesOptions } from "./roles.ts";
import { cellLabel, labelsOf, numbersOf, rowLabel, type Table } from "./table.ts";

/** One series. Matrices are row by row: value (t, column) is at t · columns + column. */
export interface Series {
  /** Its name in the series column; `onlySeries` without one. */
  readonly id: string;
  /** Timesteps whose targets are known, at least one. */
  readonly timesteps: number;
  /** `timesteps` plus those at the end of which only the future covariates are known. */
  readonly knownTimesteps: number;
  /** Milliseconds UTC of the known timesteps; undefined without a time column. */
  readonly times: Float64Array | undefined;
  /** [timesteps, targets] */
  readonly targets: Float64Array;
  /** [timesteps, targets]: 1 where the target was given, 0 where it was filled. Undefined when all were given. */
  readonly observed: Uint8Array | undefined;
  /** [timesteps, past covariates] */
  readonly pastCovariates: Float64Array;
  /** [knownTimesteps, future covariates] */
  readonly futureCovariates: Float64Array;
  /** [static covariates] */
  readonly staticCovariates: Float64Array;
  /** [column][timesteps]; null where missing. */
  readonly pastCategories: readonly (readonly (string | null)[])[];
  /** [column][knownTimesteps] */
  readonly futureCategories: readonly (readonly (string | null)[])[];
  /** [column] */
  readonly staticCategories: readonly (string | null)[];
}

export interface SeriesSet {
  /** What messages call the data. */
  readonly source: string;
  readonly roles: Roles;
  readonly interval: Interval;
  /** At least one. In order of first appearance. */
  readonly series: readonly Series[];
  /** What was found and done, for people: "OT: 12 missing values interpolated". */
  readonly notes: readonly string[];
}

/**
 * Reads the series of a table: groups rows, lays them on a regular grid, sorts columns by role and fills what is missing.
 *
 * Missing values are NaN or whole timesteps without a row. "interpolate" draws a line between the neighbours that are
 * there, and repeats the nearest one at the ends; mind that a value filled this way knows the value after it. "mask"
 * repeats the value before and so never looks ahead. Both record in `observed` which targets were given, and in `notes` how many
 * values of each column were filled. Covariates are filled in the same way; missing categories stay null.
 * Timesteps before the first and after the last target are left out, but those at the end with
 * future covariates are kept as known future. A series without any target value is left out where there are others.
 * @throws DataError naming source, row and column: see `layGrid`, `resolveRoles` and `numbersOf`; also for an empty table, missing
 * values under "error", a covariate without any value, and a static covariate that changes within a series.
 */
export function readSeries(table: Table, options: SeriesOptions): SeriesSet {
  if (table.rowCount === 0 || table.columns.length === 0) {
    throw new DataError({
      where: table.source,
      given: "empty",
      expected: "at least one row below the column names",
      mend: "check that the right data was given and that it was written to the end",
    });
  }
  const roles = resolveRoles(table, options);
  const missing = options.missing ?? "interpolate";
  const grid = layGrid(table, roles, missing, options.interval);
  const columns = readColumns(table, roles);
  if (missing === "error") refuseMissing(table, roles, columns, grid);
  const tally: Tally = { filled: new Map(), unknown: new Map(), before: 0, after: 0, empty: [] };
  const method = missing === "interpolate" ? "linear" : "previous";
  const series = grid.series.flatMap((rows) => assemble({ table, roles, columns, grid, rows, method, tally }) ?? []);
  if (series.length === 0) {
    const where = `${table.source}: column ${roles.targets.join(", ")}`;
    throw new DataError({
      where,
      given: "empty",
      expected: "numbers to learn from",
      mend: "choose another target, or fill the column",
    });
  }
  const notes = [...grid.notes, ...reportFilling(roles, missing, tally)];
  return { source: table.source, roles, interval: grid.interval, series, notes };
}

interface Tally {
  readonly filled: Map<string, number>;
  readonly unknown: Map<string, number>;
  before: number;
  after: number;
  readonly empty: string[];
}

interface Columns {
  readonly numbers: ReadonlyMap<string, Float64Array>;
  readonly labels: ReadonlyMap<string, readonly (string | null)[]>;
}

interface Assembly {
  readonly table: Table;
  readonly roles: Roles;
  readonly columns: Columns;
  readonly grid: Grid;
  readonly rows: SeriesRows;
  readonly method: "linear" | "previous";
  readonly tally: Tally;
}

function readColumns(table: Table, roles: Roles): Columns {
  const numeric = [...roles.targets, ...roles.pastCovariates, ...roles.futureCovariates, ...roles.staticCovariates];
  const labels = [...roles.pastCategories, ...roles.futureCategories, ...roles.staticCategories];
  return {
    numbers: new Map(numeric.map((name) => [name, numbersOf(table, name)])),
    labels: new Map(labels.map((name) => [name, labelsOf(table, name)])),
  };
}

/** One series, or undefined when no row of it has a target. */
function assemble(assembly: Assembly): Series | undefined {
  const { table, roles, columns, grid, rows, method, tally } = assembly;
  const gridded = (name: string) => spread(columns.numbers.get(name)!, rows);
  const targets = roles.targets.map(gridded);
  const future = roles.futureCovariates.map(gridded);
  const futureCategories = roles.futureCategories.map((name) => spreadLabels(columns.labels.get(name)!, rows));

  const [first, end] = extent(rows.positions.at(-1)! + 1, (t) => targets.some((column) => !Number.isNaN(column[t])));
  if (first === end || targets.some((column) => column.every(Number.isNaN))) {
    tally.empty.push(rows.id);
    if (grid.series.length > 1) return undefined;
    const name = roles.targets.find((_, k) => targets[k]!.every(Number.isNaN))!;
    throw emptyColumn(table, name, roles, rows.id);
  }
  const [, futureEnd] = extent(rows.positions.at(-1)! + 1, (t) => {
    return future.some((column) => !Number.isNaN(column[t])) || futureCategories.some((column) => column[t] !== null);
  });
  const knownEnd = Math.max(end, futureEnd);
  tally.before += first;
  tally.after += rows.positions.at(-1)! + 1 - knownEnd;

  const matrix = (names: readonly string[], gridColumns: readonly Float64Array[], stop: number) => {
    const kept = gridColumns.map((column) => column.slice(first, stop));
    for (const [k, column] of kept.entries()) {
      const count = fillMissing(column, method);
      if (count === column.length && count > 0) throw emptyColumn(table, names[k]!, roles, rows.id);
      add(tally.filled, names[k]!, count);
    }
    return interleave(kept, stop - first);
  };
  const categories = (names: readonly string[], stop: number) => {
    return names.map((name) => {
      const kept = spreadLabels(columns.labels.get(name)!, rows).slice(first, stop);
      add(tally.unknown, name, kept.filter((label) => label === null).length);
      return kept;
    });
  };
  return {
    id: rows.id,
    timesteps: end - first,
    knownTimesteps: knownEnd - first,
    times: rows.times && gridTimes(rows, grid.interval).slice(first, knownEnd),
    observed: observedMatrix(targets, first, end),
    targets: matrix(roles.targets, targets, end),
    pastCovariates: matrix(roles.pastCovariates, roles.pastCovariates.map(gridded), end),
    futureCovariates: matrix(roles.futureCovariates, future, knownEnd),
    staticCovariates: Float64Array.from(roles.staticCovariates, (name) => {
      const value = constantOf(table, name, columns.numbers.get(name)!, rows, Number.isNaN);
      if (value === undefined) throw emptyColumn(table, name, roles, rows.id);
      return value;
    }),
    pastCategories: categories(roles.pastCategories, end),
    futureCategories: categories(roles.futureCategories, knownEnd),
    staticCategories: roles.staticCategories.map((name) => {
      const label = constantOf(table, name, columns.labels.get(name)!, rows, (value) => value === null) ?? null;
      if (label === null) add(tally.unknown, name, 1);
      return label;
    }),
  };
}

function add(counts: Map<string, number>, name: string, count: number): void {
  if (count > 0) counts.set(name, (counts.get(name) ?? 0) + count);
}

function constantOf<T>(
  table: Table,
  name: string,
  cells: ArrayLike<T>,
  { id, rows }: SeriesRows,
  missing: (cell: T) => boolean,
): T | undefined {
  let found: { readonly cell: T; readonly row: number } | undefined;
  for (const row of rows) {
    const cell = cells[row]!;
    if (missing(cell)) continue;
    found ??= { cell, row };
    if (found.cell === cell) continue;
    throw new DataError({
      where: cellLabel(table, row, name),
      given: `${cell}`,
      expected: `${found.cell}, as in ${rowLabel(table, found.row)}: a static covariate is constant within a series (here "${id}")`,
      mend: "make it a past or future covariate",
    });
  }
  return found?.cell;
}

function emptyColumn(table: Table, name: string, roles: Roles, id: string): DataError {
  return new DataError({
    where: `${table.source}: column ${name}${roles.series === undefined ? "" : ` of series "${id}"`}`,
    given: "empty",
    expected: "at least one number",
    mend: "fill it in, or leave it out",
  });
}

function refuseMissing(table: Table, roles: Roles, { numbers, labels }: Columns, { series }: Grid): void {
  const mayEnd = roles.futureCovariates.length + roles.futureCategories.length > 0;
  const targets = roles.targets.map((name) => numbers.get(name)!);
  for (const { rows } of series) {
    const [, end] = extent(rows.length, (k) => targets.some((column) => !Number.isNaN(column[rows[k]!])));
    const endless = new Set([
      ...roles.futureCovariates,
      ...roles.futureCategories,
      ...roles.staticCovariates,
      ...roles.staticCategories,
    ]);
    const refuse = (name: string, isMissing: (row: number) => boolean) => {
      // Known-future rows at the end have no targets and no past covariates, and need none.
      const stop = mayEnd && !endless.has(name) ? end : rows.length;
      const k = rows.subarray(0, stop).findIndex(isMissing);
      if (k < 0) return;
      throw new DataError({
        where: cellLabel(table, rows[k]!, name),
        given: "empty",
        expected: "a value in every row",
        mend: 'fill it in, or choose "interpolate" or "mask" for what is missing',
      });
    };
    for (const [name, column] of numbers) refuse(name, (row) => Number.isNaN(column[row]));
    for (const [name, column] of labels) refuse(name, (row) => column[row] === null);
  }
}

function reportFilling(roles: Roles, missing: "interpolate" | "mask" | "error", tally: Tally): readonly string[] {
  const notes: string[] = [];
  const values = (count: number) => (count === 1 ? "1 missing value" : `${count} missing values`);
  for (const [name, count] of tally.filled) {
    const done =
      missing === "mask" && roles.targets.includes(name)
        ? "masked"
        : missing === "mask"
          ? "filled with the value before"
          : "interpolated";
    notes.push(`${name}: ${values(count)} ${done}`);
  }
  for (const [name, count] of tally.unknown) notes.push(`${name}: ${values(count)} taken as an unknown category`);
  const timesteps = (count: number) => (count === 1 ? "1 timestep" : `${count} timesteps`);
  if (tally.before > 0) notes.push(`${timesteps(tally.before)} before the first target left out`);
  if (tally.after > 0) notes.push(`${timesteps(tally.after)} after the last target left out`);
  if (tally.empty.length > 0) notes.push(`series without a target value left out: ${listNames(tally.empty)}`);
  return notes;
}

/** "A, B, C and 12 more". */
export function listNames(names: readonly string[], limit = 5): string {
  if (names.length <= limit) return names.join(", ");
  return `${names.slice(0, limit).join(", ")} and ${names.length - limit} more`;
}
