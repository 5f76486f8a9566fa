/** What each column of a table is for: the caller's choice, checked and completed. */
import { DataError, OptionError } from "../base/errors.ts";
import type { Interval } from "./interval.ts";
import { cellLabel, findColumn, type Table } from "./table.ts";

export interface SeriesOptions {
  /** Column or columns to forecast. */
  readonly target: string | readonly string[];
  /** Time column. Default: the only column of times; without one, rows are one timestep apart. */
  readonly time?: string | undefined;
  /** Column that names the series a row belongs to. Default: all rows are one series. */
  readonly series?: string | undefined;
  /** Columns known only up to now. */
  readonly pastCovariates?: readonly string[] | undefined;
  /** Columns known for the future too. */
  readonly futureCovariates?: readonly string[] | undefined;
  /** Columns constant within a series, numeric or text. */
  readonly staticCovariates?: readonly string[] | undefined;
  /** Covariates to treat as categories. Static text columns always are. */
  readonly categorical?: readonly string[] | undefined;
  /** What is done to gaps and missing numbers. Default "interpolate". "error" refuses them. */
  readonly missing?: "interpolate" | "mask" | "error" | undefined;
  /** The interval of earlier data that this table continues. Default: the usual one of this table. */
  readonly interval?: Interval | undefined;
}

/** Column names by role. Each column has at most one role; the order is the order of the matrices' columns. */
export interface Roles {
  readonly time: string | undefined;
  readonly series: string | undefined;
  readonly targets: readonly string[];
  readonly pastCovariates: readonly string[];
  readonly futureCovariates: readonly string[];
  readonly staticCovariates: readonly string[];
  readonly pastCategories: readonly string[];
  readonly futureCategories: readonly string[];
  readonly staticCategories: readonly string[];
}

/**
 * Resolves the options against the columns of a table.
 * @throws DataError for missing or double columns, text in a covariate that is not categorical, several time columns.
 * @throws OptionError for a column with two roles, no target, or a categorical column that is no covariate.
 */
export function resolveRoles(table: Table, options: SeriesOptions): Roles {
  const targets = typeof options.target === "string" ? [options.target] : options.target;
  const { series, pastCovariates = [], futureCovariates = [], staticCovariates = [], categorical = [] } = options;
  if (targets.length === 0) {
    throw new OptionError({
      where: "target",
      given: "empty",
      expected: "at least one column",
      mend: "name the column to forecast",
    });
  }
  const roleOf = new Map<string, string>();
  const claim = (names: readonly string[], role: string) => {
    for (const name of names) claimRole(table, roleOf, name, role);
  };
  claim(targets, "a target");
  claim(series === undefined ? [] : [series], "the series column");
  claim(options.time === undefined ? [] : [options.time], "the time column");
  claim(pastCovariates, "a past covariate");
  claim(futureCovariates, "a future covariate");
  claim(staticCovariates, "a static covariate");
  const time = options.time ?? onlyTimeColumn(table, roleOf);

  const covariates = [...pastCovariates, ...futureCovariates, ...staticCovariates];
  for (const name of categorical) checkCategorical(table, name, covariates);
  const isCategory = (name: string) => categorical.includes(name);
  const isStaticCategory = (name: string) => isCategory(name) || findColumn(table, name).kind === "text";
  const not = (test: (name: string) => boolean) => (name: string) => !test(name);
  const roles: Roles = {
    time,
    series,
    targets,
    pastCovariates: pastCovariates.filter(not(isCategory)),
    futureCovariates: futureCovariates.filter(not(isCategory)),
    staticCovariates: staticCovariates.filter(not(isStaticCategory)),
    pastCategories: pastCovariates.filter(isCategory),
    futureCategories: futureCovariates.filter(isCategory),
    staticCategories: staticCovariates.filter(isStaticCategory),
  };
  for (const name of [...roles.pastCovariates, ...roles.futureCovariates]) refuseText(table, name);
  return roles;
}

function claimRole(table: Table, roleOf: Map<string, string>, name: string, role: string): void {
  findColumn(table, name);
  const other = roleOf.get(name);
  if (other === undefined) {
    roleOf.set(name, role);
    return;
  }
  throw new OptionError({
    where: `column "${name}"`,
    given: other === role ? `${role} twice` : `${other} and ${role}`,
    expected: "one of them",
    mend: "name each column once; a target's own past is always an input",
  });
}

function onlyTimeColumn(table: Table, roleOf: ReadonlyMap<string, string>): string | undefined {
  const found = table.columns.filter((column) => column.kind === "time" && !roleOf.has(column.name));
  if (found.length <= 1) return found[0]?.name;
  throw new DataError({
    where: `${table.source}: the time column`,
    given: `one of ${found.map((column) => column.name).join(", ")}`,
    expected: "to be the only column of times",
    mend: "name the time column with the option time",
  });
}

function checkCategorical(table: Table, name: string, covariates: readonly string[]): void {
  findColumn(table, name);
  if (covariates.includes(name)) return;
  throw new OptionError({
    where: `categorical column "${name}"`,
    given: "no covariate",
    expected: covariates.length === 0 ? "a covariate" : `one of the covariates ${covariates.join(", ")}`,
    mend: "list it among the past, future or static covariates too",
  });
}

/** A text column may be a number column with a stray word, or categories that were not declared; only the caller knows. */
function refuseText(table: Table, name: string): void {
  const column = findColumn(table, name);
  if (column.kind !== "text") return;
  const isWord = (value: string | null) => value !== null && !(Number.isFinite(Number(value)) && value.trim() !== "");
  const row = Math.max(0, column.values.findIndex(isWord));
  throw new DataError({
    where: cellLabel(table, row, name),
    given: `the text "${column.values[row] ?? ""}"`,
    expected: "a number",
    mend: "write a number, leave the cell empty, or list the column as categorical",
  });
}
