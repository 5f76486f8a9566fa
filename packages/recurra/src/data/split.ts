/** Splitting by time: which timesteps of each series are for training, validation and test. */
import { DataError, OptionError } from "../base/errors.ts";
import { listNames, type Series, type SeriesSet } from "./series.ts";

export type Part = "train" | "validation" | "test";
export const parts: readonly Part[] = ["train", "validation", "test"];

/** Fractions that sum to at most 1, or whole numbers of timesteps. */
export type SplitOptions = Readonly<Record<Part, number>>;

/** Timesteps [start, end) of one series. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  /** Milliseconds UTC of the first and the last timestep; absent without a time column and when empty. */
  readonly firstTime?: number;
  readonly lastTime?: number;
}

/** The parts of one series, each wholly after the one before. */
export interface SeriesSplit extends Readonly<Record<Part, Stretch>> {
  readonly id: string;
}

/** Plain data, in the order of the series it was made for. */
export interface Split {
  readonly options: SplitOptions;
  readonly series: readonly SeriesSplit[];
}

/**
 * Splits each series by time: training first, then validation, then test.
 *
 * Fractions are of each series: boundaries at ⌊train · T⌋, ⌊(train + validation) · T⌋ and ⌊sum · T⌋, so 1 uses every step.
 * Counts start at the beginning when all series are equally long (what is left at the end is unused). For series of unequal
 * length they are counted from the end: the last `test` steps are the test part, the `validation` steps before it
 * the validation part, and up to `train` steps before those the training part.
 *
 * Series shorter than past + horizon, or without a training step, are left out with a note; for a single series that is an error.
 * The result holds the series that are left, in the same order as their splits.
 * @throws OptionError for options that are neither fractions nor counts, DataError when no series is left.
 */
export function splitSeries(
  set: SeriesSet,
  options: SplitOptions,
  { past, horizon }: { readonly past: number; readonly horizon: number },
): { readonly set: SeriesSet; readonly split: Split; readonly notes: readonly string[] } {
  const unit = checkOptions(options);
  const long = dropShortSeries(set, past + horizon, `past ${past} + horizon ${horizon}`);
  const equal = long.set.series.every(({ timesteps }) => timesteps === long.set.series[0]!.timesteps);
  const boundaries = (series: Series): Boundaries => {
    if (unit === "fractions") return byFractions(series.timesteps, options);
    return equal ? fromStart(series.timesteps, options) : fromEnd(series.timesteps, options);
  };
  const split = long.set.series.map((series) => ({ series, at: boundaries(series) }));
  const kept = split.filter(({ at }) => at.trainEnd > at.trainStart && at.testEnd >= 0);
  const untrained = split.filter((one) => !kept.includes(one)).map(({ series }) => series);
  if (kept.length === 0) throw tooShortToSplit(set, untrained[0]!, options);
  const notes = [...long.notes];
  if (untrained.length > 0) {
    notes.push(`too short for the training part, left out: ${listNames(untrained.map(({ id }) => id))}`);
  }
  return {
    set: { ...long.set, series: kept.map(({ series }) => series) },
    split: { options, series: kept.map(({ series, at }) => toSplit(series, at)) },
    notes,
  };
}

/**
 * Leaves out the series of fewer than `needed` timesteps. `reason` says in messages where the number comes from.
 * @throws DataError when none is left; when there is only one series it says how long it is.
 */
export function dropShortSeries(
  set: SeriesSet,
  needed: number,
  reason: string,
): { readonly set: SeriesSet; readonly notes: readonly string[] } {
  const kept = set.series.filter(({ timesteps }) => timesteps >= needed);
  const short = set.series.filter(({ timesteps }) => timesteps < needed);
  if (kept.length === 0) {
    const longest = short.reduce((most, { timesteps }) => Math.max(most, timesteps), 0);
    throw new DataError({
      where: set.source,
      given:
        short.length === 1 ? `${longest} timesteps long` : `${short.length} series of at most ${longest} timesteps`,
      expected: `at least ${needed} timesteps (${reason})`,
      mend: "give more rows, or look back on and forecast fewer timesteps",
    });
  }
  if (short.length === 0) return { set, notes: [] };
  const notes = [`shorter than ${needed} timesteps (${reason}), left out: ${listNames(short.map(({ id }) => id))}`];
  return { set: { ...set, series: kept }, notes };
}

interface Boundaries {
  readonly trainStart: number;
  readonly trainEnd: number;
  readonly validationEnd: number;
  /** −1 when the parts do not fit. */
  readonly testEnd: number;
}

function byFractions(timesteps: number, { train, validation, test }: SplitOptions): Boundaries {
  // 0.7 + 0.1 + 0.2 is 0.9999999999999999; the small addition keeps the last timestep.
  const at = (fraction: number) => Math.floor(fraction * timesteps + 1e-6);
  const [trainEnd, validationEnd] = [at(train), at(train + validation)];
  return { trainStart: 0, trainEnd, validationEnd, testEnd: Math.min(timesteps, at(train + validation + test)) };
}

function fromStart(timesteps: number, { train, validation, test }: SplitOptions): Boundaries {
  const end = train + validation + test;
  return { trainStart: 0, trainEnd: train, validationEnd: train + validation, testEnd: end <= timesteps ? end : -1 };
}

function fromEnd(timesteps: number, { train, validation, test }: SplitOptions): Boundaries {
  const trainEnd = timesteps - validation - test;
  return { trainStart: Math.max(0, trainEnd - train), trainEnd, validationEnd: timesteps - test, testEnd: timesteps };
}

function toSplit(series: Series, { trainStart, trainEnd, validationEnd, testEnd }: Boundaries): SeriesSplit {
  const stretch = (start: number, end: number): Stretch => {
    if (series.times === undefined || start === end) return { start, end };
    return { start, end, firstTime: series.times[start]!, lastTime: series.times[end - 1]! };
  };
  return {
    id: series.id,
    train: stretch(trainStart, trainEnd),
    validation: stretch(trainEnd, validationEnd),
    test: stretch(validationEnd, testEnd),
  };
}

function checkOptions(options: SplitOptions): "fractions" | "counts" {
  const given = parts.map((part) => options[part]);
  const sum = given.reduce((total, value) => total + value, 0);
  const valid = given.every((value) => Number.isFinite(value) && value >= 0) && options.train > 0;
  if (valid && sum <= 1 + 1e-9) return "fractions";
  if (valid && given.every(Number.isInteger)) return "counts";
  throw new OptionError({
    where: "split",
    given: given.join(" / "),
    expected: "fractions that sum to at most 1, or whole numbers of timesteps, with a training part",
    mend: "give train, validation and test, for example 0.7 / 0.1 / 0.2 or 8640 / 2880 / 2880",
  });
}

function tooShortToSplit(set: SeriesSet, series: Series, options: SplitOptions): DataError {
  return new DataError({
    where: set.series.length === 1 ? set.source : `${set.source}: each series, such as "${series.id}",`,
    given: `${series.timesteps} timesteps long`,
    expected: `enough for a split of ${parts.map((part) => options[part]).join(" / ")}`,
    mend: "give more rows, or make the parts smaller",
  });
}
