/** The door of the reading side: files or a query in, a table in memory out. */
import type { Column, Table } from "recurra/data";
import { batches, type Database, stream, withDatabase } from "./duckdb.ts";
import { type ColumnPlan, planColumns } from "./kinds.ts";
import { load } from "./load.ts";
import type { ReadRequest } from "./request.ts";
import { checkTimeFormat } from "./times.ts";
import { readWide } from "./wide.ts";

/**
 * Reads CSV, TSV, Parquet, JSON, JSON Lines, globs of them, or the answer of an SQL query.
 *
 * Columns named in `roles` are what they are needed as, or the first cell that is not is refused with its file, line,
 * column and text. Other columns are numbers or times when every cell is one, else text. Missing in number and time
 * columns: an empty cell, NA, NaN, null, None, N/A. Columns of lists, structs and other kinds are left out unless named.
 * @throws DataError, FormatError, OptionError
 */
export async function readTable({ source, reading, roles }: ReadRequest): Promise<Table> {
  return withDatabase(async (database) => {
    if (reading.timeFormat !== undefined) await checkTimeFormat(database, reading.timeFormat);
    const loaded = await load(database, source, reading);
    if (reading.layout === "wide") return readWide(database, loaded);
    const plans = await planColumns(database, loaded, roles, reading);
    return { ...loaded, columns: await fetchColumns(database, plans, loaded.rowCount) };
  });
}

async function fetchColumns(
  database: Database,
  plans: readonly ColumnPlan[],
  rowCount: number,
): Promise<readonly Column[]> {
  const sinks = plans.map(({ name, kind }) =>
    kind === "text"
      ? { name, kind, values: new Array<string | null>(rowCount).fill(null) }
      : { name, kind, values: new Float64Array(rowCount) },
  );
  for (const few of batches([...plans.entries()])) {
    const cells = few.map(([, { kind, sql }]) => `CAST(${sql} AS ${kind === "text" ? "VARCHAR" : "DOUBLE"})`);
    await stream(database, `SELECT ${cells.join(", ")} FROM source ORDER BY rowid`, (column, values, firstRow) => {
      const sink = sinks[few[column]![0]]!;
      for (const [k, value] of values.entries()) {
        if (sink.kind === "text") sink.values[firstRow + k] = value === null ? null : String(value);
        else sink.values[firstRow + k] = value === null ? Number.NaN : Number(value);
      }
    });
  }
  return sinks;
}
