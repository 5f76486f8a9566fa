/**
 * A hundred timesteps. With tanh and recurrent weights in (0, 1) the gradient of the last state with respect to the first one
 * vanishes; with ReLU and weights of 1 it explodes. Then the mends: another activation, better first weights, gates (the skip RNN
 * and GRU of the notes, LSTM), clipping and a controlled learning rate.
 * Run: node examples/notes/hundred-steps.mjs
 */
import { createRandom, dense, mse, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { gru, lstm, rnn, rnnRelu } from "recurra/cells";
import { inspectGradients, reachInWords } from "recurra/inspect";
import { defineNetwork, Model, sgd } from "recurra/train";

const time = 100;
const hidden = 2;
const random = createRandom(1);
const batch = {
  sizes: { batch: 8, time },
  inputs: {
    x: Float32Array.from({ length: 8 * time }, () => random.normal()),
    y: Float32Array.from({ length: 8 }, () => random.normal()),
  },
};

function modelOf(cell, initialize, clipping = {}) {
  const layers = sequential(
    recurrent({ cell, hiddenSize: hidden, output: "last", initialize }),
    dense({ outputSize: 1 }),
  );
  const network = defineNetwork({
    inputs: { x: sequenceType(1), y: vectorType(1) },
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  });
  return new Model(network, { seed: 1, optimizer: sgd(), clipping });
}

const between0and1 = { kind: "uniform", low: 0, high: 1 };
const identity = { kind: "identity" };
const rows = [
  ["tanh, weights in (0, 1)", rnn, { R: between0and1 }],
  ["ReLU, all weights 1", rnnRelu, { R: "ones", W: { kind: "constant", value: 1e-30 } }],
  ["mend: ReLU and identity (IRNN)", rnnRelu, { R: identity }],
  ["mend: tanh and orthogonal", rnn, { R: "orthogonal" }],
  ["mend: GRU that skips updates", gru, { "b.z": { kind: "constant", value: 4 } }],
  ["mend: LSTM that remembers", lstm, { "b.f": { kind: "constant", value: 4 } }],
];
for (const [name, cell, initialize] of rows) {
  const { layers, findings } = inspectGradients(modelOf(cell, initialize), batch);
  const reach = Math.max(...layers[0].states.map((state) => state.reach[0]));
  console.log(
    `${name.padEnd(32)} ${reachInWords(layers[0], 30)}  ∂h_100/∂h_1 = ${reach.toExponential(1)}: ${findings[0].kind}`,
  );
}

// Training from where the gradient is large: a step throws the weights away, unless it is clipped or the learning rate is small.
for (const [name, clipping, rate] of [
  ["learning rate 0.01", {}, 0.01],
  ["the same, clipped to norm 1", { norm: 1 }, 0.01],
  ["learning rate 1e-10", {}, 1e-10],
]) {
  const model = modelOf(rnnRelu, { R: { kind: "identity", scale: 1.05 } }, clipping);
  const losses = [model.evaluate(batch)];
  for (let step = 0; step < 300; step++) losses.push(model.trainStep(batch, rate).loss);
  const shown = [0, 2, 100, 300].map((step) => losses[step].toPrecision(2));
  console.log(`${name}: loss ${shown.join(" → ")} after 0, 1, 99 and 299 steps`);
}
