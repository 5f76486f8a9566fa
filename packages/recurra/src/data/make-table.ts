/** Tables from values in memory: rows as objects, or columns as arrays. The kind of each column is found from its cells. */
import { DataError } from "../base/errors.ts";
import { type Column, cellLabel, type Table } from "./table.ts";
import { formatTime, parseTime } from "./time.ts";

/**
 * A table from objects, one per row: `tableFromRows([{ date: "2020-01-01", sales: 12 }, …])`.
 *
 * Columns are the keys of all rows in order of first appearance. A column of numbers, bigints and booleans (1 and 0) is
 * a number column; of Date objects and ISO 8601 text a time column; of other text a text column. `null`, `undefined`, NaN,
 * a key that is absent and, outside of text columns, empty text are missing.
 * @throws DataError at the first cell that does not fit its column: text among numbers, an object, an invalid Date.
 */
export function tableFromRows(rows: readonly Readonly<Record<string, unknown>>[], source = "the given rows"): Table {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  const empty: Table = { source, rowCount: rows.length, columns: [] };
  const columns = Array.from(names, (name) => {
    return toColumn(
      empty,
      name,
      rows.map((row) => row[name]),
    );
  });
  return { ...empty, columns };
}

/**
 * A table from arrays of equal length, one per column. Cells are read as in `tableFromRows`.
 * @throws DataError when the lengths differ, and at the first cell that does not fit its column.
 */
export function tableFromColumns(
  columns: Readonly<Record<string, ArrayLike<unknown>>>,
  source = "the given columns",
): Table {
  const entries = Object.entries(columns);
  const rowCount = entries[0]?.[1].length ?? 0;
  const empty: Table = { source, rowCount, columns: [] };
  for (const [name, values] of entries) {
    if (values.length === rowCount) continue;
    throw new DataError({
      where: `${source}: column ${name}`,
      given: `${values.length} long`,
      expected: `${rowCount} values, as in column ${entries[0]![0]}`,
      mend: "give each column a value for every row; null where it is missing",
    });
  }
  return { ...empty, columns: entries.map(([name, values]) => toColumn(empty, name, Array.from(values))) };
}

type CellKind = "missing" | "empty" | "number" | "date" | "iso" | "text" | "other";

function cellKind(value: unknown): CellKind {
  if (value === null || value === undefined || Number.isNaN(value)) return "missing";
  if (typeof value === "number" || typeof value === "boolean") return "number";
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? "number" : "other";
  if (value instanceof Date) return Number.isFinite(value.getTime()) ? "date" : "other";
  if (typeof value !== "string") return "other";
  if (value.trim() === "") return "empty";
  return parseTime(value) === undefined ? "text" : "iso";
}

function toColumn(table: Table, name: string, cells: readonly unknown[]): Column {
  const kinds = cells.map(cellKind);
  const has = (kind: CellKind) => kinds.includes(kind);
  const refuse = (fits: readonly CellKind[], expected: string, mend: string) => {
    const row = kinds.findIndex((kind) => kind !== "missing" && kind !== "empty" && !fits.includes(kind));
    if (row < 0) return;
    throw new DataError({ where: cellLabel(table, row, name), given: show(cells[row]), expected, mend });
  };
  if (has("number")) {
    refuse(
      ["number"],
      "a number like the rest of the column",
      "convert it to a number, or give null where it is missing",
    );
    return { name, kind: "number", values: Float64Array.from(cells, toNumber) };
  }
  if (has("date") || (has("iso") && !has("text"))) {
    refuse(["date", "iso"], "a time like the rest of the column", "give a Date, or text such as 2016-07-01 13:00");
    return { name, kind: "time", values: Float64Array.from(cells, toTime) };
  }
  refuse(["text", "iso"], "a number, text, a time or null", "turn it into one of these");
  if (has("text")) return { name, kind: "text", values: cells.map((cell) => (typeof cell === "string" ? cell : null)) };
  return { name, kind: "number", values: new Float64Array(cells.length).fill(Number.NaN) };
}

function toNumber(cell: unknown): number {
  return cell === null || cell === undefined || typeof cell === "string" ? Number.NaN : Number(cell);
}

function toTime(cell: unknown): number {
  if (cell instanceof Date) return cell.getTime();
  return typeof cell === "string" ? (parseTime(cell) ?? Number.NaN) : Number.NaN;
}

function show(cell: unknown): string {
  if (typeof cell === "string") return `the text "${cell}"`;
  if (typeof cell === "number" || typeof cell === "boolean") return `the number ${Number(cell)}`;
  if (typeof cell === "bigint") return `the integer ${cell}, which no double can hold`;
  if (cell instanceof Date)
    return Number.isFinite(cell.getTime()) ? `the time ${formatTime(cell.getTime())}` : "an invalid Date";
  return Array.isArray(cell) ? "a list" : `a value of type ${typeof cell}`;
}
