/**
 * A sequence longer than memory would hold: an LSTM learns, step by step, the running mean of a noise. With a memory limit, what
 * the gradient needs is computed again segment by segment instead of kept for all steps.
 * Run: node examples/long-sequence.mjs [timesteps] [hidden] [batch] [steps of training] [limit in MiB]
 */
import { createRandom, dense, mse, recurrent, sequenceType, sequential } from "recurra";
import { lstm } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";

const [time = 10_000, hiddenSize = 8, batch = 4, steps = 5, limit = 4] = process.argv[1]?.endsWith("long-sequence.mjs")
  ? process.argv.slice(2).map(Number)
  : [];

const layers = sequential(recurrent({ cell: lstm, hiddenSize }), dense({ outputSize: 1 }));
const network = defineNetwork({
  inputs: { x: sequenceType(1), y: sequenceType(1) },
  forward: ({ x }, scope) => ({ mean: layers.apply(x, scope) }),
  loss: ({ mean }, { y }, scope) => mse(mean, y, scope),
});

const random = createRandom(1);
const x = Float32Array.from({ length: batch * time }, () => random.normal());
const y = new Float32Array(batch * time);
for (let i = 0; i < y.length; i++) y[i] = i % time === 0 ? 0 : 0.9 * y[i - 1] + 0.1 * x[i];

const model = new Model(network, { memoryLimit: limit * 2 ** 20 });
for (let step = 1; step <= steps; step++) {
  const began = performance.now();
  const { loss } = model.trainStep({ sizes: { batch, time }, inputs: { x, y } }, 1e-2);
  const seconds = (performance.now() - began) / 1000;
  console.log(`step ${step}: loss ${loss.toFixed(5)}, ${seconds.toFixed(2)} s`);
}

const { memoryBytes, segments } = model.footprint;
const how = segments === undefined ? "everything kept" : `segments of ${segments.length} steps`;
console.log(`${time} steps in ${(memoryBytes / 2 ** 20).toFixed(1)} MiB: ${how}`);
