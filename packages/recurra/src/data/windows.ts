/** Windows: which stretches of which series a forecaster learns from and is tested on. Indices only, no copies. */
import { DataError, OptionError } from "../base/errors.ts";
import type { SeriesSet } from "./series.ts";
import { dropShortSeries, type Part, type Split } from "./split.ts";

/** All counts are in timesteps. */
export interface WindowOptions {
  readonly past: number;
  readonly horizon: number;
  /** Distance between the starts of two windows of a series. Default 1. */
  readonly stride?: number;
}

/** Window `w` is of series `series[w]`: its past is [origin − past, origin), its future [origin, origin + horizon). */
export interface Windows {
  readonly past: number;
  readonly horizon: number;
  readonly count: number;
  /** Index into the series of the set. */
  readonly series: Int32Array;
  /** The first timestep of the future. */
  readonly origin: Int32Array;
}

/**
 * The windows of a part, series by series and in order of time.
 *
 * A window belongs to the part in which its whole future lies. The past of validation and test windows may reach back into
 * the parts before (as the published results on ETT, electricity and weather do: 2,880 test steps with horizon 24 give
 * 2,857 windows); training windows lie wholly in the training part. An empty part gives no windows.
 * @throws OptionError when past, horizon or stride is not a whole number of at least 1.
 */
export function planWindows(split: Split, part: Part, options: WindowOptions): Windows {
  const { past, horizon, stride } = checked(options);
  const ranges = split.series.map(({ train, [part]: { start, end } }) => {
    const first = part === "train" ? train.start + past : Math.max(start, past);
    return { first, count: Math.max(0, Math.floor((end - horizon - first) / stride) + 1) };
  });
  return enumerate(past, horizon, stride, ranges);
}

/**
 * The windows of all parts.
 * @throws DataError when the training part, or a validation or test part that was asked for, has no window.
 */
export function planAllWindows(set: SeriesSet, split: Split, options: WindowOptions): Readonly<Record<Part, Windows>> {
  const plan = (part: Part) => {
    // The stride thins out training; every window of the other parts counts.
    const windows = planWindows(split, part, part === "train" ? options : { ...options, stride: 1 });
    if (windows.count > 0 || split.options[part] === 0) return windows;
    const { past, horizon } = options;
    const longest = split.series.reduce((most, { [part]: { start, end } }) => Math.max(most, end - start), 0);
    const isTrain = part === "train";
    throw new DataError({
      where: `${set.source}: the ${isTrain ? "training" : part} part`,
      given: `${longest} timesteps long${split.series.length === 1 ? "" : " at most"}`,
      expected: isTrain
        ? `at least ${past + horizon} (past ${past} + horizon ${horizon})`
        : `at least ${horizon} (horizon)`,
      mend: `give more rows, make this part larger, or ${isTrain ? "look back on and " : ""}forecast fewer timesteps`,
    });
  };
  return { train: plan("train"), validation: plan("validation"), test: plan("test") };
}

/** One window per series whose future begins right after its last target: what `predict` feeds. Series too short are left out with a note. */
export function forecastWindows(
  set: SeriesSet,
  { past, horizon }: WindowOptions,
): { readonly set: SeriesSet; readonly windows: Windows; readonly notes: readonly string[] } {
  const long = dropShortSeries(set, past, `past ${past}`);
  if (set.roles.futureCovariates.length + set.roles.futureCategories.length > 0) {
    for (const series of long.set.series) {
      const known = series.knownTimesteps - series.timesteps;
      if (known >= horizon) continue;
      const names = [...set.roles.futureCovariates, ...set.roles.futureCategories].join(", ");
      throw new DataError({
        where: `${set.source}: ${names} after the last target${set.roles.series === undefined ? "" : ` of series "${series.id}"`}`,
        given: known === 0 ? "missing" : `known for ${known} timesteps`,
        expected: `known for all ${horizon} timesteps of the forecast`,
        mend: "add rows for the future with these columns and an empty target",
      });
    }
  }
  const windows = enumerate(
    past,
    horizon,
    1,
    long.set.series.map(({ timesteps }) => ({ first: timesteps, count: 1 })),
  );
  return { ...long, windows };
}

function enumerate(
  past: number,
  horizon: number,
  stride: number,
  ranges: readonly { readonly first: number; readonly count: number }[],
): Windows {
  const count = ranges.reduce((sum, range) => sum + range.count, 0);
  const windows = { past, horizon, count, series: new Int32Array(count), origin: new Int32Array(count) };
  let w = 0;
  for (const [s, range] of ranges.entries()) {
    for (let k = 0; k < range.count; k++, w++) {
      windows.series[w] = s;
      windows.origin[w] = range.first + k * stride;
    }
  }
  return windows;
}

function checked({ past, horizon, stride = 1 }: WindowOptions): Required<WindowOptions> {
  for (const [name, given] of Object.entries({ past, horizon, stride })) {
    if (Number.isInteger(given) && given >= 1) continue;
    throw new OptionError({ where: name, given: `${given}`, expected: "1, 2, 3, …", mend: "count in whole timesteps" });
  }
  return { past, horizon, stride };
}
