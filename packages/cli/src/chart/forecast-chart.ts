/** The chart beside a model: a few test windows under each other, as one SVG file that needs nothing else. */
import type { WindowView } from "recurra/tasks";
import { timeWriter } from "../report/numbers.ts";
import { panel } from "./panel.ts";
import { element, escaped, page } from "./svg.ts";

const width = 820;
const margin = { left: 72, right: 24 } as const;
const headHeight = 76;
const panelHeight = 250;
/** Of a panel's height: for its title above and its times below. */
const above = 26;
const below = 40;

/** Undefined when there is no window to show. */
export function forecastChart(heading: string, views: readonly WindowView[]): string | undefined {
  if (views.length === 0) return undefined;
  const height = headHeight + panelHeight * views.length;
  const manySeries = new Set(views.map(({ series }) => series)).size > 1;
  const panels = views.map((view, k) =>
    panel(view, panelTitle(view, manySeries), {
      left: margin.left,
      top: headHeight + k * panelHeight + above,
      width: width - margin.left - margin.right,
      height: panelHeight - above - below,
    }),
  );
  const size = { width, height };
  return page(size, { heading, description: description(views), left: margin.left }, legend(views[0]!), ...panels);
}

function panelTitle({ series, target, futureTimes, timed }: WindowView, manySeries: boolean): string {
  const from = `from ${timed ? "" : "timestep "}${timeWriter(futureTimes, timed)(futureTimes[0]!)}`;
  return `${manySeries ? `${series}: ` : ""}${target} ${from}`;
}

function legend({ quantiles, seasonalNaive }: WindowView): string {
  const outer =
    quantiles.length > 1
      ? `${percent(quantiles[0]!.level)} to ${percent(quantiles.at(-1)!.level)} quantile`
      : undefined;
  const entries: readonly (readonly [kind: string, label: string])[] = [
    ["actual", "actual"],
    ["forecast", "forecast"],
    ...(seasonalNaive.length > 0 ? [["naive", "seasonal naive"] as const] : []),
    ...(outer === undefined ? [] : [["band", outer] as const]),
  ];
  let x = margin.left;
  const drawn = entries.map(([kind, label]) => {
    const mark =
      kind === "band"
        ? element("rect", { class: "band", x, y: 44, width: 26, height: 14 })
        : element("path", { class: `line ${kind}`, d: `M${x},51H${x + 26}` });
    const written = mark + element("text", { x: x + 33, y: 55 }, escaped(label));
    x += 33 + 7 * label.length + 26;
    return written;
  });
  return element("g", { "data-part": "legend" }, ...drawn);
}

function percent(level: number): string {
  return `${Number((100 * level).toFixed(2))}%`;
}

function description(views: readonly WindowView[]): string {
  const windows = views.map((view) => {
    const error = meanAbsoluteError(view.actual, view.forecast);
    const naive = meanAbsoluteError(view.actual, view.seasonalNaive);
    const told = error === undefined ? "" : `, mean absolute error ${error.toPrecision(3)}`;
    return `${panelTitle(view, true)}: ${view.forecast.length} timesteps${told}${naive === undefined ? "" : `, seasonal naive ${naive.toPrecision(3)}`}`;
  });
  return `Lines of the actual values, the forecast and the seasonal naive forecast. ${windows.join(". ")}.`;
}

function meanAbsoluteError(actual: readonly number[], forecast: readonly number[]): number | undefined {
  const errors = actual.flatMap((value, k) =>
    Number.isFinite(value - forecast[k]!) ? [Math.abs(value - forecast[k]!)] : [],
  );
  return errors.length === 0 ? undefined : errors.reduce((sum, error) => sum + error, 0) / errors.length;
}
