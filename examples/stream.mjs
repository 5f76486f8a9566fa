/**
 * One timestep at a time: a GRU learns the running mean of a noisy signal, then follows two signals live, and goes on after a break.
 * Run: node examples/stream.mjs
 */
import { createRandom, dense, mse, recurrent, sequenceType, sequential } from "recurra";
import { gru } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";

const layers = sequential(recurrent({ cell: gru, hiddenSize: 16 }), dense({ outputSize: 1 }));

/** x: [batch, time, 1]; y: the mean of x so far, [batch, time, 1]. */
const network = defineNetwork({
  inputs: { x: sequenceType(1), y: sequenceType(1) },
  forward: ({ x }, scope) => ({ mean: layers.apply(x, scope) }),
  loss: ({ mean }, { y }, scope) => mse(mean, y, scope),
});

function makeBatch(random, batch, time) {
  const x = new Float32Array(batch * time);
  const y = new Float32Array(batch * time);
  for (let row = 0; row < batch; row++) {
    const level = random.normal();
    let sum = 0;
    for (let t = 0; t < time; t++) {
      const value = level + 0.5 * random.normal();
      sum += value;
      x[row * time + t] = value;
      y[row * time + t] = sum / (t + 1);
    }
  }
  return { sizes: { batch, time }, inputs: { x, y } };
}

const model = new Model(network, { seed: 1 });
const random = createRandom(1);
for (let step = 1; step <= 300; step++) model.trainStep(makeBatch(random, 32, 20), 0.01);

// Two signals at once, each with a state of its own. Inputs and outputs are live views: a step allocates nothing.
const streams = 2;
const stream = model.stream({ streams });
const { x } = stream.inputs;
const { mean } = stream.outputs;
for (let t = 0; t < 20; t++) {
  x[0] = 1 + 0.5 * random.normal();
  x[1] = -1 + 0.5 * random.normal();
  stream.step();
}
console.log(`after 20 steps: ${mean[0].toFixed(2)} and ${mean[1].toFixed(2)}`);

// The state of the first, as bytes to keep; another stream goes on with it.
const saved = stream.state(0);
const resumed = model.stream();
resumed.restore(saved);
x.fill(1);
resumed.inputs.x.fill(1);
stream.step();
resumed.step();
console.log(`${saved.length} bytes; the next step is ${resumed.outputs.mean[0] === mean[0] ? "the same" : "another"}`);
