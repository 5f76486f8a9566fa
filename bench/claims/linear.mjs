/** Is the cost of a training step proportional to timesteps and to batch? */
import { atMost, timeInTurns, trainingRun } from "./side-by-side.mjs";

export function measure() {
  return [
    ...scaling("time", [64, 256, 1024, 4096], { cell: "lstm", hidden: 64, batch: 8 }),
    ...scaling("time", [64, 256, 1024, 4096], { cell: "lstm", hidden: 128, batch: 1 }),
    ...scaling("batch", [32, 64, 128, 256], { cell: "lstm", hidden: 64, time: 64 }),
  ];
}

function scaling(along, sizes, point) {
  const runs = Object.fromEntries(sizes.map((size) => [size, trainingRun({ ...point, [along]: size }).run]));
  const medians = timeInTurns(runs, { rounds: 5, budgetMs: 60 });
  const each = sizes.map((size) => (1000 * medians[size]) / size);
  const fixed = Object.entries(point).map(([name, value]) => `${name} ${value}`);
  const named = `cost of ${sizes[0]} to ${sizes.at(-1)} ${along === "time" ? "timesteps" : "rows"}, ${fixed.slice(1).join(", ")}`;
  const costs = `µs at ${sizes.join(", ")}: ${each.map((us) => us.toFixed(2)).join(", ")}`;
  const line = straightLine(sizes.map((size) => [size, 1000 * medians[size]]));
  const distance = Math.max(...sizes.map((size) => Math.abs(line.at(size) / (1000 * medians[size]) - 1)));
  return [
    atMost(`${named}: one at its dearest / cheapest`, Math.max(...each) / Math.min(...each), 1.1, "×", costs),
    atMost(
      `${named}: farthest from a straight line`,
      100 * distance,
      10,
      "%",
      `${line.fixed.toFixed(0)} µs + ${line.each.toFixed(2)} µs each`,
    ),
  ];
}

/** fixed + each · size, the squares of its relative distances being least. */
function straightLine(points) {
  const sum = (of) => points.reduce((total, [size, us]) => total + of(size / us, 1 / us), 0);
  const [xx, xo, oo, x, o] = [
    sum((s) => s * s),
    sum((s, w) => s * w),
    sum((_, w) => w * w),
    sum((s) => s),
    sum((_, w) => w),
  ];
  const each = (x * oo - o * xo) / (xx * oo - xo * xo);
  const fixed = (o - each * xo) / oo;
  return { fixed, each, at: (size) => fixed + each * size };
}
