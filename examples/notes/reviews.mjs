/**
 * Sentiment of reviews of three and four words, one-hot, in one batch. "not" turns the meaning of the word behind it, so the order
 * matters.
 * Run: node examples/notes/reviews.mjs
 */
import { binaryCrossEntropy, dense, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { gru } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";
import { oneHot } from "./words.mjs";

const vocabulary = ["movie", "was", "good", "bad", "not"];
const reviews = ["movie was good", "movie was bad", "movie was not good", "movie was not bad"];
const sentiment = [1, 0, 0, 1];

const layers = sequential(recurrent({ cell: gru, hiddenSize: 6, output: "last" }), dense({ outputSize: 1 }));
const network = defineNetwork({
  inputs: { words: sequenceType(vocabulary.length), y: vectorType(1) },
  variableLengths: ["time"],
  forward: ({ words }, scope) => ({ logit: layers.apply(words, scope) }),
  loss: ({ logit }, { y }, scope) => binaryCrossEntropy(logit, y, scope),
});

const { x, lengths, time } = oneHot(reviews, vocabulary);
const batch = { sizes: { batch: reviews.length, time }, inputs: { words: x, lengths, y: sentiment } };
const model = new Model(network, { seed: 1 });
for (let step = 0; step < 300; step++) model.trainStep(batch, 0.03);
const { logit } = model.predict(batch);
reviews.forEach((review, i) => {
  const chance = 1 / (1 + Math.exp(-logit[i]));
  console.log(`${review.padEnd(18)} (${lengths[i]} words): ${(100 * chance).toFixed(0).padStart(3)} % good`);
});
