/** Calendar features: the position in the day, week, month and year as points on a circle. */
import { DataError, OptionError, unknownName } from "../base/errors.ts";
import { type Interval, weekday } from "./interval.ts";
import { dayMs, utcDay } from "./time.ts";

export const calendarFeatures = ["hour", "weekday", "day", "month", "dayOfYear"] as const;
export type CalendarFeature = (typeof calendarFeatures)[number];

/**
 * The features that "auto" stands for: those that change from step to step within their cycle.
 *
 * Steps that are not whole days get the hour; steps that are not whole weeks the weekday; steps below 28 days the day of the
 * month and the day of the year; steps of months the month. Month and day of the year tell the same story, so "auto"
 * never takes both. Given lists are checked and returned in the order of `calendarFeatures`. Without a time column "auto" is none.
 * @throws OptionError for an unknown or repeated feature, DataError for features without a time column.
 */
export function chooseCalendar(
  choice: "auto" | "none" | readonly CalendarFeature[],
  interval: Interval,
): readonly CalendarFeature[] {
  if (choice === "none") return [];
  if (choice === "auto") return calendarFeatures.filter((feature) => varies(feature, interval));
  for (const feature of choice) {
    if (!calendarFeatures.includes(feature)) throw unknownName("calendar feature", feature, calendarFeatures);
  }
  if (new Set(choice).size < choice.length) {
    throw new OptionError({
      where: "calendar",
      given: choice.join(", "),
      expected: "each feature once",
      mend: "leave out the repeated one",
    });
  }
  if (choice.length > 0 && interval.kind === "index") {
    throw new DataError({
      where: "calendar",
      given: choice.join(", "),
      expected: "none, because the data has no time column",
      mend: "add a time column, or ask for no calendar features",
    });
  }
  return calendarFeatures.filter((feature) => choice.includes(feature));
}

/** Names of the columns that `calendarMatrix` makes: "hour sin", "hour cos", … */
export function calendarColumns(features: readonly CalendarFeature[]): readonly string[] {
  return features.flatMap((feature) => [`${feature} sin`, `${feature} cos`]);
}

/**
 * Sine and cosine of 2π times the position of each time in the cycle of each feature: [times, 2 · features], all in −1 … 1.
 *
 * Positions in UTC: the hour with its minutes / 24; the weekday / 7 from Monday 0; (day of the month − 1) / days in that
 * month; the month / 12 from January 0; (day of the year − 1) / days in that year. `times` in milliseconds.
 */
export function calendarMatrix(features: readonly CalendarFeature[], times: ArrayLike<number>): Float64Array {
  const columns = 2 * features.length;
  const matrix = new Float64Array(times.length * columns);
  for (let t = 0; t < times.length; t++) {
    for (let k = 0; k < features.length; k++) {
      const angle = 2 * Math.PI * positions[features[k]!](times[t]!);
      matrix[t * columns + 2 * k] = Math.sin(angle);
      matrix[t * columns + 2 * k + 1] = Math.cos(angle);
    }
  }
  return matrix;
}

const positions: { readonly [F in CalendarFeature]: (time: number) => number } = {
  hour: (time) => time / dayMs - Math.floor(time / dayMs),
  weekday: (time) => weekday(time) / 7,
  day(time) {
    const date = new Date(time);
    const days = new Date(utcDay(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
    return (date.getUTCDate() - 1) / days;
  },
  month: (time) => new Date(time).getUTCMonth() / 12,
  dayOfYear(time) {
    const year = new Date(time).getUTCFullYear();
    const start = utcDay(year, 0, 1);
    return Math.floor((time - start) / dayMs) / ((utcDay(year + 1, 0, 1) - start) / dayMs);
  },
};

function varies(feature: CalendarFeature, interval: Interval): boolean {
  switch (interval.kind) {
    case "index":
      return false;
    case "months":
      return feature === "month" && interval.months % 12 !== 0;
    case "businessDays":
      return feature === "weekday" || feature === "day" || feature === "dayOfYear";
    case "fixed":
      switch (feature) {
        case "hour":
          return interval.ms % dayMs !== 0;
        case "weekday":
          return interval.ms % (7 * dayMs) !== 0;
        case "day":
        case "dayOfYear":
          return interval.ms < 28 * dayMs;
        case "month":
          return false;
      }
  }
}
