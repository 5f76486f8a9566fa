/**
 * Sequences of unequal length in one batch: an LSTM learns whether the numbers of a sequence sum to more than 0.
 * Run: node examples/unequal-lengths.mjs
 */
import { binaryCrossEntropy, createRandom, dense, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { lstm } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";

const layers = sequential(recurrent({ cell: lstm, hiddenSize: 8, output: "last" }), dense({ outputSize: 1 }));

/** x: [batch, time, 1], its true lengths fed as "lengths" [batch, 1]; y: 1 for a sum above 0, else 0, as [batch, 1]. */
const network = defineNetwork({
  inputs: { x: sequenceType(1), y: vectorType(1) },
  variableLengths: ["time"],
  forward: ({ x }, scope) => ({ logit: layers.apply(x, scope) }),
  loss: ({ logit }, { y }, scope) => binaryCrossEntropy(logit, y, scope),
});

/** Behind its true length a row may hold anything, NaN too: it reaches neither result nor gradient. */
function makeBatch(random, batch, time) {
  const lengths = Array.from({ length: batch }, () => 1 + random.integer(time));
  const x = lengths.flatMap((length) =>
    Array.from({ length: time }, (_, t) => (t < length ? random.normal() : Number.NaN)),
  );
  const y = lengths.map((length, row) => {
    const sum = x.slice(row * time, row * time + length).reduce((total, value) => total + value);
    return sum > 0 ? 1 : 0;
  });
  return { sizes: { batch, time }, inputs: { x, y, lengths } };
}

const model = new Model(network, { seed: 1 });
const random = createRandom(1);
for (let step = 1; step <= 300; step++) {
  const { loss } = model.trainStep(makeBatch(random, 32, 10), 0.01);
  if (step === 1 || step % 100 === 0) console.log(`step ${step}: loss ${loss.toFixed(3)}`);
}

const unseen = makeBatch(createRandom(2), 500, 10);
const { logit } = model.predict(unseen);
const right = logit.filter((value, row) => value > 0 === (unseen.inputs.y[row] === 1)).length;
console.log(`${right} of 500 unseen sequences right`);
