/** The default season of a sampling interval: after how many timesteps the pattern is expected to return. */
import type { Interval } from "./interval.ts";
import { dayMs, minuteMs } from "./time.ts";

/**
 * Timesteps in a season: a day for intervals of 5 minutes to 12 hours that divide it (hourly 24, 15 minutes 96), a week for days (7;
 * business days 5), a year for weeks (52), months (12), quarters (4) and other parts of a year; else 1, no season.
 */
export function defaultSeason(interval: Interval): number {
  switch (interval.kind) {
    case "index":
      return 1;
    case "businessDays":
      return 5;
    case "months":
      return 12 % interval.months === 0 ? 12 / interval.months : 1;
    case "fixed": {
      const { ms } = interval;
      if (ms === dayMs) return 7;
      if (ms === 7 * dayMs) return 52;
      // Below five minutes a day is more steps than a forecaster looks back on.
      return ms < dayMs && ms >= 5 * minuteMs && dayMs % ms === 0 ? dayMs / ms : 1;
    }
  }
}
