/** What is learned from the training part and applied, identically, to everything the network ever sees. Plain data. */
import { DataError, InternalError } from "../../base/errors.ts";
import { calendarColumns, calendarMatrix } from "../../data/calendar.ts";
import { type Categories, categoryCount, encodeCategories, fitRoleCategories } from "../../data/categories.ts";
import { continueTimes, type Interval } from "../../data/interval.ts";
import { fitCovariateScaler, fitScaler, fitTargetScalers, type Scaler, scale } from "../../data/scaler.ts";
import type { Series, SeriesSet } from "../../data/series.ts";
import type { Split, Stretch } from "../../data/split.ts";
import { seasonalNaiveError } from "./baselines.ts";
import type { FeatureCounts } from "./network.ts";
import type { Settings } from "./settings.ts";

/** How one series was scaled, and the units its errors are measured in. */
export interface SeriesScale {
  readonly id: string;
  /** Mean and deviation of each target in the training part, original units. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  /** Seasonal-naive error of each target in the training part: the unit of MASE; NaN is stored as null. */
  readonly naiveError: readonly (number | null)[];
}

export interface Preparation {
  readonly interval: Interval;
  readonly targets: readonly string[];
  readonly series: readonly SeriesScale[];
  readonly pastScaler: Scaler;
  readonly futureScaler: Scaler;
  readonly staticScaler: Scaler;
  readonly pastCategories: readonly Categories[];
  readonly futureCategories: readonly Categories[];
  readonly staticCategories: readonly Categories[];
}

/** Fits everything on the training part of each series. @throws DataError for constant targets or, on the log scale, targets that are not positive. */
export function fitPreparation(
  set: SeriesSet,
  split: Split,
  settings: Settings,
): { readonly preparation: Preparation; readonly notes: readonly string[] } {
  const { scalers, notes } = fitTargetScalers(set, split);
  const past = fitCovariateScaler(set, split, "pastCovariates");
  const future = fitCovariateScaler(set, split, "futureCovariates");
  const constant = fitCovariateScaler(set, split, "staticCovariates");
  const preparation: Preparation = {
    interval: set.interval,
    targets: set.roles.targets,
    series: set.series.map((series, s) => scaleOf(series, scalers[s]!, split.series[s]!.train, settings)),
    pastScaler: past.scaler,
    futureScaler: future.scaler,
    staticScaler: constant.scaler,
    pastCategories: fitRoleCategories(set, split, "pastCategories"),
    futureCategories: fitRoleCategories(set, split, "futureCategories"),
    staticCategories: fitRoleCategories(set, split, "staticCategories"),
  };
  return { preparation, notes: [...notes, ...past.notes, ...future.notes, ...constant.notes] };
}

function scaleOf(series: Series, scaler: Scaler, train: Stretch, { season }: Settings): SeriesScale {
  const history = { values: series.targets, columns: scaler.columns.length };
  const naiveError = [...seasonalNaiveError(history, train, season, series.observed)];
  return {
    id: series.id,
    mean: scaler.mean,
    deviation: scaler.deviation,
    naiveError: naiveError.map((value) => (Number.isNaN(value) ? null : value)),
  };
}

/** Features of the network that the preparation gives, by role. */
export function featureCounts(preparation: Preparation, settings: Settings): FeatureCounts {
  const categories = (list: readonly Categories[]) => list.reduce((sum, one) => sum + categoryCount(one), 0);
  return {
    targets: preparation.targets.length,
    past: preparation.pastScaler.columns.length + categories(preparation.pastCategories) + (settings.masked ? 1 : 0),
    known:
      preparation.futureScaler.columns.length +
      categories(preparation.futureCategories) +
      calendarColumns(settings.calendar).length,
    static: preparation.staticScaler.columns.length + categories(preparation.staticCategories),
  };
}

/** A set ready to be cut into windows: matrices in the network's scale beside the original values. */
export interface PreparedSet {
  readonly set: SeriesSet;
  readonly scales: readonly SeriesScale[];
  /** [timesteps, targets] per series, in the network's scale. */
  readonly values: readonly Float64Array[];
  /** [timesteps, past features] without the marks of filled values. */
  readonly past: readonly Float64Array[];
  /** [timesteps + horizon, known features]; NaN where the future is not known. */
  readonly known: readonly Float64Array[];
  /** [static features] */
  readonly constant: readonly Float64Array[];
}

