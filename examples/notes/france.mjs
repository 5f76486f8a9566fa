/**
 * "I grew up in France … I speak French": the last word depends on the country at the beginning, with 30 words of all kinds between.
 * A plain recurrent network fails, GRU and LSTM succeed, and the gradient shows why.
 * Run: node examples/notes/france.mjs [words between, default 30]
 */
import { createRandom, crossEntropy, dense, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { gru, lstm, rnn } from "recurra/cells";
import { inspectGradients, reachInWords } from "recurra/inspect";
import { defineNetwork, Model } from "recurra/train";
import { likeliest, oneHot, rowsOf } from "./words.mjs";

const between = Number(process.argv[2] ?? 30);
const languages = { france: "french", maharashtra: "marathi", japan: "japanese", brazil: "portuguese" };
const countries = Object.keys(languages);
const fillers = "it was a warm place with many friends and long summers near the old river where we played games".split(
  " ",
);
const vocabulary = [...new Set(["i", "grew", "up", "in", "speak", ...countries, ...fillers])];

/** Random sentences and the number of the language that ends each. */
function sentences(count, seed) {
  const random = createRandom(seed);
  const answers = Array.from({ length: count }, () => random.integer(countries.length));
  const texts = answers.map((answer) => {
    const middle = Array.from({ length: between }, () => fillers[random.integer(fillers.length)]);
    return ["i grew up in", countries[answer], ...middle, "i speak"].join(" ");
  });
  const { x, time } = oneHot(texts, vocabulary);
  return { sizes: { batch: count, time }, inputs: { words: x, language: answers } };
}

console.log(`${between} words between; guessing gets ${100 / countries.length} % right`);
for (const [name, cell, initialize] of [
  ["rnn", rnn, undefined],
  ["gru", gru, { "b.z": { kind: "constant", value: 3 } }],
  ["lstm", lstm, { "b.f": { kind: "constant", value: 3 } }],
]) {
  const layers = sequential(
    recurrent({ cell, hiddenSize: 24, output: "last", ...(initialize === undefined ? {} : { initialize }) }),
    dense({ outputSize: countries.length }),
  );
  const network = defineNetwork({
    inputs: { words: sequenceType(vocabulary.length), language: vectorType(1) },
    forward: ({ words }, scope) => ({ scores: layers.apply(words, scope) }),
    loss: ({ scores }, { language }, scope) => crossEntropy(scores, language, scope),
  });
  const model = new Model(network, { seed: 1, clipping: { norm: 1 } });
  for (let step = 1; step <= 400; step++) model.trainStep(sentences(32, step), 0.01);
  const test = sentences(500, 1_000_000);
  const scores = rowsOf(model.predict(test).scores, countries.length);
  const right = scores.filter((row, i) => likeliest(row) === test.inputs.language[i]).length;
  const { layers: flows } = inspectGradients(model, sentences(32, 0));
  console.log(
    `${name.padEnd(4)} ${((100 * right) / 500).toFixed(1).padStart(5)} % right; gradient, first word to last: ${reachInWords(flows[0])}`,
  );
}
