import { describe, expect, it } from "vitest";
import type { Windows } from "../../data/windows.ts";
import { thinned, verdict } from "./scoring.ts";
import type { ErrorTable, Scores } from "./types.ts";

const errors = (mae: number): ErrorTable => ({
  mse: mae ** 2,
  mae,
  rmse: mae,
  smape: mae,
  mase: mae,
  rse: mae,
  scaled: { mse: mae, mae },
});
const scores = (model: number, seasonalNaive: number, lastValue: number): Scores => ({
  model: errors(model),
  seasonalNaive: errors(seasonalNaive),
  lastValue: errors(lastValue),
});

describe("verdict", () => {
  it.each([
    [
      scores(1, 2, 4),
      24,
      "On the test part the model beats seasonal naive, the better naive forecast, by 50.0 % in mean absolute error.",
    ],
    [
      scores(3, 8, 4),
      24,
      "On the test part the model beats the last value, the better naive forecast, by 25.0 % in mean absolute error.",
    ],
    [
      scores(3, 2, 4),
      1,
      "On the test part the model beats the last value, the better naive forecast, by 25.0 % in mean absolute error.",
    ],
    [
      scores(4.01, 8, 4),
      24,
      "On the test part the model is level with the last value (within 0.5 % in mean absolute error): use the last value, it is simpler.",
    ],
    [
      scores(5, 8, 4),
      24,
      "On the test part the model does not beat the last value: its mean absolute error is 25.0 % higher. Do not use it as it is.",
    ],
    [
      scores(12_000, 8, 4),
      24,
      "On the test part the model does not beat the last value: its mean absolute error is 3,000 times as high. Do not use it as it is.",
    ],
    [
      scores(1, 0, 4),
      24,
      "On the test part the model does not beat seasonal naive: its mean absolute error is higher, and that of the naive forecast is 0. Do not use it as it is.",
    ],
    [
      scores(0, 0, 0),
      24,
      "On the test part the model is level with the last value (within 0.5 % in mean absolute error): use the last value, it is simpler.",
    ],
    [
      scores(Number.NaN, Number.NaN, Number.NaN),
      24,
      "No value of the test part was observed, so nothing is said about new data.",
    ],
  ])("is honest: %#", (given, season, words) => {
    expect(verdict(given, season)).toBe(words);
  });
});

describe("thinned", () => {
  const windows = (count: number): Windows => ({
    past: 4,
    horizon: 2,
    count,
    series: Int32Array.from({ length: count }, (_, w) => w % 3),
    origin: Int32Array.from({ length: count }, (_, w) => 100 + w),
  });

  it("keeps evenly spaced windows in order, each with its own series", () => {
    const { count, series, origin } = thinned(windows(10), 4);
    expect([count, Array.from(origin), Array.from(series)]).toEqual([4, [100, 102, 105, 107], [0, 2, 2, 1]]);
  });

  it("keeps all where there are few", () => {
    expect(thinned(windows(3), 4).count).toBe(3);
  });
});
