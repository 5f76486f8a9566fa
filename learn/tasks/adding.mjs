/**
 * The adding problem (Hochreiter and Schmidhuber 1997, in the form of Arjovsky et al. 2016): numbers drawn from [0, 1), two of them
 * marked, one in each half of the sequence; after the last step the network says their sum. Who always says 1 has an error of 1/6.
 */
import { createRandom, dense, mse, recurrent, relu, sequenceType, sequential, vectorType } from "recurra";
import { defineNetwork, Model } from "recurra/train";
import { picture } from "../picture.mjs";
import { teachEndless } from "../teach.mjs";

/** x: [batch, time, 2], number and mark; y: [batch, 1]. */
function makeBatch(random, batch, time) {
  const x = new Float32Array(batch * time * 2);
  const y = new Float32Array(batch);
  const half = Math.floor(time / 2);
  for (let row = 0; row < batch; row++) {
    const start = row * time;
    for (let t = 0; t < time; t++) x[(start + t) * 2] = random.uniform();
    for (const t of [random.integer(half), half + random.integer(time - half)]) {
      x[(start + t) * 2 + 1] = 1;
      y[row] += x[(start + t) * 2];
    }
  }
  return { sizes: { batch, time }, inputs: { x, y } };
}

function networkOf({ cell, hiddenSize, initialize, front }) {
  const layers = sequential(
    // A linear recurrence cannot multiply a number by its mark: a layer before it does.
    ...(front === undefined ? [] : [dense({ outputSize: front, activation: relu, initialize: "heUniform" })]),
    recurrent({ cell, hiddenSize, output: "last", ...(initialize === undefined ? {} : { initialize }) }),
    dense({ outputSize: 1 }),
  );
  return defineNetwork({
    inputs: { x: sequenceType(2), y: vectorType(1) },
    forward: ({ x }, scope) => ({ sum: layers.apply(x, scope) }),
    loss: ({ sum }, { y }, scope) => mse(sum, y, scope),
  });
}

function modelOf(timesteps, target, { name, fails, rate, steps, batchSize = 32, ...layer }) {
  return {
    name: `${name}, ${layer.hiddenSize} units`,
    fails,
    async run({ seed, signal, tell }) {
      const model = new Model(networkOf(layer), { seed, clipping: { norm: 1 } });
      const make = (random, count) => makeBatch(random, count, timesteps);
      const settings = { ...{ seed, target, rate, steps, batchSize }, tests: 2000 };
      const trained = await teachEndless(model, make, { ...settings, signal, tell });
      return fails ? { ...trained, picture: picture(model, make(createRandom(seed), batchSize)) } : trained;
    },
  };
}

export function adding(timesteps, models) {
  const target = 0.002;
  return {
    name: `adding-${timesteps}`,
    about: `sum of the two marked numbers among ${timesteps}`,
    measure: "mean squared error",
    better: "lower",
    baseline: () => ({ name: "always 1", value: 1 / 6 }),
    published: "0.167 naive; RNN fails (Hochreiter 1997, Le 2015)",
    target,
    models: models.map((model) => modelOf(timesteps, target, model)),
  };
}
