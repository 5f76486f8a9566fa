/** Forecasts of many windows, and their errors beside those of the naive forecasts. */
import type { Windows } from "../../data/windows.ts";
import type { Model } from "../../train/model.ts";
import { lastValueForecast, seasonalNaiveForecast } from "./baselines.ts";
import { Feeder } from "./feeder.ts";
import { createErrorTotals } from "./metrics.ts";
import type { FeatureCounts } from "./network.ts";
import type { PreparedSet } from "./preparation.ts";
import type { Settings } from "./settings.ts";
import type { ErrorTable, Scores } from "./types.ts";

/** A forecaster's parts, as scoring and prediction need them. */
export interface Trained {
  readonly model: Model;
  readonly settings: Settings;
  readonly features: FeatureCounts;
}

/** The forecast of one window in original units. */
export interface WindowForecast {
  readonly window: number;
  readonly series: number;
  readonly origin: number;
  /** [horizon, targets]; see `ForecastOptions.quantiles` for when it is the median. */
  readonly point: Float64Array;
  /** [horizon, targets, quantiles], ascending at each place. */
  readonly quantiles: Float64Array;
}

const rowsAtOnce = 1024;

/** Forecasts window after window; the arrays are reused, so look before asking for the next. */
export function* forecasts(
  trained: Trained,
  prepared: PreparedSet,
  windows: Windows,
  withFuture = true,
): Generator<WindowForecast> {
  const { model, settings, features } = trained;
  const { horizon, outputSegment, quantiles } = settings;
  const { targets } = features;
  // Trained for the absolute error, the point forecast is a median too; a second one beside it could lie outside the quantiles.
  const median = settings.loss === "mae" ? quantiles.indexOf(0.5) : -1;
  const feeder = new Feeder(prepared, windows, settings, features, withFuture);
  const perBatch = Math.max(1, Math.floor(rowsAtOnce / targets));
  const width = outputSegment * (1 + quantiles.length);
  const point = new Float64Array(horizon * targets);
  const levels = new Float64Array(horizon * targets * quantiles.length);
  for (let start = 0; start < windows.count; start += perBatch) {
    const picks = Int32Array.from({ length: Math.min(perBatch, windows.count - start) }, (_, i) => start + i);
    const output = model.predict(feeder.batch(picks))["forecast"]!;
    for (let i = 0; i < picks.length; i++) {
      for (let column = 0; column < targets; column++) {
        const row = (i * targets + column) * (horizon / outputSegment) * width;
        for (let step = 0; step < horizon; step++) {
          const at = row + Math.floor(step / outputSegment) * width + (step % outputSegment);
          const slot = step * targets + column;
          point[slot] = feeder.restore(i, picks, column, step, output[at]!);
          for (let q = 0; q < quantiles.length; q++) {
            levels[slot * quantiles.length + q] = feeder.restore(
              i,
              picks,
              column,
              step,
              output[at + (1 + q) * outputSegment]!,
            );
          }
          // Sorted, quantiles cannot cross; sorting never makes the pinball loss worse (Chernozhukov et al. 2010).
          if (quantiles.length > 1) levels.subarray(slot * quantiles.length, (slot + 1) * quantiles.length).sort();
          if (median >= 0) point[slot] = levels[slot * quantiles.length + median]!;
        }
      }
      const window = picks[i]!;
      yield { window, series: windows.series[window]!, origin: windows.origin[window]!, point, quantiles: levels };
    }
  }
}

