/**
 * "predictio" → "n": the next letter of a word, asked after every letter. What it suggests depends on how much has been typed.
 * Run: node examples/notes/next-letter.mjs
 */
import { crossEntropy, dense, recurrent, sequenceType, sequential } from "recurra";
import { gru } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";
import { likeliest, oneHot, rowsOf, vocabularyOf } from "./words.mjs";

const words = ["prediction", "predicate", "predecessor", "presentation", "section", "sequence", "sentence", "station"];
const spaced = words.map((word) => [...word].join(" "));
const letters = vocabularyOf(spaced);

const layers = sequential(recurrent({ cell: gru, hiddenSize: 24 }), dense({ outputSize: letters.length }));
const network = defineNetwork({
  inputs: { letters: sequenceType(letters.length), next: sequenceType(1) },
  variableLengths: ["time"],
  forward: (inputs, scope) => ({ scores: layers.apply(inputs.letters, scope) }),
  loss: ({ scores }, { next }, scope) => crossEntropy(scores, next, scope),
});

const { x, lengths, time } = oneHot(
  words.map((word) => [...word.slice(0, -1)].join(" ")),
  letters,
);
const next = words.flatMap((word) => Array.from({ length: time }, (_, t) => letters.indexOf(word[t + 1] ?? word[0])));
const model = new Model(network, { seed: 1 });
for (let step = 0; step <= 200; step++) {
  const { loss } = model.trainStep(
    { sizes: { batch: words.length, time }, inputs: { letters: x, lengths, next } },
    0.02,
  );
  if (step % 100 === 0) console.log(`step ${step}: ${loss.toFixed(3)} nats a letter`);
}

/** What the model would write behind a beginning, letter by letter. */
function complete(beginning, most = 12) {
  let text = beginning;
  while (text.length < most && !words.includes(text)) {
    const typed = oneHot([[...text].join(" ")], letters);
    const { scores } = model.predict({
      sizes: { batch: 1, time: typed.time },
      inputs: { letters: typed.x, lengths: typed.lengths },
    });
    text += letters[likeliest(rowsOf(scores, letters.length).at(-1))];
  }
  return text;
}

for (const beginning of ["predictio", "predica", "pres", "sec", "st"])
  console.log(`${beginning} → ${complete(beginning)}`);
