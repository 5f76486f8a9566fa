/**
 * What the warnings of training are chosen by: networks that learn and networks that cannot, on the adding problem of Hochreiter and
 * Schmidhuber 1997 over 100 timesteps, 300 steps of training each. For each the largest median over nine steps of ‖∂L/∂w‖ · ‖w‖ / |L| with
 * weights and loss of the first step, and the warnings of `train` with `watchGradients`.
 * Run: node scripts/gradient-warnings.mjs
 */
import {
  chrono,
  createRandom,
  dense,
  mse,
  recurrent,
  sequenceType,
  sequential,
  TrainingError,
  vectorType,
} from "recurra";
import { gru, lruCell, lstm, rnn, rnnRelu } from "recurra/cells";
import { watchGradients } from "recurra/inspect";
import { defineNetwork, Model, sgd, train } from "recurra/train";

const time = 100;
const steps = 300;
const clipped = { clipping: { norm: 1 } };
const normal = (deviation) => ({ R: { kind: "normal", deviation } });
const rows = [
  ["gru", gru, {}, {}, 0.01],
  ["gru, chrono", gru, chrono(time), {}, 0.01],
  ["lstm", lstm, {}, {}, 0.01],
  ["lstm, chrono", lstm, chrono(time), {}, 0.01],
  ["lru", lruCell({ smallest: 0.99, largest: 0.9999 }), {}, {}, 0.01],
  ["relu, identity", rnnRelu, { R: "identity", W: { kind: "normal", deviation: 0.01 } }, clipped, 0.001],
  ["tanh", rnn, {}, {}, 0.003],
  ["tanh, rate 0.1", rnn, {}, {}, 0.1],
  ["tanh, R 0.25", rnn, normal(0.25), {}, 0.001],
  ["tanh, R 0.3", rnn, normal(0.3), {}, 0.001],
  ["tanh, R 0.5", rnn, normal(0.5), {}, 0.001],
  ["tanh, R 0.5, clipped", rnn, normal(0.5), clipped, 0.001],
  ["relu, identity · 1.05", rnnRelu, { R: { kind: "identity", scale: 1.05 } }, {}, 0.001],
  ["relu, identity · 1.2, clipped", rnnRelu, { R: { kind: "identity", scale: 1.2 } }, clipped, 0.001],
  ["relu, identity · 1.05, sgd", rnnRelu, { R: { kind: "identity", scale: 1.05 } }, { optimizer: sgd() }, 0.01],
];

/** The sum of the two numbers that are marked, one in each half. */
function adding(seed) {
  const random = createRandom(seed);
  return {
    count: steps * 32,
    batch(indices) {
      const x = new Float32Array(indices.length * time * 2);
      const y = new Float32Array(indices.length);
      for (let row = 0; row < indices.length; row++) {
        const marked = [random.integer(time / 2), time / 2 + random.integer(time / 2)];
        for (let t = 0; t < time; t++) x[(row * time + t) * 2] = random.uniform();
        for (const t of marked) {
          x[(row * time + t) * 2 + 1] = 1;
          y[row] += x[(row * time + t) * 2];
        }
      }
      return { sizes: { batch: indices.length, time }, inputs: { x, y } };
    },
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

for (const [name, cell, initialize, options, learningRate] of rows) {
  const layers = sequential(recurrent({ cell, hiddenSize: 32, output: "last", initialize }), dense({ outputSize: 1 }));
  const network = defineNetwork({
    inputs: { x: sequenceType(2), y: vectorType(1) },
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  });
  const model = new Model(network, { seed: 1, ...options });
  const length = Math.sqrt([...model.weights().values()].flatMap((w) => [...w]).reduce((sum, w) => sum + w * w, 0));
  const norms = [];
  const losses = [];
  let largest = 0;
  const told = [];
  try {
    const data = adding(1);
    for await (const event of train(model, {
      data,
      epochs: 1,
      learningRate,
      watch: watchGradients(),
      progressEveryMs: 0,
    })) {
      if (event.event === "warning") told.push(`${event.kind} (${event.where}) at step ${event.step}`);
      if (event.event !== "progress") continue;
      norms.push(event.gradientNorm);
      losses.push(event.loss * event.step - losses.reduce((sum, loss) => sum + loss, 0));
      if (norms.length >= 9) largest = Math.max(largest, (median(norms.slice(-9)) * length) / Math.abs(losses[0]));
    }
  } catch (error) {
    if (!(error instanceof TrainingError)) throw error;
    told.push(error.message.split("\n")[0]);
  }
  const shown = [losses[0], median(losses.slice(-9))].map((loss) => loss?.toPrecision(2) ?? "–").join(" → ");
  console.log(`${name.padEnd(30)} loss ${shown.padEnd(18)} ${largest.toPrecision(2).padStart(8)}  ${told.join("; ")}`);
}
