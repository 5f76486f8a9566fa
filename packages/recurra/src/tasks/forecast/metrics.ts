/** Forecast errors: one pass over (actual, forecast) pairs of any order gives every number of an error table. */
import { InternalError } from "../../base/errors.ts";
import type { ErrorTable } from "./types.ts";

export interface ErrorSettings {
  /** Targets of each series. */
  readonly targets: number;
  /** [series · targets]: deviation of the target in the training part of the series, the unit of `scaled`. */
  readonly deviation: ArrayLike<number>;
  /** [series · targets]: mean absolute seasonal-naive error in the training part of the series, the unit of MASE. */
  readonly naiveError: ArrayLike<number>;
  /** Levels of the quantiles, ascending. Default: none. */
  readonly quantiles?: readonly number[];
}

export interface ErrorTotals {
  /**
   * Adds one forecast value in original units. `quantiles` holds the forecast quantiles of this value from `at` on.
   * Leave out what was not observed: a filled value is no truth.
   */
  add(
    series: number,
    target: number,
    actual: number,
    forecast: number,
    quantiles?: ArrayLike<number>,
    at?: number,
  ): void;
  /**
   * The errors of everything added; NaN where nothing was.
   *
   *     mse = mean (y − ŷ)²       mae = mean |y − ŷ|       rmse = √mse
   *     smape = mean 200 · |y − ŷ| / (|y| + |ŷ|), 0 where both are 0
   *     mase = mean over series and targets of (their mean |y − ŷ| / naiveError)
   *     rse  = √(Σ (y − ŷ)² / Σ (y − ȳ)²), ȳ the mean of all y of all targets together
   *     quantileLoss = mean over values and levels q of max(q · (y − ŷq), (q − 1) · (y − ŷq))
   *     coverage = share of y in [lowest quantile, highest quantile]
   *     scaled: mse and mae of (y − ŷ) / deviation
   *
   * MASE leaves out series whose naive error is 0 or NaN (constant, or shorter than a season), where it is not defined;
   * it is NaN when none is left. RSE is Infinity or NaN when all y are equal.
   */
  result(): ErrorTable;
}

/** An empty account of errors. Sums in float64. */
export function createErrorTotals(settings: ErrorSettings): ErrorTotals {
  const { targets, deviation, naiveError, quantiles: levels = [] } = settings;
  let [count, squares, absolutes, percents, scaledSquares, scaledAbsolutes] = [0, 0, 0, 0, 0, 0];
  // Welford's mean and squared distances of y: sums of squares alone lose all digits for values far from zero.
  let [mean, distances] = [0, 0];
  let [pinball, covered] = [0, 0];
  const pairCount = new Float64Array(naiveError.length);
  const pairAbsolutes = new Float64Array(naiveError.length);

  return {
    add(series, target, actual, forecast, quantiles, at = 0) {
      const error = actual - forecast;
      const absolute = Math.abs(error);
      const pair = series * targets + target;
      const scaled = error / deviation[pair]!;
      count++;
      squares += error * error;
      absolutes += absolute;
      if (absolute !== 0) percents += (200 * absolute) / (Math.abs(actual) + Math.abs(forecast));
      scaledSquares += scaled * scaled;
      scaledAbsolutes += Math.abs(scaled);
      pairCount[pair]! += 1;
      pairAbsolutes[pair]! += absolute;
      const step = actual - mean;
      mean += step / count;
      distances += step * (actual - mean);
      if (levels.length === 0) return;
      if (quantiles === undefined)
        throw new InternalError("metrics: a forecast without the quantiles it is to be judged by");
      for (let q = 0; q < levels.length; q++) {
        const miss = actual - quantiles[at + q]!;
        pinball += Math.max(levels[q]! * miss, (levels[q]! - 1) * miss);
      }
      if (actual >= quantiles[at]! && actual <= quantiles[at + levels.length - 1]!) covered++;
    },
    result() {
      const mse = squares / count;
      return {
        mse,
        mae: absolutes / count,
        rmse: Math.sqrt(mse),
        smape: percents / count,
        mase: meanScaledError(pairCount, pairAbsolutes, naiveError),
        rse: Math.sqrt(squares / distances),
        ...(levels.length >= 1 ? { quantileLoss: pinball / (count * levels.length) } : {}),
        ...(levels.length >= 2 ? { coverage: covered / count } : {}),
        scaled: { mse: scaledSquares / count, mae: scaledAbsolutes / count },
      };
    },
  };
}

function meanScaledError(counts: Float64Array, absolutes: Float64Array, naiveError: ArrayLike<number>): number {
  let [sum, pairs] = [0, 0];
  for (let pair = 0; pair < counts.length; pair++) {
    if (counts[pair] === 0 || !(naiveError[pair]! > 0)) continue;
    sum += absolutes[pair]! / counts[pair]! / naiveError[pair]!;
    pairs++;
  }
  return pairs === 0 ? Number.NaN : sum / pairs;
}
