/** From what was typed to files that are there: globs, missing files, folders, empty files, unknown endings. */
import { readdirSync, type Stats, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { DataError, FormatError, nearest } from "recurra";
import { type Database, query, quoted } from "./duckdb.ts";
import type { FileFormat } from "./request.ts";

export interface DataFile {
  readonly path: string;
  readonly format: FileFormat;
  /** Whether the bytes on disk are compressed, so that no line can be found in them directly. */
  readonly compressed: boolean;
}

const formatByEnding: Readonly<Record<string, FileFormat>> = {
  ".csv": "csv",
  ".tsv": "tsv",
  ".parquet": "parquet",
  ".json": "json",
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
};
const compressions = [".gz", ".zst"];

/** The files behind the given names and globs, in the given order; the files of a glob in alphabetical order. */
export async function findFiles(
  database: Database,
  patterns: readonly string[],
  format: FileFormat | undefined,
): Promise<readonly DataFile[]> {
  const files: DataFile[] = [];
  for (const pattern of patterns) {
    const paths = stat(pattern) === undefined && /[*?[]/.test(pattern) ? await expand(database, pattern) : [pattern];
    for (const path of paths) files.push(checked(path, format));
  }
  return files;
}

async function expand(database: Database, pattern: string): Promise<readonly string[]> {
  const rows = await query(database, `SELECT file FROM glob(${quoted(pattern)}) ORDER BY file`);
  if (rows.length > 0) return rows.map(([file]) => String(file).replace(/^\.\//, ""));
  throw new DataError({
    where: `the glob "${pattern}"`,
    given: "matched by no file",
    expected: "at least one file",
    mend: "check the path; globs start at the working directory",
  });
}

function checked(path: string, format: FileFormat | undefined): DataFile {
  const found = stat(path);
  if (found === undefined) throw missingFile(path);
  if (found.isDirectory()) {
    throw new DataError({
      where: path,
      given: "a folder",
      expected: "a data file",
      mend: `name the files in it, for example "${path.replace(/\/$/, "")}/*.csv"`,
    });
  }
  if (found.size === 0) {
    throw new DataError({
      where: path,
      given: "empty (0 bytes)",
      expected: "rows of data",
      mend: "check what wrote the file; perhaps it is not finished",
    });
  }
  const compression = compressions.find((ending) => path.endsWith(ending)) ?? "";
  return {
    path,
    format: format ?? formatOf(path, path.slice(0, path.length - compression.length)),
    compressed: compression !== "",
  };
}

function formatOf(path: string, plainPath: string): FileFormat {
  const ending = /\.[^./\\]+$/.exec(basename(plainPath))?.[0].toLowerCase();
  const format = ending === undefined ? undefined : formatByEnding[ending];
  if (format !== undefined) return format;
  throw new FormatError({
    where: path,
    given: ending === undefined ? "a file without an ending" : `a file with the unknown ending ${ending}`,
    expected: `one of ${Object.keys(formatByEnding).join(", ")}`,
    mend: "say what it holds with --format csv, tsv, parquet, json or jsonl",
  });
}

function missingFile(path: string): DataError {
  const near = nearest(basename(path), namesIn(dirname(path)));
  return new DataError({
    where: path,
    given: "missing",
    expected: "a data file",
    mend:
      near === undefined ? "check the path; relative paths start at the working directory" : `did you mean "${near}"?`,
  });
}

function namesIn(folder: string): readonly string[] {
  return stat(folder)?.isDirectory() === true ? readdirSync(folder) : [];
}

function stat(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
