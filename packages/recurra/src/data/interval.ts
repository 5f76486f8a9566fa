/** The sampling interval: found from timestamps, counted in whole steps, and continued into the future. */
import { dayMs, formatDuration, utcDay } from "./time.ts";

/** How one timestep follows another. Plain data. */
export type Interval =
  /** No time column: rows are one step apart, whatever that is. */
  | { readonly kind: "index" }
  | { readonly kind: "fixed"; readonly ms: number }
  /** Calendar months, quarters (3) or years (12), on `day` of the month or the last day where the month is shorter. */
  | { readonly kind: "months"; readonly months: number; readonly day: number }
  /** Monday to Friday. Days may be left out as holidays: a row is one step after the row before it, however far. */
  | { readonly kind: "businessDays" };

/**
 * The interval that most neighbouring timestamps have. `seriesTimes` are the times of each series, ascending and without
 * duplicates. Months win where all times share day of the month and time of day; business days where no time lies
 * on a weekend and at most one weekday in ten is left out. Returns "index" when no series has two times.
 */
export function inferInterval(seriesTimes: readonly Float64Array[]): Interval {
  const months = calendarMonths(seriesTimes);
  if (months !== undefined) return months;
  const ms = mostCommon(seriesTimes, (from, to) => to - from);
  if (ms === undefined) return { kind: "index" };
  if (ms === dayMs && onBusinessDays(seriesTimes)) return { kind: "businessDays" };
  return { kind: "fixed", ms };
}

/** Steps from one time to a later one; undefined when the later one does not lie on the grid of the earlier. */
export function stepsBetween(interval: Interval, from: number, to: number): number | undefined {
  switch (interval.kind) {
    case "index":
    case "businessDays":
      return 1;
    case "fixed": {
      const steps = (to - from) / interval.ms;
      return Number.isInteger(steps) ? steps : undefined;
    }
    case "months": {
      const steps = (monthIndex(to) - monthIndex(from)) / interval.months;
      return Number.isInteger(steps) && addSteps(interval, from, steps) === to ? steps : undefined;
    }
  }
}

/**
 * The time `steps` steps after `time`. Months keep their day (31 January, 29 February, 31 March); business days go from
 * Friday to Monday and know no holidays. Without a time column, times are indices and one step is 1.
 */
export function addSteps(interval: Interval, time: number, steps: number): number {
  switch (interval.kind) {
    case "index":
      return time + steps;
    case "fixed":
      return time + steps * interval.ms;
    case "months":
      return onDayOfMonth(monthIndex(time) + steps * interval.months, interval.day) + timeOfDay(time);
    case "businessDays": {
      // Counted from a Monday, five steps are seven days. A weekend counts as the Friday before it.
      const day = Math.min(weekday(time), 4) + steps;
      return time - weekday(time) * dayMs + (Math.floor(day / 5) * 7 + day - 5 * Math.floor(day / 5)) * dayMs;
    }
  }
}

/** The `count` times after `last`. Milliseconds, or indices without a time column. */
export function continueTimes(interval: Interval, last: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, k) => addSteps(interval, last, k + 1));
}

/** The usual length of a step in milliseconds, for months and years the mean of 400 years; undefined for "index". */
export function intervalMs(interval: Interval): number | undefined {
  switch (interval.kind) {
    case "index":
      return undefined;
    case "fixed":
      return interval.ms;
    case "months":
      return (interval.months * 146_097 * dayMs) / 4800;
    case "businessDays":
      return dayMs;
  }
}

/** For people: "1 hour", "3 months", "1 business day". */
export function formatInterval(interval: Interval): string {
  switch (interval.kind) {
    case "index":
      return "1 row";
    case "fixed":
      return formatDuration(interval.ms);
    case "months":
      return `${interval.months} month${interval.months === 1 ? "" : "s"}`;
    case "businessDays":
      return "1 business day";
  }
}

/** 0 is Monday, 6 is Sunday, UTC. 1 January 1970 was a Thursday. */
export function weekday(time: number): number {
  return (((Math.floor(time / dayMs) + 3) % 7) + 7) % 7;
}

/** Weekdays that lie strictly between two times on weekdays: 0 from Friday to Monday. */
export function weekdaysBetween(from: number, to: number): number {
  return businessDay(to) - businessDay(from) - 1;
}

function businessDay(time: number): number {
  const days = Math.floor(time / dayMs) + 3;
  return Math.floor(days / 7) * 5 + Math.min(weekday(time), 4);
}

function calendarMonths(seriesTimes: readonly Float64Array[]): Interval | undefined {
  const months = mostCommon(seriesTimes, (from, to) => monthIndex(to) - monthIndex(from));
  if (months === undefined || months < 1) return undefined;
  let day = 0;
  let lastDays = true;
  for (const times of seriesTimes) {
    for (const time of times) {
      const date = new Date(time).getUTCDate();
      day = Math.max(day, date);
      lastDays &&= date === daysInMonth(monthIndex(time));
    }
  }
  if (lastDays) day = 31;
  for (const times of seriesTimes) {
    for (const time of times) {
      if (time !== onDayOfMonth(monthIndex(time), day) + timeOfDay(times[0]!)) return undefined;
    }
  }
  return { kind: "months", months, day };
}

function onBusinessDays(seriesTimes: readonly Float64Array[]): boolean {
  let steps = 0;
  let leftOut = 0;
  let weekends = 0;
  for (const times of seriesTimes) {
    for (const time of times) if (weekday(time) > 4 || timeOfDay(time) !== timeOfDay(times[0]!)) return false;
    for (let t = 1; t < times.length; t++) {
      steps++;
      leftOut += weekdaysBetween(times[t - 1]!, times[t]!);
      if (weekday(times[t]!) < weekday(times[t - 1]!) || times[t]! - times[t - 1]! >= 7 * dayMs) weekends++;
    }
  }
  return weekends > 0 && leftOut <= 0.1 * (steps + leftOut);
}

/** The most common difference of neighbours, the smaller of two equally common ones; undefined without neighbours. */
function mostCommon(
  seriesTimes: readonly Float64Array[],
  difference: (from: number, to: number) => number,
): number | undefined {
  const counts = new Map<number, number>();
  for (const times of seriesTimes) {
    for (let t = 1; t < times.length; t++) {
      const step = difference(times[t - 1]!, times[t]!);
      counts.set(step, (counts.get(step) ?? 0) + 1);
    }
  }
  return [...counts].sort(([a, countA], [b, countB]) => countB - countA || a - b)[0]?.[0];
}

function monthIndex(time: number): number {
  const date = new Date(time);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function daysInMonth(month: number): number {
  return new Date(utcDay(Math.floor(month / 12), (month % 12) + 1, 0)).getUTCDate();
}

function onDayOfMonth(month: number, day: number): number {
  return utcDay(Math.floor(month / 12), month % 12, Math.min(day, daysInMonth(month)));
}

function timeOfDay(time: number): number {
  return time - Math.floor(time / dayMs) * dayMs;
}
