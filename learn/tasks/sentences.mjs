/**
 * Sentences whose last word depends on a word near the beginning, with 5 to 60 words of all kinds between: "they … themselves", "he …
 * himself"; "I grew up in France … I speak French". A plain network loses the word on the way, and its gradient shows why.
 */
import {
  chrono,
  createRandom,
  crossEntropy,
  dense,
  embedding,
  recurrent,
  sequenceType,
  sequential,
  vectorType,
} from "recurra";
import { gru, lstm, rnn } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";
import { picture } from "../picture.mjs";
import { accuracy, endless, rowsOf, teach } from "../teach.mjs";

const kinds = {
  themselves: {
    answers: { they: "themselves", he: "himself" },
    before: [],
    fillers: "wanted asked more less for of only still now then here work play".split(" "),
    after: ["for"],
  },
  france: {
    answers: { france: "french", maharashtra: "marathi", japan: "japanese", brazil: "portuguese" },
    before: ["i", "grew", "up", "in"],
    fillers: "it was a warm place with many friends and long summers near the old river where we played games".split(
      " ",
    ),
    after: ["i", "speak"],
  },
};

/** words: [batch, time, 1], numbers of the vocabulary; label: [batch, 1], which answer. */
function makeBatch({ answers, before, fillers, after }, between, random, batch) {
  const keys = Object.keys(answers);
  const vocabulary = [...keys, ...before, ...fillers, ...after];
  const number = (word) => vocabulary.indexOf(word);
  const label = Float32Array.from({ length: batch }, () => random.integer(keys.length));
  const words = Array.from(label, (key) => [
    ...before.map(number),
    key,
    ...Array.from({ length: between }, () => number(fillers[random.integer(fillers.length)])),
    ...after.map(number),
  ]).flat();
  return { sizes: { batch, time: words.length / batch }, inputs: { words: Float32Array.from(words), label } };
}

function networkOf({ answers, before, fillers, after }, { cell, initialize }) {
  const size = Object.keys(answers).length;
  const layers = sequential(
    embedding({ vocabSize: size + before.length + fillers.length + after.length, size: 12, initialize: "uniform" }),
    recurrent({ cell, hiddenSize: 24, output: "last", ...(initialize === undefined ? {} : { initialize }) }),
    dense({ outputSize: size }),
  );
  return defineNetwork({
    inputs: { words: sequenceType(1), label: vectorType(1) },
    forward: ({ words }, scope) => ({ scores: layers.apply(words, scope) }),
    loss: ({ scores }, { label }, scope) => crossEntropy(scores, label, scope),
  });
}

function modelOf(kind, between, { name, fails, rate = 0.01, steps, ...layer }) {
  const classes = Object.keys(kind.answers).length;
  return {
    name,
    fails,
    async run({ seed, signal, tell }) {
      const model = new Model(networkOf(kind, layer), { seed, clipping: { norm: 1 } });
      const random = createRandom(seed);
      const fixed = (label, count) => rowsOf(makeBatch(kind, between, createRandom(seed).fork(label), count));
      const trained = await teach(
        model,
        {
          data: endless(50 * 32, (size) => makeBatch(kind, between, random, size)),
          validation: fixed("validation", 500),
          epochs: steps / 50,
          learningRate: rate,
          stopAtLoss: 0.005,
        },
        { signal, tell },
      );
      const seen = fails ? { picture: picture(model, makeBatch(kind, between, random, 32)) } : {};
      return { value: accuracy(model, fixed("test", 1000), classes), ...trained, ...seen };
    },
  };
}

export function sentences(word, between, { plainFails = false, steps = 1000 } = {}) {
  const kind = kinds[word];
  const initialize = chrono(Math.max(3, 2 * between));
  const models = [
    { name: "gru", cell: gru, initialize, steps },
    { name: "lstm", cell: lstm, initialize, rate: 0.005, steps },
    // Recurrent weights as most toolkits begin them; orthogonal ones, the library's choice, reach further.
    { name: "plain tanh rnn", cell: rnn, initialize: { R: "lecunUniform" }, steps, fails: plainFails },
  ];
  return {
    name: `${word}-${between}`,
    about: `${Object.values(kind.answers).join(" or ")}, ${between} words between`,
    measure: "accuracy",
    better: "higher",
    baseline: () => ({ name: "guess", value: 1 / Object.keys(kind.answers).length }),
    published: "–",
    target: 0.99,
    models: models.map((model) => modelOf(kind, between, model)),
  };
}
