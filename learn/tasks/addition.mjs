/**
 * Sums of two numbers written out (Sutskever et al. 2014 as a small exercise; the 99 % are of the Keras example addition_rnn): "123+45"
 * is read digit by digit, "168" is written digit by digit. The pairs of the test are in no batch of training.
 */
import { attention, createRandom, crossEntropy, decoder, embedding, recurrent, sequenceType } from "recurra";
import { defineNetwork, Model } from "recurra/train";
import { likeliest, parts, teach } from "../teach.mjs";

const symbols = "0123456789+ ="; // "=" stands before the first digit of an answer.

/** Written to `width` places: the answer from left to right, the question from right to left, as in the example. */
function write(text, width) {
  return Array.from(text.padEnd(width), (character) => symbols.indexOf(character));
}

function batchOf(pairs, digits) {
  const [time, steps] = [2 * digits + 1, digits + 1];
  const questions = pairs.flatMap(([a, b]) => write(`${a}+${b}`, time).reverse());
  const answers = pairs.flatMap(([a, b]) => write(`${a + b}`, steps));
  return {
    sizes: { batch: pairs.length, time, steps },
    inputs: { question: Float32Array.from(questions), answer: Float32Array.from(answers) },
  };
}

function networkOf({ cell, hiddenSize, attend }) {
  const table = embedding({ vocabSize: symbols.length, size: 16, initialize: { kind: "normal", deviation: 0.5 } });
  const reader = recurrent({ cell, hiddenSize, direction: attend ? "both" : "forward" });
  const writer = decoder({
    cell,
    hiddenSize,
    vocabularySize: symbols.length,
    embeddingSize: 16,
    start: symbols.indexOf("="),
    ...(attend ? { attention: attention({ kind: "additive" }) } : {}),
  });
  const read = (question, scope) => {
    const { sequence, last, final } = reader.run(table.apply(question, scope.in("symbols")), scope.in("reader"));
    return attend ? { initial: last, memory: sequence } : { initial: final };
  };
  return defineNetwork({
    inputs: { question: sequenceType(1), answer: sequenceType(1, "steps") },
    forward: ({ question }, scope) => ({ said: writer.generate(read(question, scope), scope.in("writer")).logits }),
    loss: (_, { question, answer }, scope) =>
      crossEntropy(writer.teach(answer, read(question, scope), scope.in("writer")).logits, answer, scope),
  });
}

/** Different pairs in random order. Up to 3 digits. */
function drawPairs(count, digits, random) {
  const [size, seen] = [10 ** digits, new Set()];
  while (seen.size < count) seen.add(random.integer(size * size));
  return [...seen].map((pair) => [Math.floor(pair / size), pair % size]);
}

function modelOf(digits, counts, { name, rate, epochs, batchSize = 64, ...options }) {
  return {
    name,
    async run({ seed, signal, tell }) {
      const pairs = drawPairs(counts.train + counts.validation + counts.test, digits, createRandom(seed));
      const test = pairs.splice(-counts.test);
      const validation = pairs.splice(-counts.validation);
      const model = new Model(networkOf(options), { seed, clipping: { norm: 1 } });
      const samplesOf = (some) => ({
        count: some.length,
        batch: (indices) =>
          batchOf(
            Array.from(indices, (i) => some[i]),
            digits,
          ),
      });
      const trained = await teach(
        model,
        {
          data: samplesOf(pairs),
          validation: samplesOf(validation),
          epochs,
          batchSize,
          learningRate: rate,
          schedule: "cosine",
        },
        { signal, tell },
      );
      return { value: exact(model, test, digits), ...trained };
    },
  };
}

/** The share of sums whose every digit is right, written without help. */
function exact(model, pairs, digits) {
  let right = 0;
  for (const indices of parts(pairs.length, 500)) {
    const batch = batchOf(
      Array.from(indices, (i) => pairs[i]),
      digits,
    );
    const steps = batch.sizes.steps;
    const said = likeliest(model.predict(batch).said, symbols.length);
    for (let row = 0; row < indices.length; row++) {
      const same = (at) => said[row * steps + at] === batch.inputs.answer[row * steps + at];
      if (Array.from({ length: steps }, (_, at) => at).every(same)) right++;
    }
  }
  return right / pairs.length;
}

export function addition(digits, counts, models) {
  const target = 0.99;
  return {
    name: `addition-${digits}`,
    about: `sums of numbers of up to ${digits} digits, ${counts.train.toLocaleString("en")} pairs to learn from`,
    measure: "exactly right",
    better: "higher",
    baseline: () => ({ name: "most frequent sum", value: 10 ** -digits }),
    published: "0.99 (Keras example, 50,000 pairs of 3 digits)",
    target,
    models: models.map((model) => modelOf(digits, counts, model)),
  };
}