/** Applies the preparation. A series not seen in training is scaled by its own history, with a note. */
export function prepare(
  set: SeriesSet,
  preparation: Preparation,
  settings: Settings,
): { readonly prepared: PreparedSet; readonly notes: readonly string[] } {
  const known = new Map(preparation.series.map((scaleOfSeries) => [scaleOfSeries.id, scaleOfSeries]));
  const strangers: string[] = [];
  const scales = set.series.map((series): SeriesScale => {
    const found = known.get(series.id);
    if (found !== undefined) return found;
    strangers.push(series.id);
    const all = { start: 0, end: series.timesteps };
    return scaleOf(
      series,
      fitScaler(preparation.targets, [{ values: series.targets, observed: series.observed, ...all }], set.source),
      all,
      settings,
    );
  });
  const notes =
    strangers.length === 0
      ? []
      : [
          `not seen in training, scaled by their own history: ${strangers.slice(0, 3).join(", ")}${strangers.length > 3 ? ` and ${strangers.length - 3} more` : ""}`,
        ];
  const prepared: PreparedSet = {
    set,
    scales,
    values: set.series.map((series, s) =>
      toNetworkScale(series, scales[s]!, preparation.targets, set.source, settings.scale),
    ),
    past: set.series.map((series) =>
      columnsOf(series.timesteps, [
        {
          values: scale(preparation.pastScaler, series.pastCovariates),
          columns: preparation.pastScaler.columns.length,
        },
        ...series.pastCategories.map((labels, k) => oneHot(preparation.pastCategories[k]!, labels)),
      ]),
    ),
    known: set.series.map((series) => knownFeatures(series, preparation, settings)),
    constant: set.series.map((series) =>
      columnsOf(1, [
        {
          values: scale(preparation.staticScaler, series.staticCovariates),
          columns: preparation.staticScaler.columns.length,
        },
        ...series.staticCategories.map((label, k) => oneHot(preparation.staticCategories[k]!, [label])),
      ]),
    ),
  };
  return { prepared, notes };
}

function toNetworkScale(
  series: Series,
  { mean, deviation }: SeriesScale,
  targets: readonly string[],
  source: string,
  kind: Settings["scale"],
): Float64Array {
  const columns = targets.length;
  const place = (i: number) =>
    `${source}: column ${targets[i % columns]}, series "${series.id}", timestep ${Math.floor(i / columns) + 1}`;
  if (kind !== "log") {
    const values =
      kind === "none"
        ? series.targets
        : series.targets.map((value, i) => (value - mean[i % columns]!) / deviation[i % columns]!);
    const large = values.findIndex((value) => !Number.isFinite(Math.fround(value)));
    if (large < 0) return values;
    throw new DataError({
      where: place(large),
      given: `${series.targets[large]}${kind === "none" ? "" : `, ${values[large]} training deviations from the mean`}`,
      expected: `a size of at most 3.4e38${kind === "none" ? ", the largest that the network computes with, because no scale was asked for" : " deviations, the largest that the network computes with"}`,
      mend: kind === "none" ? "use the standard scale, or give the column in another unit" : "check this value",
    });
  }
  return series.targets.map((value, i) => {
    if (value > 0) return Math.log(value);
    throw new DataError({
      where: place(i),
      given: String(value),
      expected: "a positive number, because the log scale was asked for",
      mend: "use the standard scale",
    });
  });
}

/** Back to original units: value · deviation + mean, or its exponential. */
export function toOriginalScale(
  value: number,
  { mean, deviation }: SeriesScale,
  column: number,
  kind: Settings["scale"],
): number {
  if (kind === "none") return value;
  return kind === "log" ? Math.exp(value) : value * deviation[column]! + mean[column]!;
}

interface Block {
  readonly values: ArrayLike<number>;
  readonly columns: number;
}

/** Matrices of the same rows side by side. */
function columnsOf(rows: number, blocks: readonly Block[]): Float64Array {
  const width = blocks.reduce((sum, { columns }) => sum + columns, 0);
  const joined = new Float64Array(rows * width).fill(Number.NaN);
  let at = 0;
  for (const { values, columns } of blocks) {
    const available = columns === 0 ? 0 : Math.min(rows, values.length / columns);
    for (let row = 0; row < available; row++) {
      for (let k = 0; k < columns; k++) joined[row * width + at + k] = values[row * columns + k]!;
    }
    at += columns;
  }
  return joined;
}

function oneHot(categories: Categories, labels: readonly (string | null)[]): Block {
  const columns = categoryCount(categories);
  const values = new Float64Array(labels.length * columns);
  encodeCategories(categories, labels).forEach((index, row) => {
    values[row * columns + index] = 1;
  });
  return { values, columns };
}

/** Covariates and calendar over the known timesteps, and the calendar one horizon further. */
function knownFeatures(series: Series, preparation: Preparation, settings: Settings): Float64Array {
  const rows = series.timesteps + settings.horizon;
  const calendar = calendarColumns(settings.calendar).length;
  return columnsOf(rows, [
    {
      values: scale(preparation.futureScaler, series.futureCovariates),
      columns: preparation.futureScaler.columns.length,
    },
    ...series.futureCategories.map((labels, k) => oneHot(preparation.futureCategories[k]!, labels)),
    {
      values:
        calendar === 0 ? [] : calendarMatrix(settings.calendar, timesThroughHorizon(series, preparation, settings)),
      columns: calendar,
    },
  ]);
}

/** The times of the series' timesteps and of the horizon behind them. */
function timesThroughHorizon(
  { times, timesteps }: Series,
  { interval }: Preparation,
  { horizon }: Settings,
): Float64Array {
  if (times === undefined) throw new InternalError("calendar features without times");
  const joined = new Float64Array(timesteps + horizon);
  joined.set(times.subarray(0, timesteps));
  joined.set(continueTimes(interval, times[timesteps - 1]!, horizon), timesteps);
  return joined;
}
