import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CalendarFeature, calendarColumns, calendarFeatures, calendarMatrix, chooseCalendar } from "./calendar.ts";
import type { Interval } from "./interval.ts";
import { parseTime } from "./time.ts";

const hourly: Interval = { kind: "fixed", ms: 3_600_000 };
const daily: Interval = { kind: "fixed", ms: 86_400_000 };

describe("chooseCalendar", () => {
  it("picks what varies from step to step", () => {
    const auto = (interval: Interval) => chooseCalendar("auto", interval);
    expect(auto(hourly)).toEqual(["hour", "weekday", "day", "dayOfYear"]);
    expect(auto(daily)).toEqual(["weekday", "day", "dayOfYear"]);
    expect(auto({ kind: "businessDays" })).toEqual(["weekday", "day", "dayOfYear"]);
    expect(auto({ kind: "fixed", ms: 7 * 86_400_000 })).toEqual(["day", "dayOfYear"]);
    expect(auto({ kind: "months", months: 1, day: 1 })).toEqual(["month"]);
    expect(auto({ kind: "months", months: 12, day: 1 })).toEqual([]);
    expect(auto({ kind: "index" })).toEqual([]);
    expect(chooseCalendar("none", hourly)).toEqual([]);
  });

  it("keeps a given list in the order of the calendar", () => {
    expect(chooseCalendar(["month", "hour"], hourly)).toEqual(["hour", "month"]);
  });

  it("refuses unknown and repeated features, and any without times", () => {
    // A caller without types may pass any text.
    expect(() => chooseCalendar(["weekdays" as CalendarFeature], hourly)).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: calendar feature is unknown: "weekdays", expected one of hour, weekday, day, month, dayOfYear.
      Did you mean "weekday"?]
    `);
    expect(() => chooseCalendar(["hour", "hour"], hourly)).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: calendar is hour, hour, expected each feature once.
      Leave out the repeated one.]
    `);
    expect(() => chooseCalendar(["hour"], { kind: "index" })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: calendar is hour, expected none, because the data has no time column.
      Add a time column, or ask for no calendar features.]
    `);
  });
});

describe("calendarMatrix", () => {
  it("puts noon opposite midnight, Monday at the top, and 31 December just before 1 January", () => {
    // Monday 1 January 2024; noon of Thursday 1 February 2024; 31 December 2024, day 366 of 366.
    const times = ["2024-01-01", "2024-02-01 12:00", "2024-12-31"].map((text) => parseTime(text)!);
    const rows = calendarMatrix(calendarFeatures, times);
    const point = (share: number) => [Math.sin(2 * Math.PI * share), Math.cos(2 * Math.PI * share)];
    const expected = [
      [0, 0, 0, 0, 0].flatMap(point),
      [1 / 2, 3 / 7, 0, 1 / 12, 31 / 366].flatMap(point),
      [0, 1 / 7, 30 / 31, 11 / 12, 365 / 366].flatMap(point),
    ].flat();
    expect(rows.length).toBe(expected.length);
    for (const [k, value] of expected.entries()) expect(rows[k]).toBeCloseTo(value, 12);
    expect(calendarColumns(["hour", "month"])).toEqual(["hour sin", "hour cos", "month sin", "month cos"]);
  });

  it("lies on the unit circle at any time", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(10 ** 13), max: 10 ** 13 }), (time) => {
        const row = calendarMatrix(calendarFeatures, [time]);
        for (let k = 0; k < row.length; k += 2) expect(Math.hypot(row[k]!, row[k + 1]!)).toBeCloseTo(1, 12);
      }),
    );
  });
});
