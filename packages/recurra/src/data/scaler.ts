/** Standard scaling: each column to mean 0 and deviation 1, fitted on the training part only. */
import { DataError } from "../base/errors.ts";
import { listNames, type SeriesSet } from "./series.ts";
import type { Split } from "./split.ts";

/** Plain data, one entry per column. */
export interface Scaler {
  readonly columns: readonly string[];
  readonly mean: readonly number[];
  /** Divided by N. 1 for columns without variation, so that scaling and its inverse stay defined. */
  readonly deviation: readonly number[];
  /** Names of the columns without variation in what was fitted. */
  readonly constant: readonly string[];
}

/** Some rows of a matrix [rows, columns]: those of [start, end), and of these only the observed entries. */
export interface FitStretch {
  readonly values: Float64Array;
  readonly start: number;
  readonly end: number;
  /** [rows, columns]: 1 where the entry counts. Default: all count. */
  readonly observed?: Uint8Array | undefined;
}

/**
 * Mean and deviation of each column over all stretches together, in two passes and float64.
 * `source` is what messages call the data. A column without any entry gets mean 0, deviation 1 and counts as constant.
 * @throws DataError when numbers are so large or so small that their squares leave the range of float64.
 */
export function fitScaler(columns: readonly string[], stretches: readonly FitStretch[], source?: string): Scaler {
  const mean: number[] = [];
  const deviation: number[] = [];
  const constant: string[] = [];
  for (const [column, name] of columns.entries()) {
    const at = { stretches, column, columns: columns.length };
    let [count, sum, least, most] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    eachEntry(at, (value) => {
      count++;
      sum += value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    });
    // Rounding gives a constant column a mean just beside it and a tiny deviation; so it is found by comparing.
    if (!(most > least)) {
      mean.push(count === 0 ? 0 : least);
      deviation.push(1);
      constant.push(name);
      continue;
    }
    const average = sum / count;
    let squares = 0;
    eachEntry(at, (value) => {
      squares += (value - average) ** 2;
    });
    const spread = Math.sqrt(squares / count);
    if (!(spread > 0 && spread < Number.POSITIVE_INFINITY)) throw outOfRange(source, name, least, most);
    mean.push(average);
    deviation.push(spread);
  }
  return { columns, mean, deviation, constant };
}

/**
 * A scaler of the targets of each series, fitted on the observed values of its training part. In the order of the series.
 * Constant targets among several series are reported in the notes.
 * @throws DataError when a target of the only series, or of every series, is constant in the training part.
 */
export function fitTargetScalers(
  set: SeriesSet,
  split: Split,
): { readonly scalers: readonly Scaler[]; readonly notes: readonly string[] } {
  const scalers = set.series.map(({ targets, observed }, s) => {
    return fitScaler(set.roles.targets, [{ values: targets, observed, ...split.series[s]!.train }], set.source);
  });
  const notes: string[] = [];
  for (const [column, name] of set.roles.targets.entries()) {
    const constant = set.series.filter((_, s) => scalers[s]!.constant.includes(name));
    if (constant.length === 0) continue;
    if (constant.length === set.series.length) {
      const value = scalers[0]!.mean[column]!;
      throw new DataError({
        where: `${set.source}: column ${name}`,
        given:
          constant.length === 1
            ? `${value} throughout the training part`
            : "constant in the training part of every series",
        expected: "values that change, so that there is something to learn",
        mend: "choose another target, or a longer training part",
      });
    }
    notes.push(`${name}: constant in the training part of ${listNames(constant.map(({ id }) => id))}`);
  }
  return { scalers, notes };
}

/**
 * One scaler for a role's columns over all series: covariates keep their differences between series.
 * Fitted on the training part of each series; static covariates count each series once. Constant columns are in the notes.
 */
export function fitCovariateScaler(
  set: SeriesSet,
  split: Split,
  role: "pastCovariates" | "futureCovariates" | "staticCovariates",
): { readonly scaler: Scaler; readonly notes: readonly string[] } {
  const stretches = set.series.map((series, s): FitStretch => {
    if (role === "staticCovariates") return { values: series.staticCovariates, start: 0, end: 1 };
    return { values: series[role], ...split.series[s]!.train };
  });
  const scaler = fitScaler(set.roles[role], stretches, set.source);
  return { scaler, notes: scaler.constant.map((name) => `${name}: constant in the training part`) };
}

function outOfRange(source: string | undefined, name: string, least: number, most: number): DataError {
  return new DataError({
    where: `${source === undefined ? "" : `${source}: `}column ${name}`,
    given: `between ${least} and ${most}`,
    expected: "numbers whose squares can be computed, of a size between 1e-150 and 1e150",
    mend: "give the column in another unit",
  });
}

/** (x − mean) / deviation of a matrix [rows, columns of the scaler]. */
export function scale(scaler: Scaler, values: ArrayLike<number>): Float64Array {
  return perColumn(scaler, values, (value, mean, deviation) => (value - mean) / deviation);
}

/** x · deviation + mean of a matrix [rows, columns of the scaler]: undoes `scale`. */
export function unscale(scaler: Scaler, values: ArrayLike<number>): Float64Array {
  return perColumn(scaler, values, (value, mean, deviation) => value * deviation + mean);
}

function perColumn(
  { mean, deviation, columns }: Scaler,
  values: ArrayLike<number>,
  change: (value: number, mean: number, deviation: number) => number,
): Float64Array {
  const changed = new Float64Array(values.length);
  for (let start = 0; start < values.length; start += columns.length) {
    for (let k = 0; k < columns.length; k++) changed[start + k] = change(values[start + k]!, mean[k]!, deviation[k]!);
  }
  return changed;
}

function eachEntry(
  at: { readonly stretches: readonly FitStretch[]; readonly column: number; readonly columns: number },
  visit: (value: number) => void,
): void {
  for (const { values, start, end, observed } of at.stretches) {
    for (let row = start; row < end; row++) {
      const index = row * at.columns + at.column;
      if (observed === undefined || observed[index] === 1) visit(values[index]!);
    }
  }
}
