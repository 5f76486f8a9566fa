/** Times written as text: which SQL expression turns a cell into milliseconds, and when that is anyone's guess. */
import { OptionError } from "recurra";
import { type Database, firstLine, query, quoted } from "./duckdb.ts";

/** Milliseconds since 1970 UTC of a cell like "2016-07-01 00:00:00", "2016-07-01T00:00Z" or "2016/07/01"; else NULL. */
export function isoTime(cell: string): string {
  return `CASE WHEN regexp_matches(${cell}, '^\\s*\\d{4}[-/]\\d') THEN epoch_ms(try_cast(${cell} AS TIMESTAMPTZ)) END`;
}

/** The first millisecond of a month written "1949-01"; else NULL. */
export function monthTime(cell: string): string {
  return `CASE WHEN regexp_matches(${cell}, '^\\s*\\d{4}-\\d{2}\\s*$') THEN epoch_ms(try_cast(trim(${cell}) || '-01' AS TIMESTAMPTZ)) END`;
}

export function formattedTime(cell: string, format: string): string {
  return `epoch_ms(try_strptime(trim(${cell}), ${quoted(format)}))`;
}

/** Whether a cell looks like a date whose order of day, month and year is not to be known: "03-01-00". */
export function looksAmbiguous(cell: string): string {
  return `regexp_matches(${cell}, '^\\s*\\d{1,2}[-/.]\\d{1,2}[-/.](\\d{2}|\\d{4})\\b')`;
}

/** A `--time-format` that could have been meant by a cell like "03-01-00 10:15", day first. */
export function formatFor(cell: string): string {
  const [, separator, year, rest] = /^\s*\d{1,2}([-/.])\d{1,2}[-/.](\d{4}|\d{2})(.*)$/.exec(cell) ?? [];
  const date = ["%d", "%m", year?.length === 4 ? "%Y" : "%y"].join(separator ?? "-");
  const colons = (rest ?? "").split(":").length - 1;
  return colons === 0 ? date : `${date} ${colons === 1 ? "%H:%M" : "%H:%M:%S"}`;
}

/** @throws OptionError when DuckDB does not know the format. */
export async function checkTimeFormat(database: Database, format: string): Promise<void> {
  try {
    await query(database, `SELECT try_strptime('', ${quoted(format)})`);
  } catch (error) {
    throw new OptionError({
      where: "--time-format",
      given: `"${format}" (${firstLine(error)})`,
      expected: "a strptime format such as %d-%m-%y or %Y-%m-%d %H:%M",
      mend: "%Y %m %d %H %M %S are year, month, day, hour, minute and second; %y is a year of two digits",
      cause: error,
    });
  }
}
