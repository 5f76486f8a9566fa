import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addSteps,
  continueTimes,
  formatInterval,
  type Interval,
  inferInterval,
  intervalMs,
  stepsBetween,
  weekdaysBetween,
} from "./interval.ts";
import { formatTime, parseTime } from "./time.ts";

const times = (...texts: string[]) => Float64Array.from(texts, (text) => parseTime(text)!);
const next = (interval: Interval, from: string, count: number) => {
  return Array.from(continueTimes(interval, parseTime(from)!, count), formatTime);
};
const hour = 3_600_000;

describe("inferInterval", () => {
  it("takes the most common step of all series", () => {
    const hourly = Float64Array.of(0, 1, 2, 5, 6).map((t) => t * hour);
    expect(inferInterval([hourly, Float64Array.of(0, 2 * hour)])).toEqual({ kind: "fixed", ms: hour });
    expect(inferInterval([Float64Array.of(0, 2, 4, 5, 7).map((t) => t * hour)])).toEqual({
      kind: "fixed",
      ms: 2 * hour,
    });
  });

  it("sees months, quarters and years behind unequal milliseconds", () => {
    expect(inferInterval([times("1949-01", "1949-02", "1949-03")])).toEqual({ kind: "months", months: 1, day: 1 });
    expect(inferInterval([times("2020-01-15", "2020-04-15", "2020-07-15")])).toEqual({
      kind: "months",
      months: 3,
      day: 15,
    });
    expect(inferInterval([times("2019-12-31", "2020-12-31", "2021-12-31")])).toEqual({
      kind: "months",
      months: 12,
      day: 31,
    });
    expect(inferInterval([times("2020-01-31", "2020-02-29", "2020-03-31")])).toEqual({
      kind: "months",
      months: 1,
      day: 31,
    });
    expect(inferInterval([times("2020-06-30", "2020-09-30")])).toEqual({ kind: "months", months: 3, day: 31 });
    // July and August both have 31 days: still months, not steps of 31 days.
    expect(inferInterval([times("2020-07-01", "2020-08-01", "2020-09-01")])).toEqual({
      kind: "months",
      months: 1,
      day: 1,
    });
  });

  it("sees trading days, holidays included", () => {
    const trading: number[] = [];
    for (let day = 0; day < 200; day++) {
      const date = Date.UTC(2000, 0, 3) + day * 24 * hour;
      if (new Date(date).getUTCDay() % 6 !== 0 && day !== 14 && day !== 30) trading.push(date);
    }
    expect(inferInterval([Float64Array.from(trading)])).toEqual({ kind: "businessDays" });
    const withOneSunday = [...trading, Date.UTC(2000, 0, 9)].sort((a, b) => a - b);
    expect(inferInterval([Float64Array.from(withOneSunday)])).toEqual({ kind: "fixed", ms: 24 * hour });
    const sparse = trading.filter((_, k) => k % 10 < 7);
    expect(inferInterval([Float64Array.from(sparse)])).toEqual({ kind: "fixed", ms: 24 * hour });
  });

  it("takes five days of one week for days, and knows nothing from single times", () => {
    expect(inferInterval([times("2024-01-01", "2024-01-02", "2024-01-03")])).toEqual({ kind: "fixed", ms: 24 * hour });
    expect(inferInterval([Float64Array.of(5), Float64Array.of(9)])).toEqual({ kind: "index" });
  });
});

describe("continueTimes", () => {
  it("keeps the day of the month, and the last day where the month is shorter", () => {
    expect(next({ kind: "months", months: 1, day: 31 }, "2023-12-31", 4)).toEqual([
      "2024-01-31",
      "2024-02-29",
      "2024-03-31",
      "2024-04-30",
    ]);
    expect(next({ kind: "months", months: 3, day: 1 }, "1999-10-01 06:00", 2)).toEqual([
      "2000-01-01 06:00",
      "2000-04-01 06:00",
    ]);
  });

  it("goes from Friday to Monday on business days", () => {
    expect(next({ kind: "businessDays" }, "2018-08-30", 3)).toEqual(["2018-08-31", "2018-09-03", "2018-09-04"]);
    expect(next({ kind: "businessDays" }, "2018-09-01", 2)).toEqual(["2018-09-03", "2018-09-04"]);
  });

  it("counts on without a time column", () => {
    expect(Array.from(continueTimes({ kind: "index" }, 9, 2))).toEqual([10, 11]);
  });

  it("agrees with stepsBetween, step by step and at once", () => {
    const intervals = fc.oneof(
      fc.record({ kind: fc.constant("fixed" as const), ms: fc.integer({ min: 1, max: 10 ** 9 }) }),
      fc.record({
        kind: fc.constant("months" as const),
        months: fc.integer({ min: 1, max: 24 }),
        day: fc.integer({ min: 1, max: 31 }),
      }),
    );
    fc.assert(
      fc.property(
        intervals,
        fc.integer({ min: -1000, max: 1000 }),
        fc.integer({ min: 0, max: 50 }),
        (interval, start, steps) => {
          const from = addSteps(interval, Date.UTC(2000, 0, 1), start);
          const to = addSteps(interval, from, steps);
          expect(stepsBetween(interval, from, to)).toBe(steps);
          expect(stepsBetween(interval, from, to + 1)).toBe(
            interval.kind === "fixed" && interval.ms === 1 ? steps + 1 : undefined,
          );
          if (steps > 0) expect(continueTimes(interval, from, steps).at(-1)).toBe(to);
        },
      ),
    );
  });

  it("never lands on a weekend and leaves no weekday out on business days", () => {
    fc.assert(
      fc.property(fc.integer({ min: -20000, max: 20000 }), (day) => {
        const all = continueTimes({ kind: "businessDays" }, day * 24 * hour, 12);
        for (const time of all) expect([1, 2, 3, 4, 5]).toContain(new Date(time).getUTCDay());
        for (let k = 1; k < all.length; k++) expect(weekdaysBetween(all[k - 1]!, all[k]!)).toBe(0);
      }),
    );
  });
});

it("names and measures intervals", () => {
  const month: Interval = { kind: "months", months: 1, day: 1 };
  expect(
    [{ kind: "fixed", ms: hour } as const, month, { kind: "businessDays" } as const, { kind: "index" } as const].map(
      formatInterval,
    ),
  ).toEqual(["1 hour", "1 month", "1 business day", "1 row"]);
  expect(intervalMs(month)).toBe(30.436875 * 24 * hour);
  expect(intervalMs({ kind: "index" })).toBeUndefined();
});
