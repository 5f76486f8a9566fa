/** Brings files or a query into one DuckDB table, `source`, whose columns are called c0, c1, … in the file's order. */
import { StatementType } from "@duckdb/node-api";
import { DataError, FormatError } from "recurra";
import { type CsvShape, csvError, csvRelation, csvShape, refuseDuplicates } from "./csv.ts";
import { type Database, firstLine, query, quoted } from "./duckdb.ts";
import { type DataFile, findFiles } from "./files.ts";
import { firstLineNotJson, lineOfRow, type TextShape } from "./lines.ts";
import type { DataSource, Reading } from "./request.ts";

export interface Loaded {
  /** What messages call the whole. */
  readonly source: string;
  readonly names: readonly string[];
  /** DuckDB's type names, by column: "VARCHAR", "DOUBLE", "DECIMAL(18,3)". */
  readonly types: readonly string[];
  readonly rowCount: number;
  readonly rowLabel: (row: number) => string;
}

/** The rows that came from one file. */
interface Part {
  readonly file: DataFile;
  readonly firstRow: number;
  readonly text: TextShape | undefined;
}

export async function load(database: Database, source: DataSource, reading: Reading): Promise<Loaded> {
  return source.kind === "sql" ? loadQuery(database, source.sql) : loadFiles(database, source.patterns, reading);
}

async function loadQuery(database: Database, sql: string): Promise<Loaded> {
  const source = "the SQL query";
  const failed = (error: unknown) =>
    new DataError({
      where: source,
      given: `refused by DuckDB (${firstLine(error)})`,
      expected: "one SELECT statement",
      mend: "files are named in single quotes, relative to the working directory: SELECT * FROM 'data.csv'",
      cause: error,
    });
  const text = sql.trim().replace(/;+$/, "");
  const statement = await database.prepare(text).catch((error: unknown) => {
    throw failed(error);
  });
  if (statement.statementType !== StatementType.SELECT) throw failed("it is not a SELECT");
  const names = Array.from({ length: statement.columnCount }, (_, index) => statement.columnName(index));
  refuseDuplicates(source, names);
  await database.run(`CREATE TABLE source (${internalNames(names)}) AS ${text}\n`).catch((error: unknown) => {
    throw failed(error);
  });
  const rowCount = await countRows(database);
  if (rowCount === 0) {
    throw new DataError({
      where: source,
      given: "without rows",
      expected: "at least one row",
      mend: "check its WHERE clause and the files it reads",
    });
  }
  return { source, names, types: await typesOf(database), rowCount, rowLabel: (row) => `${source}: row ${row + 1}` };
}

async function loadFiles(database: Database, patterns: readonly string[], reading: Reading): Promise<Loaded> {
  const files = await findFiles(database, patterns, reading.format);
  const parts: Part[] = [];
  let names: readonly string[] = [];
  let rowCount = 0;
  for (const file of files) {
    const relation = await relationOf(database, file, reading);
    const first = parts[0];
    if (first !== undefined) refuseOtherColumns(first.file, names, file, relation.names);
    const target =
      first === undefined ? `CREATE TABLE source (${internalNames(relation.names)}) AS` : "INSERT INTO source";
    await database.run(`${target} SELECT * FROM ${relation.sql}`).catch((error: unknown) => {
      throw readError(file, error);
    });
    names = relation.names;
    parts.push({ file, firstRow: rowCount, text: relation.text });
    const total = await countRows(database);
    if (total === rowCount) throw withoutRows(file, reading);
    rowCount = total;
  }
  return { source: patterns.join(", "), names, types: await typesOf(database), rowCount, rowLabel: rowLabels(parts) };
}

interface Relation {
  readonly sql: string;
  readonly names: readonly string[];
  readonly text: TextShape | undefined;
}

