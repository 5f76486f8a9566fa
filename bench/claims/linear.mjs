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
  return [
    atMost(
      `cost of one ${along === "time" ? "timestep" : "row"}, ${sizes[0]} to ${sizes.at(-1)}: dearest / cheapest; ${fixed.slice(1).join(", ")}`,
      Math.max(...each) / Math.min(...each),
      1.1,
      "×",
      `µs at ${sizes.join(", ")}: ${each.map((us) => us.toFixed(2)).join(", ")}`,
    ),
  ];
}
