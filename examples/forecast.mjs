/**
 * The quickstart in a few lines of the library: monthly sunspots, the next year from the 22 years before.
 * Run: node examples/forecast.mjs
 */
import { readFileSync } from "node:fs";
import { tableFromRows } from "recurra/data";
import { loadForecaster, trainForecaster } from "recurra/tasks";

const lines = readFileSync(new URL("data/sunspots.csv", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .slice(1);
const rows = lines.map((line) => line.replaceAll('"', "").split(","));
const table = tableFromRows(rows.map(([month, sunspots]) => ({ Month: month, Sunspots: Number(sunspots) })));

const run = trainForecaster(table, { target: "Sunspots", past: 264, horizon: 12, quantiles: [0.1, 0.5, 0.9] });
for await (const event of run) {
  if (event.event === "epoch") console.log(`epoch ${event.epoch}: validation loss ${event.validationLoss.toFixed(4)}`);
  if (event.event === "done") console.log(event.verdict);
}

const files = run.forecaster().toFiles(); // model.json, weights.safetensors, README.md: write them where you like
const forecaster = loadForecaster(files);
for (const { time, forecast, quantiles } of forecaster.predict(table).rows) {
  const [low, , high] = quantiles.map((value) => value.toFixed(0));
  console.log(`${new Date(time).toISOString().slice(0, 7)}: ${forecast.toFixed(0)}, probably ${low} to ${high}`);
}
