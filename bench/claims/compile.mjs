/** How long does a model of two LSTM layers take to compile, and how large are its modules? */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { median } from "../statistics.mjs";
import { compiledModel } from "./compiledModel.mjs";
import { atMost } from "./side-by-side.mjs";

const what = "2-layer LSTM, hidden 128";
const firstCalls = { train: "first training step", predict: "first prediction" };

export function measure() {
  const { model, fed } = compiledModel("train");
  model.predict(fed);
  model.evaluate(fed);
  const times = (count, make) => Array.from({ length: count }, make);
  const imports = [];
  const calls = Object.entries(firstCalls).flatMap(([work, call]) => {
    const first = times(7, () => inNewProcess(work));
    imports.push(...first.map(({ importMs }) => importMs));
    const later = times(15, () => compiledModel(work).readyMs);
    const firstMs = median(first.map(({ readyMs }) => readyMs));
    return [
      atMost(`new model to ${call}, ${what}, first model of a process`, firstMs, 60, "ms"),
      atMost(`new model to ${call}, ${what}, later models`, median(later), 60, "ms"),
    ];
  });
  return [
    ...calls,
    { what: "import of recurra, recurra/cells and recurra/train, new process", value: median(imports), unit: "ms" },
    atMost(`modules of a ${what}`, model.footprint.moduleBytes / 1024, 64, "KiB"),
    ...["zeros", "orthogonal"].map((R) => ({
      what: `new Model, ${what}, recurrent weights ${R}`,
      value: median(times(5, () => compiledModel("predict", { W: "zeros", R }).builtMs)),
      unit: "ms",
    })),
  ];
}

function inNewProcess(work) {
  const script = fileURLToPath(new URL("./firstModel.mjs", import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [script, work]));
}