async function relationOf(database: Database, file: DataFile, reading: Reading): Promise<Relation> {
  switch (file.format) {
    case "csv":
    case "tsv": {
      const shape = await csvShape(database, file, reading.header);
      return { sql: csvRelation(file, shape, reading), names: shape.names, text: textShape(file, shape, reading) };
    }
    case "parquet": {
      const sql = `read_parquet(${quoted(file.path)})`;
      return { sql, names: (await describe(database, file, sql)).map(({ name }) => name), text: undefined };
    }
    case "json":
    case "jsonl": {
      // Types are taken from all rows, and times stay text: DuckDB would drop their zone.
      const options = `format = '${file.format === "jsonl" ? "newline_delimited" : "auto"}'`;
      const columns = await describe(database, file, `read_json(${quoted(file.path)}, ${options}, sample_size = -1)`);
      const typed = columns.map(
        ({ name, type }) => `${quoted(name)}: '${/^(DATE|TIMESTAMP|TIME|UUID)/.test(type) ? "VARCHAR" : type}'`,
      );
      return {
        sql: `read_json(${quoted(file.path)}, ${options}, columns = {${typed.join(", ")}})`,
        names: columns.map(({ name }) => name),
        text:
          file.format === "jsonl" && !file.compressed
            ? { delimiter: undefined, skipped: 0, blankIsRow: false }
            : undefined,
      };
    }
  }
}

function textShape(file: DataFile, { names, delimiter }: CsvShape, { header }: Reading): TextShape | undefined {
  if (file.compressed) return undefined;
  return { delimiter, skipped: header ? 1 : 0, blankIsRow: names.length === 1 };
}

async function describe(
  database: Database,
  file: DataFile,
  relation: string,
): Promise<readonly { name: string; type: string }[]> {
  const rows = await query(database, `DESCRIBE SELECT * FROM ${relation}`).catch((error: unknown) => {
    throw readError(file, error);
  });
  return rows.map(([name, type]) => ({ name: String(name), type: String(type) }));
}

function internalNames(names: readonly string[]): string {
  return names.map((_, index) => `c${index}`).join(", ");
}

async function countRows(database: Database): Promise<number> {
  return Number((await query(database, "SELECT count(*) FROM source"))[0]![0]);
}

async function typesOf(database: Database): Promise<readonly string[]> {
  return (await query(database, "DESCRIBE source")).map(([, type]) => String(type));
}

function rowLabels(parts: readonly Part[]): (row: number) => string {
  return (row) => {
    const part = parts.findLast(({ firstRow }) => firstRow <= row);
    if (part === undefined) return `row ${row + 1}`;
    const { file, firstRow, text } = part;
    const line = text === undefined ? undefined : lineOfRow(file.path, row - firstRow, text);
    return line === undefined ? `${file.path}: row ${row - firstRow + 1}` : `${file.path}: line ${line}`;
  };
}

function readError(file: DataFile, error: unknown): FormatError {
  if (file.format === "csv" || file.format === "tsv") return csvError(file, error);
  const badLine = file.format === "jsonl" && !file.compressed ? firstLineNotJson(file.path) : undefined;
  if (badLine !== undefined) {
    return new FormatError({
      where: `${file.path}: line ${badLine}`,
      given: "not JSON",
      expected: "one JSON object on each line",
      mend: "mend the line; perhaps the file was cut off there",
      cause: error,
    });
  }
  const kind = { parquet: "Parquet", json: "JSON", jsonl: "JSON Lines" }[file.format];
  const reason = firstLine(error).replace(/^[A-Z][A-Za-z ]* Error: /, "");
  return new FormatError({
    where: file.path,
    given: `not readable as ${kind} (${reason})`,
    expected: `a whole ${kind} file`,
    mend: "write or copy the file again, or name its true format with --format",
    cause: error,
  });
}

function withoutRows(file: DataFile, { header }: Reading): DataError {
  const text = file.format === "csv" || file.format === "tsv";
  return new DataError({
    where: file.path,
    given: text && header ? "a header without rows" : "without rows",
    expected: "at least one row of data",
    mend: "check what wrote the file; perhaps it is not finished",
  });
}

function refuseOtherColumns(
  first: DataFile,
  expected: readonly string[],
  file: DataFile,
  given: readonly string[],
): void {
  if (expected.length === given.length && expected.every((name, index) => name === given[index])) return;
  throw new DataError({
    where: `${file.path}: columns`,
    given: shortList(given),
    expected: `the columns of ${first.path}: ${shortList(expected)}`,
    mend: "read files of the same columns, or join them with --sql",
  });
}

/** At most twelve names, and how many more there are. */
export function shortList(names: readonly string[]): string {
  const shown = names.slice(0, 12).join(", ");
  return names.length > 12 ? `${shown} and ${names.length - 12} more` : shown;
}
