/** Categories to numbers: the values of each categorical column seen in training, and one index for all others. */
import type { SeriesSet } from "./series.ts";
import type { Split } from "./split.ts";

/** Plain data. The value `values[k]` has index k + 1; index 0 is for values not seen in training and missing ones. */
export interface Categories {
  readonly column: string;
  readonly values: readonly string[];
}

/** The index of values that were not seen in training, and of missing ones. */
export const unknownCategory = 0;

/** The number of indices: the values and the unknown one. */
export function categoryCount(categories: Categories): number {
  return categories.values.length + 1;
}

/** The distinct values, missing ones aside, in the order of their code units, so that the order of rows does not matter. */
export function fitCategories(column: string, values: Iterable<string | null>): Categories {
  const distinct = new Set<string>();
  for (const value of values) if (value !== null) distinct.add(value);
  return { column, values: [...distinct].sort() };
}

/** The categories of a role's columns over the training part of all series; static ones over all series. */
export function fitRoleCategories(
  set: SeriesSet,
  split: Split,
  role: "pastCategories" | "futureCategories" | "staticCategories",
): readonly Categories[] {
  return set.roles[role].map((column, k) => {
    const seen = set.series.flatMap((series, s) => {
      if (role === "staticCategories") return [series.staticCategories[k] ?? null];
      const { start, end } = split.series[s]!.train;
      return series[role][k]!.slice(start, end);
    });
    return fitCategories(column, seen);
  });
}

/** The index of each value: 1 … for those seen in training, 0 for all others. */
export function encodeCategories(categories: Categories, values: readonly (string | null)[]): Int32Array {
  const indices = new Map(categories.values.map((value, k) => [value, k + 1]));
  return Int32Array.from(values, (value) =>
    value === null ? unknownCategory : (indices.get(value) ?? unknownCategory),
  );
}
