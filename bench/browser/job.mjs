/** Jobs measured where this file is loaded, in a browser or in Node: the same models, numbers and rounds. */
import { Model } from "recurra/train";
import { operationsOf } from "../grid.mjs";
import { lastOutputNetwork } from "../networks.mjs";
import { weightsOf } from "../networkWeights.mjs";
import { inputsOf } from "../numbers.mjs";
import { summary } from "../statistics.mjs";

export async function measureInPlace(jobs) {
  const rows = [];
  for (const job of jobs) rows.push(await measure(job));
  return rows;
}

async function measure(job) {
  const { work, batch, time, threads } = job;
  const model = new Model(lastOutputNetwork({ ...job, initialize: { R: "zeros" } }), {
    clipping: { norm: 1 },
    threads,
  });
  model.setWeights(weightsOf(job, model));
  const fed = { sizes: { batch, time }, inputs: inputsOf(job) };
  const forward = work === "forward";
  const { loss, gradientNorm } = forward ? {} : model.trainStep(fed, 1e-3);
  const checked = forward ? { output: [...model.predict(fed).y] } : { loss, gradientNorm };
  const run = () => (forward ? model.predict(fed) : model.trainStep(fed, 1e-3));
  // Until the engine has optimised the code and the workers have joined.
  for (let step = 0; step < 10; step++) {
    run();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const timeOf = (runs) => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) run();
    return performance.now() - start;
  };
  // The clock of a page without isolation moves in steps of a tenth of a millisecond.
  let runs = 1;
  while (timeOf(runs) < 2) runs *= 2;
  const milliseconds = [];
  const begin = performance.now();
  while (milliseconds.length < 5 || performance.now() - begin < 200) milliseconds.push(timeOf(runs) / runs);
  const timing = summary(milliseconds);
  const gflops = operationsOf(job) / timing.medianMs / 1e6;
  const { kernels } = model.footprint;
  return { ...job, ...timing, gflops, checked, kernels, threadsReady: model.threadsReady() };
}
