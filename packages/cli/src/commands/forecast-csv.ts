/** A forecast as CSV: columns series, time, target, forecast and one per quantile (q0.1, q0.5, …). */
import type { ForecastResult } from "recurra/tasks";
import { timestamp } from "../report/numbers.ts";

export function forecastCsv({ rows, quantiles, timed }: ForecastResult): string {
  const header = ["series", "time", "target", "forecast", ...quantiles.map((level) => `q${level}`)];
  const lines = rows.map((row) =>
    [cell(row.series), timestamp(row.time, timed), cell(row.target), row.forecast, ...row.quantiles].join(","),
  );
  return `${[header.join(","), ...lines].join("\n")}\n`;
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
