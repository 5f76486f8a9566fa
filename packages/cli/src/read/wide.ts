/** One row per series (its name, then its values in time order) turned into one row per timestep. */
import type { DuckDBValue } from "@duckdb/node-api";
import { DataError } from "recurra";
import type { Table } from "recurra/data";
import { type Database, stream } from "./duckdb.ts";
import { badCell, mendNumber, missingWords } from "./kinds.ts";
import type { Loaded } from "./load.ts";
import { wideNames } from "./request.ts";

/** Empty cells at the end of a row are the end of its series. */
export async function readWide(database: Database, loaded: Loaded): Promise<Table> {
  if (loaded.names.length < 2) {
    throw new DataError({
      where: `${loaded.source}: wide layout`,
      given: "a single column",
      expected: "a column of names and at least one column of values",
      mend: "leave out --layout wide when each row is one timestep",
    });
  }
  const rows: DuckDBValue[][] = Array.from({ length: loaded.rowCount }, () => []);
  await stream(database, "SELECT * FROM source ORDER BY rowid", (_, cells, firstRow) => {
    for (const [k, cell] of cells.entries()) rows[firstRow + k]!.push(cell);
  });
  return longTable(loaded, rows.map(parseSeries(loaded)));
}

interface Series {
  readonly name: string;
  readonly values: readonly number[];
}

function parseSeries(loaded: Loaded): (cells: readonly DuckDBValue[], row: number) => Series {
  const firstRows = new Map<string, number>();
  return ([first, ...cells], row) => {
    const name = first === null || first === undefined ? "" : String(first).trim();
    refuseRepeated(loaded, name, row, firstRows.get(name));
    firstRows.set(name, row);
    const values = cells.map((cell, k) =>
      parseNumber(cell, () => `${loaded.rowLabel(row)}, column ${loaded.names[k + 1]}`),
    );
    return { name, values: values.slice(0, values.findLastIndex((value) => !Number.isNaN(value)) + 1) };
  };
}

function refuseRepeated({ rowLabel, names }: Loaded, name: string, row: number, first: number | undefined): void {
  if (name !== "" && first === undefined) return;
  throw new DataError({
    where: `${rowLabel(row)}, column ${names[0]}`,
    given: first === undefined ? "empty" : `"${name}", as in ${rowLabel(first)}`,
    expected: "a different name for each series",
    mend: "give each row its own name, or leave out --layout wide when each row is one timestep",
  });
}

function parseNumber(cell: DuckDBValue, where: () => string): number {
  if (typeof cell === "number" && Number.isFinite(cell)) return cell;
  const text = cell === null ? "" : String(cell).trim();
  if (missingWords.includes(text.toLowerCase())) return Number.NaN;
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  throw badCell(where(), text, "a number", mendNumber(text, false));
}

function longTable({ source, names, rowLabel }: Loaded, all: readonly Series[]): Table {
  const rowCount = all.reduce((sum, { values }) => sum + values.length, 0);
  const rowOf = new Int32Array(rowCount);
  const index = new Float64Array(rowCount);
  const value = new Float64Array(rowCount);
  let at = 0;
  for (const [row, { values }] of all.entries()) {
    rowOf.fill(row, at, at + values.length);
    for (let k = 0; k < values.length; k++) index[at + k] = k;
    value.set(values, at);
    at += values.length;
  }
  return {
    source,
    rowCount,
    columns: [
      { name: wideNames.series, kind: "text", values: Array.from(rowOf, (row) => all[row]!.name) },
      { name: wideNames.index, kind: "number", values: index },
      { name: wideNames.value, kind: "number", values: value },
    ],
    rowLabel: (row) => `${rowLabel(rowOf[row]!)}, column ${names[index[row]! + 1]}`,
  };
}
