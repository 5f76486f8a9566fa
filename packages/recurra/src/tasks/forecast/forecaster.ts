/** A trained forecaster: the same preparation and network for prediction, evaluation and charts. */

import { DataError, OptionError } from "../../base/errors.ts";
import { addSteps, type Interval } from "../../data/interval.ts";
import { readSeries, type Series, type SeriesSet } from "../../data/series.ts";
import type { Split } from "../../data/split.ts";
import type { Table } from "../../data/table.ts";
import { formatTime } from "../../data/time.ts";
import { forecastWindows, planWindows, type Windows } from "../../data/windows.ts";
import { seasonalNaiveForecast } from "./baselines.ts";
import { modelFiles } from "./modelFolder.ts";
import { type Preparation, type PreparedSet, prepare } from "./preparation.ts";
import type { ModelRecord } from "./record.ts";
import { forecasts, score, type Trained, thinned } from "./scoring.ts";
import type {
  BacktestOrigin,
  BacktestResult,
  EvaluationResult,
  Forecaster,
  ForecastOptions,
  ForecastResult,
  ForecastRow,
  WindowView,
} from "./types.ts";

export interface ForecasterParts extends Trained {
  readonly options: ForecastOptions;
  readonly preparation: Preparation;
  readonly record: ModelRecord;
}

export function createForecaster(parts: ForecasterParts): Forecaster {
  const { options, settings, preparation } = parts;
  const timed = preparation.interval.kind !== "index";
  const readWithNotes = (table: Table): { readonly prepared: PreparedSet; readonly notes: readonly string[] } => {
    const set = readSeries(table, {
      ...options,
      missing: options.missing ?? "interpolate",
      interval: preparation.interval,
    });
    if ((set.roles.time !== undefined) !== timed) throw otherTimes(set.source, timed);
    const { prepared, notes } = prepare(set, preparation, settings);
    return { prepared, notes: [...set.notes, ...notes] };
  };
  const read = (table: Table): PreparedSet => readWithNotes(table).prepared;
  return {
    options,
    predict(table): ForecastResult {
      const { prepared, notes } = readWithNotes(table);
      const { set, windows, notes: shortNotes } = forecastWindows(prepared.set, settings);
      return {
        rows: predictionRows(parts, subset(prepared, set), windows),
        quantiles: settings.quantiles,
        timed,
        notes: [...notes, ...shortNotes],
      };
    },
    evaluate(table): EvaluationResult {
      const { prepared, notes } = readWithNotes(table);
      const windows = knownWindows(prepared.set, parts);
      return {
        scores: score(parts, prepared, windows),
        notes: [...notes, ...overlapNotes(parts.record.split, prepared.set, windows)],
      };
    },
    backtest(table, backtestOptions = {}): BacktestResult {
      const { prepared, notes } = readWithNotes(table);
      return backtest(parts, prepared, notes, backtestOptions);
    },
    views(table, count = 4): readonly WindowView[] {
      const prepared = read(table);
      const windows = thinned(lastPart(knownWindows(prepared.set, parts)), count);
      return viewsOf(parts, prepared, windows, timed);
    },
    toFiles: () => modelFiles(parts),
  };
}

function otherTimes(source: string, trainedWithTimes: boolean): DataError {
  return new DataError({
    where: `${source}: the time column`,
    given: trainedWithTimes ? "missing" : "there",
    expected: trainedWithTimes
      ? "a time for each row, as in the data that the model was trained on"
      : "none, as in the data that the model was trained on",
    mend: trainedWithTimes ? "add the column of times" : "leave the column of times out",
  });
}

/** The series that `set` keeps, in its order. */
function subset(prepared: PreparedSet, set: SeriesSet): PreparedSet {
  const indices = set.series.map((series) => prepared.set.series.indexOf(series));
  const pick = <T>(list: readonly T[]) => indices.map((i) => list[i]!);
  return {
    set,
    scales: pick(prepared.scales),
    values: pick(prepared.values),
    past: pick(prepared.past),
    known: pick(prepared.known),
    constant: pick(prepared.constant),
  };
}

/** Every window of a table whose future is known. @throws DataError when there is none. */
function knownWindows(set: SeriesSet, { settings }: Trained): Windows {
  const windows = planWindows(wholeSplit(set), "test", settings);
  if (windows.count > 0) return windows;
  const longest = set.series.reduce((most, { timesteps }) => Math.max(most, timesteps), 0);
  throw new DataError({
    where: set.source,
    given: `${longest} timesteps long${set.series.length === 1 ? "" : " at most"}`,
    expected: `at least ${settings.past + settings.horizon} (past ${settings.past} + horizon ${settings.horizon})`,
    mend: "give more rows: errors need a past to forecast from and a future to compare with",
  });
}

function wholeSplit(set: SeriesSet): Split {
  const nothing = { start: 0, end: 0 };
  return {
    options: { train: 0, validation: 0, test: 1 },
    series: set.series.map(({ id, timesteps }) => ({
      id,
      train: nothing,
      validation: nothing,
      test: { start: 0, end: timesteps },
    })),
  };
}

/** The last fifth, at least one. */
function lastPart(windows: Windows): Windows {
  const count = Math.max(1, Math.floor(windows.count / 5));
  return {
    ...windows,
    count,
    series: windows.series.subarray(windows.count - count),
    origin: windows.origin.subarray(windows.count - count),
  };
}

function timeAt(series: Series, interval: Interval, t: number): number {
  if (series.times === undefined) return t;
  const known = series.times[t];
  return known ?? addSteps(interval, series.times[series.timesteps - 1]!, t - series.timesteps + 1);
}

