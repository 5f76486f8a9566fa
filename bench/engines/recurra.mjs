/** recurra as a subject of the bench: native kernels, or WebAssembly alone where RECURRA_NATIVE=0. */
import { mse, recurrent, sequenceType } from "recurra";
import { cellNamed } from "recurra/cells";
import { adam, Model, sgd } from "recurra/train";
import { languageNetwork, lastOutputNetwork } from "../networks.mjs";
import { weightsOf } from "../networkWeights.mjs";
import { inputsOf, textOf } from "../numbers.mjs";
import { serve } from "./serve.mjs";

/** Steps in one timing of a stream: a single one is too short for the clock. */
const streamSteps = 100;

await serve({ engine: "recurra", version: `Node ${process.version}` }, (job) =>
  job.work === "stream" ? prepareStream(job) : prepareBatch(job),
);

function prepareBatch(job) {
  const { work, batch, time, threads, strict = false } = job;
  const language = work === "language";
  const model = new Model(language ? languageNetwork(job) : lastOutputNetwork(job), {
    threads,
    strict,
    ...(language ? { optimizer: sgd() } : { optimizer: adam(), clipping: { norm: 1 } }),
  });
  model.setWeights(weightsOf(job, model));
  const fed = { sizes: { batch, time }, inputs: language ? textOf(job) : inputsOf(job) };
  const run =
    work === "forward" ? () => void model.predict(fed) : () => void model.trainStep(fed, language ? 0.1 : 1e-3);
  return {
    check() {
      if (work === "forward") return { output: [...model.predict(fed).y] };
      const { loss, gradientNorm } = model.trainStep(fed, 1e-3);
      return { loss, gradientNorm };
    },
    /** Until the engine has optimised the code and the workers have joined. */
    async warmUp() {
      const begin = performance.now();
      for (let step = 0; step < 10 || performance.now() - begin < 150; step++) {
        run();
        await new Promise((resolve) => setTimeout(resolve, 2));
        if (performance.now() - begin > 2000) break;
      }
    },
    run,
    about: () => ({ kernels: model.footprint.kernels, threadsReady: model.threadsReady() }),
  };
}

/** One timestep after the other through `model.stream()`, whose states stay inside. */
function prepareStream({ cell: name, hidden }) {
  const layer = recurrent({ cell: cellNamed(name), hiddenSize: hidden });
  const network = {
    inputs: { x: sequenceType(hidden) },
    forward: ({ x }, scope) => ({ h: layer.apply(x, scope) }),
    loss: ({ h }, _, scope) => mse(h, h, scope),
  };
  const model = new Model(network, { threads: 1 });
  model.setWeights(weightsOf({ work: "stream", cell: name, hidden }, model));
  const stream = model.stream();
  const xs = inputsOf({ hidden, batch: 1, time: 5 }).x;
  const rows = Array.from({ length: 5 }, (_, t) => xs.subarray(t * hidden, (t + 1) * hidden));
  const stepAt = (t) => {
    stream.inputs.x.set(rows[t]);
    stream.step();
  };
  const run = () => {
    for (let i = 0; i < streamSteps; i++) stepAt(i % 5);
  };
  return {
    check() {
      for (let t = 0; t < 5; t++) stepAt(t);
      return { output: [...stream.outputs.h] };
    },
    warmUp() {
      for (let i = 0; i < 20; i++) run();
    },
    run,
    repeats: streamSteps,
    about: () => ({ kernels: stream.footprint.kernels }),
  };
}
