/** How long does a model of two LSTM layers take to compile, and how large is its module? */
import { median } from "../statistics.mjs";
import { atMost, trainingRun } from "./side-by-side.mjs";

const point = { cell: "lstm", hidden: 128, depth: 2, batch: 32, time: 1 };
/** Drawing weights is no compiling: orthogonal ones take longer than all of it. */
const given = { W: "zeros", R: "zeros" };

export function measure() {
  const first = make(given);
  const later = Array.from({ length: 15 }, () => make(given));
  const drawn = Array.from({ length: 5 }, () => make({ R: "orthogonal" }));
  const medianOf = (models, field) => median(models.map((model) => model[field]));
  const all = "training step done";
  // Each program has a module, made when it is first called.
  first.model.predict(first.fed);
  first.model.evaluate(first.fed);
  return [
    atMost(`compile 2-layer LSTM, hidden 128, first model of a process, first ${all}`, first.ready, 60, "ms"),
    atMost(`compile 2-layer LSTM, hidden 128, later models, first ${all}`, medianOf(later, "ready"), 60, "ms"),
    atMost("modules of a 2-layer LSTM, hidden 128", first.model.footprint.moduleBytes / 1024, 64, "KiB"),
    { what: "new Model of a 2-layer LSTM, hidden 128, weights given", value: medianOf(later, "built"), unit: "ms" },
    {
      what: "new Model of a 2-layer LSTM, hidden 128, orthogonal weights drawn",
      value: medianOf(drawn, "built"),
      unit: "ms",
    },
  ];
}

function make(initialize) {
  const start = performance.now();
  const { model, fed, run } = trainingRun({ ...point, initialize });
  const built = performance.now();
  // Sizes that the model has not seen are compiled for at the first call.
  run();
  return { model, fed, built: built - start, ready: performance.now() - start };
}
