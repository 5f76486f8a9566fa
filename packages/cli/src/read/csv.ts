/**
 * Delimited text: its header, its delimiter, and how to ask DuckDB for its cells.
 *
 * Nothing is guessed from a sample of rows. Every cell arrives as text, so that a bad cell in row 900,000 is found
 * when columns get their kinds, with its line and column, instead of changing the type of its whole column.
 */
import { DataError, FormatError } from "recurra";
import { type Database, firstLine, query, quoted } from "./duckdb.ts";
import type { DataFile } from "./files.ts";
import type { Reading } from "./request.ts";

export interface CsvShape {
  readonly names: readonly string[];
  readonly delimiter: string;
}

const delimiters = [",", ";", "\t", "|"];

/** Column names and delimiter, from the first line: the delimiter is the one that splits it most often. */
export async function csvShape(database: Database, file: DataFile, header: boolean): Promise<CsvShape> {
  const line = await firstTextLine(database, file);
  const delimiter = file.format === "tsv" ? "\t" : mostFrequent(line);
  const cells = splitRecord(line, delimiter);
  if (!header) return { names: cells.map((_, index) => `column${index}`), delimiter };
  if (cells.every(isNumber)) throw numbersAsHeader(file, cells);
  const names = cells.map((cell, index) => (cell === "" ? `column${index}` : cell));
  refuseDuplicates(`${file.path}: header`, names);
  return { names, delimiter };
}

/** `FROM` clause that gives the file's cells as text columns c0, c1, … */
export function csvRelation(file: DataFile, { names, delimiter }: CsvShape, { header, layout }: Reading): string {
  const columns = names.map((_, index) => `'c${index}': 'VARCHAR'`).join(", ");
  const options = [
    "auto_detect = false",
    `columns = {${columns}}`,
    `delim = ${quoted(delimiter)}`,
    `quote = '"'`,
    `escape = '"'`,
    `header = ${header}`,
    // A short series may end its line early.
    ...(layout === "wide" ? ["null_padding = true", "parallel = false"] : []),
  ];
  return `read_csv(${quoted(file.path)}, ${options.join(", ")})`;
}

/** DuckDB's complaint about a file, as where, given, expected and mend. */
export function csvError(file: DataFile, error: unknown): FormatError {
  const message = error instanceof Error ? error.message : String(error);
  const line = /CSV Error on Line: (\d+)/.exec(message)?.[1];
  const where = line === undefined ? file.path : `${file.path}: line ${line}`;
  const counts = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(message);
  if (counts !== null) {
    return new FormatError({
      where,
      given: `a row of ${counts[2]} ${counts[2] === "1" ? "cell" : "cells"}`,
      expected: `${counts[1]} cells, as in the first line`,
      mend: "mend the line; text that holds the delimiter belongs in double quotes",
      cause: error,
    });
  }
  const reason = message.split("\n").find((text) => !/CSV Error on Line|^Original Line/.test(text)) ?? firstLine(error);
  return new FormatError({
    where,
    given: `not readable (${reason.trim().replace(/\.$/, "")})`,
    expected: "delimited text in UTF-8",
    mend: "mend the file, or name its format with --format",
    cause: error,
  });
}

export function refuseDuplicates(where: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  const places = names.flatMap((name, index) => (name === twice ? [index + 1] : []));
  throw new DataError({
    where: `${where}: column "${twice}"`,
    given: `there ${places.length} times (columns ${places.join(", ")})`,
    expected: "a different name for each column",
    mend: "rename or remove the repeated columns",
  });
}

/** Cells of one line, without quotes around them and spaces beside them. */
export function splitRecord(line: string, delimiter: string): readonly string[] {
  const cells: string[] = [];
  let cell = "";
  let inQuotes = false;
  for (let k = 0; k < line.length; k++) {
    const letter = line[k]!;
    if (inQuotes && letter === '"' && line[k + 1] === '"') {
      cell += '"';
      k++;
    } else if (letter === '"' && (inQuotes || cell.trim() === "")) {
      inQuotes = !inQuotes;
    } else if (letter === delimiter && !inQuotes) {
      cells.push(cell.trim());
      cell = "";
    } else {
      cell += letter;
    }
  }
  return [...cells, cell.trim()];
}

async function firstTextLine(database: Database, file: DataFile): Promise<string> {
  // A delimiter that text does not hold: the whole line is one cell. DuckDB also unpacks and strips the byte order mark.
  const options = `auto_detect = false, columns = {'line': 'VARCHAR'}, delim = '\x1f', quote = '', escape = '', header = false`;
  const sql = `SELECT line FROM read_csv(${quoted(file.path)}, ${options}) WHERE trim(line) <> '' LIMIT 1`;
  const rows = await query(database, sql).catch((error: unknown) => {
    throw csvError(file, error);
  });
  const line = rows[0]?.[0];
  if (typeof line === "string") return line;
  throw new DataError({
    where: file.path,
    given: "a file of empty lines",
    expected: "rows of data",
    mend: "check what wrote the file; perhaps it is not finished",
  });
}

function mostFrequent(line: string): string {
  const counts = delimiters.map((delimiter) => splitRecord(line, delimiter).length);
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ",";
}

function isNumber(cell: string): boolean {
  return cell !== "" && Number.isFinite(Number(cell));
}

function numbersAsHeader(file: DataFile, cells: readonly string[]): DataError {
  return new DataError({
    where: `${file.path}: line 1`,
    given: `numbers only (${cells.slice(0, 3).join(", ")}${cells.length > 3 ? ", …" : ""})`,
    expected: "column names",
    mend: "say --no-header when the first line is data; the columns are then called column0, column1, …",
  });
}
