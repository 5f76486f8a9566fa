/** Errors of compared cells, a row for each: every seed a dot, validation and test, beside the naive forecasts. One SVG file. */
import { scaleLinear } from "d3-scale";
import type { Comparison } from "recurra/tasks";
import { element, escaped, page } from "./svg.ts";

const width = 820;
const margin = { left: 160, right: 24 } as const;
const headHeight = 82;
const rowHeight = 34;
const footHeight = 36;

interface Row {
  readonly name: string;
  readonly validation: readonly number[];
  readonly test: readonly number[];
}

export function comparisonChart(comparison: Comparison, target: string): string {
  const { candidates, runs, baselines, source, verdict } = comparison;
  const naive = (forecaster: "seasonalNaive" | "lastValue", name: string): Row => ({
    name,
    validation: [baselines.validation[forecaster].mae],
    test: [baselines.test[forecaster].mae],
  });
  const rows: readonly Row[] = [
    ...candidates.map(({ cell, seeds }): Row => {
      const own = runs.filter((run) => run.cell === cell && seeds.includes(run.seed));
      const errors = (part: "validation" | "test") => own.map(({ metrics }) => metrics[part].model.mae);
      return { name: cell, validation: errors("validation"), test: errors("test") };
    }),
    naive("seasonalNaive", "seasonal naive"),
    naive("lastValue", "last value"),
  ];
  const all = rows.flatMap(({ validation, test }) => [...validation, ...test]).filter(Number.isFinite);
  const bottom = headHeight + rows.length * rowHeight;
  const x = scaleLinear([0, Math.max(...all) || 1], [margin.left, width - margin.right]).nice(5);
  const format = x.tickFormat(5);
  const ticks = x
    .ticks(5)
    .map(
      (value) =>
        element("line", { class: "grid", x1: x(value), x2: x(value), y1: headHeight, y2: bottom }) +
        element("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, escaped(format(value))),
    );
  const dots = (kind: string, values: readonly number[], y: number) =>
    values
      .filter(Number.isFinite)
      .map((value) => element("circle", { class: `line ${kind}`, cx: x(value), cy: y, r: 4 }))
      .join("");
  const drawn = rows.map(({ name, validation, test }, k) => {
    const y = headHeight + (k + 0.5) * rowHeight;
    return (
      element("text", { x: margin.left - 12, y: y + 4, "text-anchor": "end" }, escaped(name)) +
      dots("forecast", validation, y - 6) +
      dots("actual", test, y + 6)
    );
  });
  const heading = `${target} of ${source}: mean absolute error by cell and seed`;
  const height = bottom + footHeight;
  const size = { width, height };
  return page(
    size,
    { heading, description: verdict, left: 24 },
    element("circle", { class: "line forecast", cx: 30, cy: 52, r: 4 }),
    element("text", { x: 40, y: 56 }, "validation"),
    element("circle", { class: "line actual", cx: 126, cy: 52, r: 4 }),
    element("text", { x: 136, y: 56 }, "test"),
    ...ticks,
    ...drawn,
  );
}
