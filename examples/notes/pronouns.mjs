/**
 * He won his match, she won her match, they won their match: the word behind "won" depends on the word before it.
 * Run: node examples/notes/pronouns.mjs
 */
import { crossEntropy, dense, recurrent, sequenceType, sequential } from "recurra";
import { rnn } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";
import { likeliest, oneHot, rowsOf, vocabularyOf } from "./words.mjs";

const sentences = ["he won his match", "she won her match", "they won their match"];
const vocabulary = vocabularyOf(sentences);

const layers = sequential(recurrent({ cell: rnn, hiddenSize: 8 }), dense({ outputSize: vocabulary.length }));
const network = defineNetwork({
  inputs: { words: sequenceType(vocabulary.length), next: sequenceType(1) },
  forward: ({ words }, scope) => ({ scores: layers.apply(words, scope) }),
  loss: ({ scores }, { next }, scope) => crossEntropy(scores, next, scope),
});

// Every word is asked for its next one.
const { x } = oneHot(
  sentences.map((sentence) => sentence.split(" ").slice(0, -1).join(" ")),
  vocabulary,
);
const next = sentences.flatMap((sentence) =>
  sentence
    .split(" ")
    .slice(1)
    .map((word) => vocabulary.indexOf(word)),
);
const batch = { sizes: { batch: 3, time: 3 }, inputs: { words: x, next } };
const model = new Model(network, { seed: 1 });
for (let step = 0; step < 200; step++) model.trainStep(batch, 0.03);
const predicted = rowsOf(model.predict(batch).scores, vocabulary.length).map((row) => vocabulary[likeliest(row)]);
sentences.forEach((sentence, i) => {
  const [subject, verb] = sentence.split(" ");
  console.log(`${subject} ${verb} … → ${predicted[i * 3 + 1]}`);
});
