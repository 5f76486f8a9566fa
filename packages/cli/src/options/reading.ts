/** The options that say what to read and how. */
import { OptionError } from "recurra";
import type { ForecastOptions } from "recurra/tasks";
import {
  type ColumnRoles,
  type DataSource,
  fileFormats,
  layouts,
  plainReading,
  type Reading,
} from "../read/request.ts";
import { list } from "./forecast.ts";
import { choice, text } from "./values.ts";

/** As commander hands them over; `header` is false after --no-header, true after --header. */
export interface ReadingFlags {
  readonly sql?: string;
  readonly format?: string;
  readonly header?: boolean;
  readonly layout?: string;
  readonly timeFormat?: string;
}

export const readingRows = [
  { flags: "--sql <QUERY>", help: "read the answer of a DuckDB query instead of files" },
  { flags: "--format <NAME>", help: "csv, tsv, parquet, json or jsonl (default: by the file's ending)" },
  { flags: "--no-header", help: "the first line is data; columns are called column0, column1, …" },
  { flags: "--header", help: "the first line names the columns (default, unless the model was trained without)" },
  { flags: "--layout <NAME>", help: "wide: each row is one series, its name first, then its values in time order" },
  { flags: "--time-format <FORMAT>", help: "how times are written, for example %d-%m-%y" },
] as const;

/** @param base how the model's own data was read; what is given here goes before. */
export function parseReading(flags: ReadingFlags, base: Reading = plainReading): Reading {
  return {
    format: flags.format === undefined ? base.format : choice(fileFormats)("--format", flags.format),
    header: flags.header ?? base.header,
    layout: flags.layout === undefined ? base.layout : choice(layouts)("--layout", flags.layout),
    timeFormat: flags.timeFormat === undefined ? base.timeFormat : text("--time-format", flags.timeFormat),
  };
}

export function parseSource(files: readonly string[], sql: string | undefined): DataSource {
  if (sql !== undefined && files.length === 0) return { kind: "sql", sql: text("--sql", sql) };
  if (sql === undefined && files.length > 0) return { kind: "files", patterns: files };
  throw new OptionError({
    where: "the data",
    given: sql === undefined ? "missing" : `named twice: ${files.join(", ")} and --sql`,
    expected: "files, or a query with --sql",
    mend: sql === undefined ? `name a file, or add --sql "SELECT * FROM 'data.csv'"` : "leave one of them out",
  });
}

/** What a forecast needs its columns as. */
export function rolesOf(options: ForecastOptions): ColumnRoles {
  const categorical = list(options.categorical);
  const dynamic = [...list(options.pastCovariates), ...list(options.futureCovariates)];
  return {
    numbers: [...list(options.target), ...dynamic.filter((name) => !categorical.includes(name))],
    texts: [...categorical, ...list(options.series)],
    anything: list(options.staticCovariates).filter((name) => !categorical.includes(name)),
    time: options.time,
  };
}
