/**
 * A model and its vocabulary in one piece of bytes: an LSTM learns whether a review is good, is saved and read back, reviews a word it has
 * never seen and goes on training where it was.
 * Run: node examples/save-model.mjs
 */
import { binaryCrossEntropy, dense, embedding, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { lstm } from "recurra/cells";
import { encodeTokens, fitVocabulary, padSequences, parseVocabulary } from "recurra/data";
import { modelFromBytes, modelToBytes, restoreModel } from "recurra/formats";
import { defineNetwork, Model } from "recurra/train";

const reviews = ["movie was good", "movie was bad", "movie was not good", "movie was not bad"];
const good = [1, 0, 0, 1];

/** One review per row, its words as numbers; the network is code: it is made again from the size of the vocabulary. */
function modelOf(vocabulary) {
  const layers = sequential(
    embedding({ vocabSize: vocabulary.tokens.length, size: 4 }),
    recurrent({ cell: lstm, hiddenSize: 8, output: "last" }),
    dense({ outputSize: 1 }),
  );
  const network = defineNetwork({
    inputs: { words: sequenceType(1), y: vectorType(1) },
    variableLengths: ["time"],
    forward: ({ words }, scope) => ({ logit: layers.apply(words, scope) }),
    loss: ({ logit }, { y }, scope) => binaryCrossEntropy(logit, y, scope),
  });
  return new Model(network, { seed: 1 });
}

function batchOf(vocabulary, texts, y = []) {
  const { sizes, values, lengths } = padSequences(texts.map((text) => encodeTokens(vocabulary, text.split(" "))));
  return { sizes, inputs: { words: values, lengths, y } };
}

const vocabulary = fitVocabulary(
  reviews.map((text) => text.split(" ")),
  { unknown: "<unknown>" },
);
const model = modelOf(vocabulary);
const batch = batchOf(vocabulary, reviews, good);
for (let step = 0; step < 100; step++) model.trainStep(batch, 0.02);

// What is written to a file, sent or stored: weights, vocabulary and, as training will go on, the optimizer's state.
const bytes = modelToBytes(model, { preparation: { vocabulary }, optimizerState: true });

const saved = modelFromBytes(bytes);
const words = parseVocabulary(saved.preparation.vocabulary);
const again = restoreModel(modelOf(words), saved);
console.log(`${bytes.length} bytes: ${model.parameterCount} weights, a vocabulary of ${words.tokens.length} words`);

const [chance] = again.predict(batchOf(words, ["film was not bad"])).logit.map((logit) => 1 / (1 + Math.exp(-logit)));
console.log(`film was not bad: ${(100 * chance).toFixed(0)} % good`);

const straight = model.trainStep(batch, 0.02).loss;
const resumed = again.trainStep(batchOf(words, reviews, good), 0.02).loss;
console.log(`step 101: loss ${straight.toFixed(4)}, ${resumed === straight ? "the same" : "another"} behind the bytes`);