/** Errors of the model and of both naive forecasts on windows whose future is known. Filled values do not count. */
export function score(trained: Trained, prepared: PreparedSet, windows: Windows): Scores {
  const { settings, features } = trained;
  const { horizon, season, quantiles } = settings;
  const { targets } = features;
  const deviation = prepared.scales.flatMap((scale) => scale.deviation);
  const naiveError = prepared.scales.flatMap((scale) => scale.naiveError.map((value) => value ?? Number.NaN));
  const account = (levels: readonly number[]) => ({
    all: createErrorTotals({ targets, deviation, naiveError, quantiles: levels }),
    lastStep: createErrorTotals({ targets, deviation, naiveError }),
  });
  const accounts = { model: account(quantiles), seasonalNaive: account([]), lastValue: account([]) };
  const naive = new Float64Array(horizon * targets);
  for (const forecast of forecasts(trained, prepared, windows)) {
    const { series, origin } = forecast;
    const { targets: values, observed } = prepared.set.series[series]!;
    const history = { values, columns: targets };
    const addAll = ({ all, lastStep }: ReturnType<typeof account>, point: Float64Array, levels?: Float64Array) => {
      for (let slot = 0; slot < horizon * targets; slot++) {
        const at = origin * targets + slot;
        if (observed !== undefined && observed[at] !== 1) continue;
        const column = slot % targets;
        all.add(series, column, values[at]!, point[slot]!, levels, slot * quantiles.length);
        if (slot >= (horizon - 1) * targets) lastStep.add(series, column, values[at]!, point[slot]!);
      }
    };
    addAll(accounts.model, forecast.point, quantiles.length > 0 ? forecast.quantiles : undefined);
    seasonalNaiveForecast(history, origin, season, horizon, naive);
    addAll(accounts.seasonalNaive, naive);
    lastValueForecast(history, origin, horizon, naive);
    addAll(accounts.lastValue, naive);
  }
  const resultOf = ({ all, lastStep }: ReturnType<typeof account>): ErrorTable => {
    const { mse, mae, rse } = lastStep.result();
    return { ...all.result(), lastStep: { mse, mae, rse } };
  };
  return {
    model: resultOf(accounts.model),
    seasonalNaive: resultOf(accounts.seasonalNaive),
    lastValue: resultOf(accounts.lastValue),
  };
}

/** Evenly spaced windows, at most `most` of them, in order. */
export function thinned(windows: Windows, most: number): Windows {
  if (windows.count <= most) return windows;
  const picks = Int32Array.from({ length: most }, (_, i) => Math.floor((i * windows.count) / most));
  return {
    ...windows,
    count: most,
    series: picks.map((w) => windows.series[w]!),
    origin: picks.map((w) => windows.origin[w]!),
  };
}

export type NaiveForecaster = "seasonalNaive" | "lastValue";

/** The naive forecast with the smaller mean absolute error, and what it is called in a sentence. */
export function betterNaive(
  { seasonalNaive, lastValue }: Pick<Scores, NaiveForecaster>,
  season: number,
): { readonly forecaster: NaiveForecaster; readonly name: string; readonly mae: number } {
  return season > 1 && seasonalNaive.mae < lastValue.mae
    ? { forecaster: "seasonalNaive", name: "seasonal naive", mae: seasonalNaive.mae }
    : { forecaster: "lastValue", name: "the last value", mae: lastValue.mae };
}

/** Who wins, in a sentence, by mean absolute error. */
export function verdict(scores: Scores, season: number): string {
  const { model } = scores;
  const better = betterNaive(scores, season);
  if (Number.isNaN(model.mae)) return "No value of the test part was observed, so nothing is said about new data.";
  const gain = model.mae === better.mae ? 0 : 1 - model.mae / better.mae;
  if (gain < -1) {
    const times = Number.isFinite(gain)
      ? `${Number((1 - gain).toPrecision(3)).toLocaleString("en-US")} times as high`
      : "higher, and that of the naive forecast is 0";
    return `On the test part the model does not beat ${better.name}: its mean absolute error is ${times}. Do not use it as it is.`;
  }
  const percent = `${(Math.abs(gain) * 100).toFixed(1)} %`;
  if (gain > 0.005)
    return `On the test part the model beats ${better.name}, the better naive forecast, by ${percent} in mean absolute error.`;
  if (gain >= -0.005)
    return `On the test part the model is level with ${better.name} (within 0.5 % in mean absolute error): use ${better.name}, it is simpler.`;
  return `On the test part the model does not beat ${better.name}: its mean absolute error is ${percent} higher. Do not use it as it is.`;
}
