import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lastValueForecast, seasonalNaiveError, seasonalNaiveForecast } from "./baselines.ts";

const history = { values: Float64Array.of(1, -1, 2, -2, 3, -3, 4, -4, 5, -5), columns: 2 };

const forecast = (season: number, origin: number, horizon: number) => {
  const into = new Float64Array(horizon * 2);
  seasonalNaiveForecast(history, origin, season, horizon, into);
  return Array.from(into);
};

it("lastValueForecast repeats the value just before the origin", () => {
  const into = new Float64Array(4);
  lastValueForecast(history, 3, 2, into);
  expect(Array.from(into)).toEqual([3, -3, 3, -3]);
});

describe("seasonalNaiveForecast", () => {
  it("repeats the last whole season before the origin, again and again", () => {
    expect(forecast(3, 4, 5)).toEqual([2, -2, 3, -3, 4, -4, 2, -2, 3, -3]);
  });

  it("is the last value for a season of 1, and before a season is known", () => {
    expect(forecast(1, 4, 2)).toEqual([4, -4, 4, -4]);
    expect(forecast(6, 5, 2)).toEqual([5, -5, 5, -5]);
  });

  it("is exact on periodic series and sees nothing from the origin on", () => {
    const cycle = fc.array(fc.integer(), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(cycle, fc.nat(20), fc.integer({ min: 1, max: 20 }), (cycle, extra, horizon) => {
        const season = cycle.length;
        const origin = season + extra;
        const values = Array.from({ length: origin }, (_, t) => cycle[t % season]!);
        const into = new Float64Array(horizon);
        seasonalNaiveForecast({ values, columns: 1 }, origin, season, horizon, into);
        expect(Array.from(into)).toEqual(Array.from(into, (_, step) => cycle[(origin + step) % season]));
      }),
    );
  });
});

describe("seasonalNaiveError", () => {
  it("is the mean seasonal difference inside of the stretch", () => {
    const values = Float64Array.of(100, 1, 2, 4, 8, 100);
    expect(seasonalNaiveError({ values, columns: 1 }, { start: 1, end: 5 }, 2)).toEqual(Float64Array.of((3 + 6) / 2));
    expect(seasonalNaiveError(history, { start: 0, end: 5 }, 2)).toEqual(Float64Array.of(2, 2));
  });

  it("leaves out what was not observed, and is NaN when nothing is left", () => {
    const values = Float64Array.of(0, 9, 1, 3);
    expect(seasonalNaiveError({ values, columns: 1 }, { start: 0, end: 4 }, 1, Uint8Array.of(1, 0, 1, 1))).toEqual(
      Float64Array.of(2),
    );
    expect(seasonalNaiveError({ values, columns: 1 }, { start: 0, end: 4 }, 4)).toEqual(Float64Array.of(Number.NaN));
  });
});
