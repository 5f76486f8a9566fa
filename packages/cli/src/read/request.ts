/** What a reader is asked for: which files or query, how they are laid out, and what the columns are needed as. */

export const fileFormats = ["csv", "tsv", "parquet", "json", "jsonl"] as const;
export type FileFormat = (typeof fileFormats)[number];

/** "long": one row per timestep. "wide": one row per series, its name first, then its values in time order. */
export const layouts = ["long", "wide"] as const;
export type Layout = (typeof layouts)[number];

/** Columns of the long table that a file of the wide layout becomes. */
export const wideNames = { series: "series", index: "index", value: "value" } as const;

/** How files are to be understood: stored beside a model, so that its later files are read the same way. */
export interface Reading {
  /** Default: by the ending of each file's name. */
  readonly format: FileFormat | undefined;
  /** False: the first line is data, and columns are called column0, column1, … */
  readonly header: boolean;
  readonly layout: Layout;
  /** DuckDB `strptime` format of the time column. Default: ISO dates, times and months. */
  readonly timeFormat: string | undefined;
}

export type DataSource =
  | { readonly kind: "files"; readonly patterns: readonly string[] }
  | { readonly kind: "sql"; readonly sql: string };

/** Columns by what they are needed as. Columns not named here are read as what they look like. */
export interface ColumnRoles {
  readonly numbers: readonly string[];
  readonly texts: readonly string[];
  /** Needed, but as whatever they are. */
  readonly anything: readonly string[];
  readonly time: string | undefined;
}

export interface ReadRequest {
  readonly source: DataSource;
  readonly reading: Reading;
  readonly roles: ColumnRoles;
}

export const plainReading: Reading = { format: undefined, header: true, layout: "long", timeFormat: undefined };
export const noRoles: ColumnRoles = { numbers: [], texts: [], anything: [], time: undefined };
