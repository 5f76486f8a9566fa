/**
 * Copy memory (Hochreiter and Schmidhuber 1997, in the form of Arjovsky et al. 2016): ten symbols of eight kinds, a long blank, a
 * mark; after it the ten symbols are to be said again. Who has no memory guesses them: 10 ln 8 / (T + 20) nats a step.
 */
import { crossEntropy, dense, embedding, recurrent, sequenceType, sequential } from "recurra";
import { defineNetwork, Model } from "recurra/train";
import { teachEndless } from "../teach.mjs";

const [blank, mark, kinds, symbols] = [8, 9, 8, 10];

/** x and y: [batch, blanks + 20, 1], classes. */
function makeBatch(random, batch, blanks) {
  const time = blanks + 2 * symbols;
  const x = new Float32Array(batch * time).fill(blank);
  const y = new Float32Array(batch * time).fill(blank);
  for (let row = 0; row < batch; row++) {
    for (let i = 0; i < symbols; i++) {
      const symbol = random.integer(kinds);
      x[row * time + i] = symbol;
      y[(row + 1) * time - symbols + i] = symbol;
    }
    x[(row + 1) * time - symbols - 1] = mark;
  }
  return { sizes: { batch, time }, inputs: { x, y } };
}

function networkOf({ cell, hiddenSize, initialize }) {
  const layers = sequential(
    embedding({ vocabSize: 10, size: 10, initialize: "identity" }),
    recurrent({ cell, hiddenSize, ...(initialize === undefined ? {} : { initialize }) }),
    dense({ outputSize: 9 }),
  );
  return defineNetwork({
    inputs: { x: sequenceType(1), y: sequenceType(1) },
    forward: ({ x }, scope) => ({ scores: layers.apply(x, scope) }),
    loss: ({ scores }, { y }, scope) => crossEntropy(scores, y, scope),
  });
}

function modelOf(blanks, target, { name, fails, rate, steps, batchSize = 32, optimizer, ...layer }) {
  return {
    name: `${name}, ${layer.hiddenSize} units`,
    fails,
    run({ seed, signal, tell }) {
      const model = new Model(networkOf(layer), { seed, clipping: { norm: 1 }, ...(optimizer ? { optimizer } : {}) });
      const settings = { ...{ seed, target, rate, steps, batchSize }, tests: 1000 };
      return teachEndless(model, (random, count) => makeBatch(random, count, blanks), { ...settings, signal, tell });
    },
  };
}

export function copying(blanks, models) {
  const line = (symbols * Math.log(kinds)) / (blanks + 2 * symbols);
  return {
    name: `copy-${blanks}`,
    about: `ten symbols said again after ${blanks} steps`,
    measure: "nats per step",
    better: "lower",
    baseline: () => ({ name: "no memory", value: line }),
    published: `no memory ${line.toFixed(4)}`,
    target: line / 10,
    models: models.map((model) => modelOf(blanks, line / 10, model)),
  };
}
