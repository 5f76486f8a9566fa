/** A table in memory, column by column: what readers produce and preparations consume. */
import { DataError, nearest } from "../base/errors.ts";
import { formatTime } from "./time.ts";

/** Missing entries are NaN in number and time columns and null in text columns. */
export type Column =
  | { readonly name: string; readonly kind: "number"; readonly values: Float64Array }
  | { readonly name: string; readonly kind: "text"; readonly values: readonly (string | null)[] }
  /** Milliseconds since 1970-01-01T00:00Z. Times without a zone are read as UTC. */
  | { readonly name: string; readonly kind: "time"; readonly values: Float64Array };

export interface Table {
  /** What messages call it: a file name, a glob, "the SQL query", "the given rows". */
  readonly source: string;
  readonly rowCount: number;
  readonly columns: readonly Column[];
  /** How a message names row `row` (0-based): "data.csv: line 14". Default: `${source}: row ${row + 1}`. */
  readonly rowLabel?: (row: number) => string;
}

/** What messages call row `row`, counted from 0 here and from 1 in the words. */
export function rowLabel(table: Table, row: number): string {
  return table.rowLabel?.(row) ?? `${table.source}: row ${row + 1}`;
}

/** What messages call one cell: "data.csv: line 14, column OT". */
export function cellLabel(table: Table, row: number, column: string): string {
  return `${rowLabel(table, row)}, column ${column}`;
}

/**
 * The column called `name`.
 * @throws DataError when there is none, with the nearest name, or when two columns share the name.
 */
export function findColumn(table: Table, name: string): Column {
  const [found, second] = table.columns.filter((column) => column.name === name);
  if (found !== undefined && second === undefined) return found;
  const where = `${table.source}: column "${name}"`;
  if (found !== undefined) {
    throw new DataError({
      where,
      given: "there twice",
      expected: "one column of each name",
      mend: "rename one of them",
    });
  }
  const known = table.columns.map((column) => column.name);
  const near = nearest(name, known);
  const mend = near === undefined ? "check the spelling, or add the column" : `did you mean "${near}"?`;
  throw new DataError({ where, given: "missing", expected: `one of ${known.join(", ")}`, mend });
}

/**
 * The numbers of a column; missing entries are NaN.
 * @throws DataError when there is no such column, or at its first cell that is text, a time or infinite.
 */
export function numbersOf(table: Table, name: string): Float64Array {
  const column = findColumn(table, name);
  if (column.kind === "number") {
    const row = column.values.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
    if (row < 0) return column.values;
    throw notANumber(table, name, row, `${column.values[row]}`, "write a finite number, or leave the cell empty");
  }
  if (column.kind === "time") {
    const row = Math.max(0, firstGiven(column.values, Number.isNaN));
    throw notANumber(table, name, row, `the time ${formatTime(column.values[row]!)}`, "choose a column of numbers");
  }
  // The cell that made the whole column text is the one to show, and not "3.5" in the first row.
  const first = column.values.findIndex((value) => value !== null && !isNumeral(value));
  const row =
    first >= 0
      ? first
      : Math.max(
          0,
          firstGiven(column.values, (value) => value === null),
        );
  const mend = first >= 0 ? "write a number, or leave the cell empty" : "convert the column to numbers when reading it";
  throw notANumber(table, name, row, `the text "${column.values[row] ?? ""}"`, mend);
}

/**
 * The times of a column in milliseconds since 1970-01-01T00:00Z; missing entries are NaN.
 * @throws DataError when there is no such column, or at its first cell that is no time.
 */
export function timesOf(table: Table, name: string): Float64Array {
  const column = findColumn(table, name);
  if (column.kind === "time") return column.values;
  const isText = column.kind === "text";
  const row = Math.max(
    0,
    isText ? firstGiven(column.values, (v) => v === null) : firstGiven(column.values, Number.isNaN),
  );
  throw new DataError({
    where: cellLabel(table, row, name),
    given: isText ? `the text "${column.values[row] ?? ""}"` : `the number ${column.values[row]}`,
    expected: "a time such as 2016-07-01 or 2016-07-01 13:00",
    mend: "write the times year first, or choose another time column",
  });
}

/** The entries of a column of any kind as words: numbers and times are printed, missing entries are null. */
export function labelsOf(table: Table, name: string): readonly (string | null)[] {
  const column = findColumn(table, name);
  if (column.kind === "text") return column.values;
  const print = column.kind === "time" ? formatTime : String;
  return Array.from(column.values, (value) => (Number.isNaN(value) ? null : print(value)));
}

function firstGiven<T>(
  values: { findIndex(test: (value: T) => boolean): number },
  missing: (value: T) => boolean,
): number {
  return values.findIndex((value) => !missing(value));
}

function isNumeral(text: string): boolean {
  return text.trim() === "" || Number.isFinite(Number(text));
}

function notANumber(table: Table, name: string, row: number, given: string, mend: string): DataError {
  return new DataError({ where: cellLabel(table, row, name), given, expected: "a number", mend });
}
