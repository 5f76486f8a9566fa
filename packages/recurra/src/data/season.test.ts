import { expect, it } from "vitest";
import { defaultSeason } from "./season.ts";

const minute = 60_000;

it.each([
  ["hourly", 60 * minute, 24],
  ["every 15 minutes", 15 * minute, 96],
  ["every 30 minutes", 30 * minute, 48],
  ["every 4 hours", 240 * minute, 6],
  ["daily", 1440 * minute, 7],
  ["weekly", 7 * 1440 * minute, 52],
  ["every minute", minute, 1],
  ["every 7 minutes", 7 * minute, 1],
  ["every 2 days", 2 * 1440 * minute, 1],
])("takes the season of data sampled %s", (_, ms, season) => {
  expect(defaultSeason({ kind: "fixed", ms })).toBe(season);
});

it("takes a year of months, quarters and years, a week of business days, and none without times", () => {
  expect([1, 3, 6, 12, 5].map((months) => defaultSeason({ kind: "months", months, day: 1 }))).toEqual([12, 4, 2, 1, 1]);
  expect(defaultSeason({ kind: "businessDays" })).toBe(5);
  expect(defaultSeason({ kind: "index" })).toBe(1);
});
