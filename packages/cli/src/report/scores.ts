/** The table of errors: the model beside the naive forecasts, on every part. */
import type { ErrorTable, Forecasters, Scores } from "recurra/tasks";
import { alignTable, short } from "./numbers.ts";

interface Measure {
  readonly title: string;
  readonly of: (errors: ErrorTable) => number | undefined;
  readonly print: (value: number) => string;
}

const measures: readonly Measure[] = [
  { title: "MAE", of: (errors) => errors.mae, print: short },
  { title: "RMSE", of: (errors) => errors.rmse, print: short },
  { title: "sMAPE", of: (errors) => errors.smape, print: (value) => percent(value, short) },
  { title: "MASE", of: (errors) => errors.mase, print: short },
  { title: "quantile loss", of: (errors) => errors.quantileLoss, print: short },
  {
    title: "coverage",
    of: (errors) => errors.coverage,
    print: (value) => percent(100 * value, (share) => share.toFixed(1)),
  },
];

export const forecasterNames: Readonly<Record<Forecasters, string>> = {
  model: "model",
  seasonalNaive: "seasonal naive",
  lastValue: "last value",
};
const forecasters = Object.keys(forecasterNames) as readonly Forecasters[]; // the keys of the table above

function percent(value: number, print: (value: number) => string): string {
  return Number.isFinite(value) ? `${print(value)}%` : short(value);
}

/** Measures that no forecaster has, such as coverage without quantiles, are left out. */
export function scoreTable(parts: readonly (readonly [title: string, scores: Scores])[]): string {
  const shown = measures.filter(({ of }) =>
    parts.some(([, scores]) => forecasters.some((name) => of(scores[name]) !== undefined)),
  );
  const rows: string[][] = [["", ...shown.map(({ title }) => title)]];
  for (const [title, scores] of parts) {
    rows.push([title]);
    for (const name of forecasters) {
      const cells = shown.map(({ of, print }) => {
        const value = of(scores[name]);
        return value === undefined ? "–" : print(value);
      });
      rows.push([`  ${forecasterNames[name]}`, ...cells]);
    }
  }
  return alignTable(rows);
}