function predictionRows(parts: ForecasterParts, prepared: PreparedSet, windows: Windows): ForecastRow[] {
  const { targets, interval } = parts.preparation;
  const { horizon, quantiles } = parts.settings;
  const rows: ForecastRow[] = [];
  for (const { series: s, origin, point, quantiles: levels } of forecasts(parts, prepared, windows, false)) {
    const series = prepared.set.series[s]!;
    for (const [column, target] of targets.entries()) {
      for (let step = 0; step < horizon; step++) {
        const slot = step * targets.length + column;
        rows.push({
          series: series.id,
          time: timeAt(series, interval, origin + step),
          target,
          forecast: point[slot]!,
          quantiles: [...levels.subarray(slot * quantiles.length, (slot + 1) * quantiles.length)],
        });
      }
    }
  }
  return rows;
}

function backtest(
  parts: ForecasterParts,
  prepared: PreparedSet,
  notes: readonly string[],
  { origins = 5, step }: { readonly origins?: number; readonly step?: number },
): BacktestResult {
  const { past, horizon } = parts.settings;
  const stride = step ?? horizon;
  for (const [where, given] of Object.entries({ origins, step: stride })) {
    if (Number.isInteger(given) && given >= 1) continue;
    throw new OptionError({
      where: `backtest: ${where}`,
      given: String(given),
      expected: "1, 2, 3, …",
      mend: "give a whole number",
    });
  }
  const windowsAt = (back: number): Windows => {
    const found = prepared.set.series.flatMap(({ timesteps }, s) => {
      const origin = timesteps - horizon - back * stride;
      return origin >= past ? [{ s, origin }] : [];
    });
    return {
      past,
      horizon,
      count: found.length,
      series: Int32Array.from(found, ({ s }) => s),
      origin: Int32Array.from(found, ({ origin }) => origin),
    };
  };
  const plans = Array.from({ length: origins }, (_, i) => windowsAt(origins - 1 - i));
  const short = plans.findIndex(({ count }) => count === 0);
  if (short >= 0) {
    const longest = prepared.set.series.reduce((most, { timesteps }) => Math.max(most, timesteps), 0);
    throw new DataError({
      where: prepared.set.source,
      given: `${longest} timesteps long`,
      expected: `at least ${past + horizon + (origins - 1) * stride} for ${origins} origins, ${stride} timesteps apart (past ${past}, horizon ${horizon})`,
      mend: "ask for fewer origins, a smaller step, or give more rows",
    });
  }
  const all: Windows = {
    past,
    horizon,
    count: plans.reduce((sum, { count }) => sum + count, 0),
    series: Int32Array.from(plans.flatMap(({ series }) => [...series])),
    origin: Int32Array.from(plans.flatMap(({ origin }) => [...origin])),
  };
  return {
    origins: plans.map((windows, i): BacktestOrigin => {
      const times = Array.from(windows.origin, (origin, w) =>
        timeAt(prepared.set.series[windows.series[w]!]!, parts.preparation.interval, origin),
      );
      return {
        stepsBeforeEnd: horizon + (origins - 1 - i) * stride,
        time: times.every((time) => time === times[0]) ? times[0] : undefined,
        scores: score(parts, prepared, windows),
      };
    }),
    overall: score(parts, prepared, all),
    timed: parts.preparation.interval.kind !== "index",
    notes: [...notes, ...overlapNotes(parts.record.split, prepared.set, all)],
  };
}

/**
 * Whether windows forecast what the network was trained on: by the times that the record keeps of each series' training part.
 * Without times nothing is said, for an index is no sign that two tables hold the same data.
 */
function overlapNotes(
  { series: recorded }: Split,
  set: SeriesSet,
  { count, horizon, series, origin }: Windows,
): string[] {
  const training = new Map(recorded.map(({ id, train }) => [id, train]));
  let seen = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (let w = 0; w < count; w++) {
    const { id, times } = set.series[series[w]!]!;
    const { firstTime, lastTime } = training.get(id) ?? {};
    if (times === undefined || firstTime === undefined || lastTime === undefined) continue;
    if (times[origin[w]!]! > lastTime || times[origin[w]! + horizon - 1]! < firstTime) continue;
    seen++;
    last = Math.max(last, lastTime);
  }
  if (seen === 0) return [];
  return [
    `${seen} of ${count} windows forecast times of the training part, which ends at ${formatTime(last)}: what the model was trained on says little about new data`,
  ];
}

function viewsOf(parts: ForecasterParts, prepared: PreparedSet, windows: Windows, timed: boolean): WindowView[] {
  const { past, horizon, season, quantiles } = parts.settings;
  const { targets, interval } = parts.preparation;
  const naive = new Float64Array(horizon * targets.length);
  const views: WindowView[] = [];
  for (const { series: s, origin, point, quantiles: levels } of forecasts(parts, prepared, windows)) {
    const series = prepared.set.series[s]!;
    seasonalNaiveForecast({ values: series.targets, columns: targets.length }, origin, season, horizon, naive);
    const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
    // Each view shows one column, in turn.
    const column = views.length % targets.length;
    const valueAt = (t: number) => series.targets[t * targets.length + column]!;
    views.push({
      series: series.id,
      target: targets[column]!,
      pastTimes: range(origin - past, past).map((t) => timeAt(series, interval, t)),
      past: range(origin - past, past).map(valueAt),
      futureTimes: range(origin, horizon).map((t) => timeAt(series, interval, t)),
      actual: range(origin, horizon).map(valueAt),
      forecast: range(0, horizon).map((step) => point[step * targets.length + column]!),
      seasonalNaive: range(0, horizon).map((step) => naive[step * targets.length + column]!),
      quantiles: quantiles.map((level, q) => ({
        level,
        values: range(0, horizon).map((step) => levels[(step * targets.length + column) * quantiles.length + q]!),
      })),
      timed,
    });
  }
  return views;
}
