/**
 * A cell of your own: the minimal gated unit as its equations, trained to remember the first of twenty bits.
 * Run: node examples/custom-cell.mjs
 */
import {
  add,
  binaryCrossEntropy,
  createRandom,
  dense,
  matmul,
  mul,
  recurrent,
  sequenceType,
  sequential,
  sigmoid,
  sub,
  tanh,
  vectorType,
} from "recurra";
import { defineCell } from "recurra/cells";
import { adam, defineNetwork, Model, train } from "recurra/train";

/**
 * Minimal gated unit: a single gate both forgets and writes.
 *
 *     f  = σ(W_f·x + R_f·h + b_f)
 *     h̃  = tanh(W_h·x + R_h·(f ⊙ h) + b_h)
 *     h′ = (1 − f) ⊙ h + f ⊙ h̃
 *
 * Source: Zhou et al. 2016, arXiv:1603.09420.
 */
export const mgu = defineCell({
  name: "mgu",
  state: ["h"],
  blocks: ["f", "h"],
  step: ({ x, h }, { W, R, b }) => {
    const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), b.f));
    const candidate = tanh(add(matmul(W.h, x), matmul(R.h, mul(f, h)), b.h));
    return { h: add(mul(sub(1, f), h), mul(f, candidate)) };
  },
});

const timesteps = 20;
const layers = sequential(recurrent({ cell: mgu, hiddenSize: 16, output: "last" }), dense({ outputSize: 1 }));

/** x: bits [batch, time, 1]; y: the first of them [batch, 1]. */
const network = defineNetwork({
  inputs: { x: sequenceType(1), y: vectorType(1) },
  forward: ({ x }, scope) => ({ logit: layers.apply(x, scope) }),
  loss: ({ logit }, { y }, scope) => binaryCrossEntropy(logit, y, scope),
});

/** `count` random sequences that can be asked for by index. The same seed gives the same ones. */
function bits(count, seed) {
  const random = createRandom(seed);
  const x = Float32Array.from({ length: count * timesteps }, () => random.integer(2));
  return {
    count,
    batch: (indices) => ({
      sizes: { batch: indices.length, time: timesteps },
      inputs: {
        x: Float32Array.from({ length: indices.length * timesteps }, (_, i) => {
          return x[indices[Math.floor(i / timesteps)] * timesteps + (i % timesteps)];
        }),
        y: Float32Array.from(indices, (sequence) => x[sequence * timesteps]),
      },
    }),
  };
}

const model = new Model(network, { seed: 1, optimizer: adam(), clipping: { norm: 1 } });
console.log(`${model.parameterCount} parameters: ${model.parameters.map(({ name }) => name).join(", ")}`);

const run = train(model, {
  data: bits(2000, 1),
  validation: bits(500, 2),
  epochs: 40,
  learningRate: 0.01,
  stopAtLoss: 0.01,
});
for await (const event of run) {
  if (event.event === "epoch") {
    console.log(`epoch ${event.epoch}: loss ${event.loss.toFixed(4)}, validation ${event.validationLoss.toFixed(4)}`);
  }
}

const unseen = bits(1000, 3).batch(Int32Array.from({ length: 1000 }, (_, i) => i));
const { logit } = model.predict(unseen);
const right = logit.filter((value, i) => value > 0 === (unseen.inputs.y[i] === 1)).length;
console.log(`the first of ${timesteps} bits, from the state after the last: ${right} of 1000 unseen sequences right`);
