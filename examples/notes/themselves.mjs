/**
 * They wanted more for themselves, he wanted more for himself: the answer depends on the first word of the sentence. A GRU with a
 * single gate learns to take that word in, update gate near 1, and to hold it, gate near 0, while the others pass.
 * The gate begins nearly closed: what is in stays in, unless training opens it. One unit is enough: it opens for "he" and stays
 * closed for "they".
 *
 *     u  = σ(W_u·x + R_u·h + b_u),   c = tanh(W_c·x + R_c·h + b_c),   h′ = u ⊙ c + (1 − u) ⊙ h
 *
 * Run: node examples/notes/themselves.mjs
 */
import {
  add,
  createRandom,
  crossEntropy,
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
import { inspectGradients } from "recurra/inspect";
import { defineNetwork, Model } from "recurra/train";
import { likeliest, oneHot, rowsOf } from "./words.mjs";

const oneGate = defineCell({
  name: "one-gate",
  state: ["h"],
  blocks: ["u", "c"],
  step: ({ x, h }, { W, R, b }) => {
    const u = sigmoid(add(matmul(W.u, x), matmul(R.u, h), b.u));
    const c = tanh(add(matmul(W.c, x), matmul(R.c, h), b.c));
    return { h: add(mul(u, c), mul(sub(1, u), h)) };
  },
});

const answers = { they: "themselves", he: "himself" };
const subjects = Object.keys(answers);
const others = "wanted asked more less for of only still now".split(" ");
const vocabulary = [...subjects, ...others];

/** A subject, then forty other words in any order. */
function sentences(count, seed) {
  const random = createRandom(seed);
  const chosen = Array.from({ length: count }, () => random.integer(2));
  const texts = chosen.map((subject) => {
    const rest = Array.from({ length: 40 }, () => others[random.integer(others.length)]);
    return [subjects[subject], ...rest].join(" ");
  });
  const { x, time } = oneHot(texts, vocabulary);
  return { sizes: { batch: count, time }, inputs: { words: x, answer: chosen } };
}

const layers = sequential(
  recurrent({
    cell: oneGate,
    hiddenSize: 1,
    output: "last",
    initialize: { R: "zeros", "b.u": { kind: "constant", value: -4 } },
  }),
  dense({ outputSize: subjects.length }),
);
const network = defineNetwork({
  inputs: { words: sequenceType(vocabulary.length), answer: vectorType(1) },
  forward: ({ words }, scope) => ({ scores: layers.apply(words, scope) }),
  loss: ({ scores }, { answer }, scope) => crossEntropy(scores, answer, scope),
});

const model = new Model(network, { seed: 1 });
for (let step = 1; step <= 3000; step++) model.trainStep(sentences(32, step), 0.1);

const test = sentences(1000, 1_000_000);
const scores = rowsOf(model.predict(test).scores, 2);
console.log(
  `${scores.filter((row, i) => likeliest(row) === test.inputs.answer[i]).length} of 1000 unseen sentences right`,
);
for (const beginning of ["they wanted more for", "he wanted more for"]) {
  const { x, time } = oneHot([beginning], vocabulary);
  const batch = { sizes: { batch: 1, time }, inputs: { words: x, answer: [0] } };
  const said = answers[subjects[likeliest(model.predict(batch).scores)]];
  const gate = inspectGradients(model, batch).layers[0].gates.find(({ name }) => name === "u");
  const opened = [...gate.mean].map((value) => value.toFixed(2)).join(", ");
  console.log(`${beginning} → ${said}; update gate by step: ${opened}`);
}
