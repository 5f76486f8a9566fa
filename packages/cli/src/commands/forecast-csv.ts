/** A forecast as CSV: columns series, time, target, forecast and one per quantile (q0.1, q0.5, …). */
import type { ForecastResult } from "recurra/tasks";
import { timeWriter } from "../report/numbers.ts";

export function forecastCsv({ rows, quantiles, timed }: ForecastResult): string {
  const header = ["series", "time", "target", "forecast", ...quantiles.map((level) => `q${level}`)];
  const written = timeWriter(
    rows.map(({ time }) => time),
    timed,
  );
  const lines = rows.map((row) =>
    [cell(row.series), written(row.time), cell(row.target), ...[row.forecast, ...row.quantiles].map(number)].join(","),
  );
  return `${[header.join(","), ...lines].join("\n")}\n`;
}

/** Nine digits hold every float32, which is what the network computes in. */
function number(value: number): string {
  return String(Number(value.toPrecision(9)));
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
