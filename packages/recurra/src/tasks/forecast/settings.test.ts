import { describe, expect, it } from "vitest";
import { cells } from "../../cells/registry.ts";
import type { Interval } from "../../data/interval.ts";
import { checkOptions, resolveSettings } from "./settings.ts";
import type { ForecastOptions } from "./types.ts";

const hourly: Interval = { kind: "fixed", ms: 3_600_000 };
const needed = { target: "y", horizon: 24 };
const resolved = (options: Partial<ForecastOptions> = {}, ...rest: [Interval?, boolean?]) =>
  resolveSettings({ ...needed, ...options }, rest[0] ?? hourly, rest[1] ?? false);

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message; // everything thrown here is an Error
  }
  return "no error";
}

describe("resolveSettings", () => {
  it("looks back on four seasons, or twice the horizon in whole seasons where that is more", () => {
    expect(resolved()).toMatchObject({ season: 24, past: 96 });
    expect(resolved({ horizon: 100 })).toMatchObject({ past: 216 });
    expect(resolved({ horizon: 3 }, { kind: "index" })).toMatchObject({ season: 1, past: 16 });
    expect(resolved({ horizon: 12 }, { kind: "months", months: 1, day: 1 })).toMatchObject({ season: 12, past: 48 });
  });

  it("cuts past and horizon into whole segments", () => {
    for (const past of [1, 7, 24, 96, 100, 336, 720, 8760]) {
      for (const horizon of [1, 5, 24, 48, 97]) {
        const { segment, outputSegment } = resolved({ past, horizon });
        expect([past % segment, horizon % outputSegment]).toEqual([0, 0]);
        expect(outputSegment).toBeLessThanOrEqual(segment);
      }
    }
  });

  it("keeps what was given", () => {
    const given = { past: 50, segment: 10, season: 7, loss: "huber", cell: "lstm", seed: 9, patience: 2 } as const;
    expect(resolved(given)).toMatchObject(given);
  });

  it("takes calendar features from the interval where that is asked for, and none otherwise", () => {
    expect(resolved().calendar).toEqual([]);
    expect(resolved({ calendar: "auto" }).calendar).toContain("hour");
    expect(resolved({ calendar: ["month"] }).calendar).toEqual(["month"]);
  });

  it("marks filled values where there are some", () => {
    expect(resolved({}, hourly, true).masked).toBe(true);
    expect(resolved({}, hourly, false).masked).toBe(false);
  });

  it("refuses a segment that does not divide the past, with two that would fit", () => {
    expect(() => resolved({ past: 50, segment: 7 })).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: segment is 7, expected a divisor of past, which is 50.
      Choose segment 5 or past 49.]
    `);
  });

  it("refuses a residual that looks back further than the past", () => {
    expect(() => resolved({ past: 12, residual: "seasonalNaive" })).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: past is 12, expected at least 24 for residual "seasonalNaive".
      Look back further, or forecast no residual.]
    `);
    expect(resolved({ past: 24, residual: "seasonalNaive" }).residual).toBe("seasonalNaive");
  });
});

describe("checkOptions", () => {
  it.each([
    [{ horizon: 0 }, "horizon is 0, expected 1, 2, 3, ….\nGive a whole number."],
    [{ past: 2.5 }, "past is 2.5, expected 1, 2, 3, ….\nGive a whole number."],
    [{ batchSize: Number.NaN }, "batchSize is NaN, expected 1, 2, 3, ….\nGive a whole number."],
    [{ learningRate: 0 }, "learningRate is 0, expected a positive number.\nGive a number in this range."],
    [
      { clipNorm: Number.POSITIVE_INFINITY },
      "clipNorm is Infinity, expected a positive number.\nGive a number in this range.",
    ],
    [{ dropout: 1 }, "dropout is 1, expected at least 0 and below 1.\nGive a number in this range."],
    [{ seed: -1 }, "seed is -1, expected a whole number, 0 or more.\nGive a number in this range."],
    [
      { quantiles: [0.5, 0.5] },
      "quantiles is 0.5, 0.5, expected levels between 0 and 1, ascending.\nFor example 0.1, 0.5, 0.9.",
    ],
    [
      { quantiles: [0, 0.5] },
      "quantiles is 0, 0.5, expected levels between 0 and 1, ascending.\nFor example 0.1, 0.5, 0.9.",
    ],
    [{ cell: "gur" }, `cell is unknown: "gur", expected one of ${Object.keys(cells).join(", ")}.\nDid you mean "gru"?`],
  ] as [Partial<ForecastOptions>, string][])("refuses %j", (options, message) => {
    expect(messageOf(() => checkOptions({ ...needed, ...options }))).toBe(message);
  });

  it("accepts what is in range", () => {
    expect(() =>
      checkOptions({ ...needed, quantiles: [0.1, 0.9], dropout: 0, seed: 0, learningRate: 1e6 }),
    ).not.toThrow();
  });
});
