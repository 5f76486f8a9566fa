/** Are the weights after ten training steps the same bits for 1, 2 and 4 threads, and on WebAssembly as well as natively? */
import { createHash } from "node:crypto";
import { trainingRun } from "./side-by-side.mjs";

export async function measure() {
  const results = [];
  for (const cell of ["rnn", "gru", "lstm"]) {
    const digests = [];
    const ready = [];
    for (const threads of [1, 2, 4]) {
      const { model, run } = trainingRun({ cell, hidden: 128, batch: 32, time: 64, threads });
      const start = model.weights();
      // Workers join between calls.
      for (let i = 0; i < 20 && model.threadsReady() < threads; i++) {
        run();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      ready.push(model.threadsReady());
      const { accumulators } = model.optimizerState();
      model.setWeights(start);
      model.setOptimizerState({
        steps: 0,
        accumulators: new Map([...accumulators].map(([name, values]) => [name, values.fill(0)])),
      });
      for (let step = 0; step < 10; step++) run();
      const hash = createHash("sha256");
      for (const values of model.weights().values()) hash.update(values);
      digests.push(hash.digest("hex").slice(0, 12));
    }
    const met = new Set(digests).size === 1;
    const note = `${digests[0]}; threads ready ${ready.join(", ")}`;
    results.push({
      what: `${cell}: weights after 10 steps on 1, 2, 4 threads, different bits`,
      value: new Set(digests).size - 1,
      target: "0",
      met,
      note,
    });
  }
  return results;
}
