/** A model of two LSTM layers, timed from nothing to the end of its first call. */
import { trainingRun } from "./side-by-side.mjs";

const point = { cell: "lstm", hidden: 128, depth: 2, batch: 32, time: 1 };
/** Drawing weights is no compiling. */
const given = { W: "zeros", R: "zeros" };

/** `work` is "train" or "predict". */
export function compiledModel(work, initialize = given) {
  const start = performance.now();
  const { model, fed, run } = trainingRun({ ...point, initialize });
  const builtMs = performance.now() - start;
  // A program is compiled at its first call.
  if (work === "train") run();
  else model.predict(fed);
  return { model, fed, builtMs, readyMs: performance.now() - start };
}
