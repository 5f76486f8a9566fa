/** Times as text: reading ISO 8601 and printing it the way messages and charts show it. */

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

const iso =
  /^(\d{4})-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d{2}(?::?\d{2})?)?)?)?$/i;

/**
 * Milliseconds since 1970-01-01T00:00Z of `2016-07`, `2016-07-01`, `2016-07-01 13:00`, `2016-07-01T13:00:00.250+02:00`;
 * undefined for anything else, also for days that do not exist. Without a zone the time is read as UTC. Only year-first
 * forms are read: `03-01-00` could be any of three dates. Fractions below a millisecond are cut off.
 */
export function parseTime(text: string): number | undefined {
  const match = iso.exec(text.trim());
  if (match === null) return undefined;
  const [, year = "", month = "", day = "01", hour = "00", minute = "00", second = "00", fraction = "", zone] = match;
  if (Number(month) < 1 || Number(month) > 12) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const midnight = utcDay(Number(year), Number(month) - 1, Number(day));
  if (new Date(midnight).getUTCDate() !== Number(day)) return undefined;
  const clock = Number(hour) * hourMs + Number(minute) * minuteMs + Number(second) * 1000;
  return midnight + clock + Number(fraction.padEnd(3, "0").slice(0, 3)) - zoneOffset(zone);
}

/** `2016-07-01` at midnight, else `2016-07-01 13:00`, with seconds and milliseconds only where there are some. UTC. */
export function formatTime(ms: number): string {
  if (!Number.isFinite(new Date(ms).getTime())) return `the time ${ms}`;
  const [date = "", clock = ""] = new Date(ms).toISOString().split("T");
  if (ms % dayMs === 0) return date;
  if (ms % minuteMs === 0) return `${date} ${clock.slice(0, 5)}`;
  return `${date} ${ms % 1000 === 0 ? clock.slice(0, 8) : clock.slice(0, -1)}`;
}

/** `1 hour`, `15 minutes`, `7 days`: the largest unit that divides the duration. */
export function formatDuration(ms: number): string {
  const [unit, size] = units.find(([, size]) => ms % size === 0) ?? ["millisecond", 1];
  const count = ms / size;
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const units: readonly (readonly [name: string, ms: number])[] = [
  ["day", dayMs],
  ["hour", hourMs],
  ["minute", minuteMs],
  ["second", 1000],
];

/** Midnight UTC. Date.UTC alone reads the years 0 to 99 as 1900 to 1999. */
export function utcDay(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day);
}

function zoneOffset(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === "Z") return 0;
  const sign = zone.startsWith("-") ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * hourMs + Number(zone.slice(3).replace(":", "") || "0") * minuteMs);
}
