/** The database that reads everything: opened in memory for one table, closed after it. */
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";

export type Database = DuckDBConnection;

export async function withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(":memory:");
  const database = await instance.connect();
  try {
    // Times without a zone are UTC, on every machine.
    await database.run("SET TimeZone = 'UTC'");
    return await work(database);
  } finally {
    database.closeSync();
    instance.closeSync();
  }
}

/** All rows of a small answer. */
export async function query(database: Database, sql: string): Promise<readonly (readonly DuckDBValue[])[]> {
  return (await database.runAndReadAll(sql)).getRows();
}

/** Visits the columns of a large answer chunk by chunk. */
export async function stream(
  database: Database,
  sql: string,
  visit: (column: number, values: readonly DuckDBValue[], firstRow: number) => void,
): Promise<void> {
  const result = await database.stream(sql);
  let firstRow = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return;
    for (let column = 0; column < chunk.columnCount; column++) visit(column, chunk.getColumnValues(column), firstRow);
    firstRow += chunk.rowCount;
  }
}

/** Columns in groups that one query can ask about at once: planning time grows faster than their number. */
export function* batches<T>(columns: readonly T[], size = 32): Generator<readonly T[]> {
  for (let start = 0; start < columns.length; start += size) yield columns.slice(start, start + size);
}

/** A string as SQL text. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The first line of what DuckDB says went wrong; the rest shows SQL that the user did not write. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split("\n")[0] ?? message).trim().replace(/[.!]$/, "");
}
