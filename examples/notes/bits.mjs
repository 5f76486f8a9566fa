/**
 * The smallest many-to-one training: three bits in, one out. 1 0 1 → 1, 0 0 1 → 0, 0 0 0 → 0, 1 1 1 → 1.
 * Run: node examples/notes/bits.mjs
 */
import { binaryCrossEntropy, dense, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { rnn } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";

const layers = sequential(recurrent({ cell: rnn, hiddenSize: 3, output: "last" }), dense({ outputSize: 1 }));
const network = defineNetwork({
  inputs: { bits: sequenceType(1), y: vectorType(1) },
  forward: ({ bits }, scope) => ({ logit: layers.apply(bits, scope) }),
  loss: ({ logit }, { y }, scope) => binaryCrossEntropy(logit, y, scope),
});

const rows = ["101", "001", "000", "111"];
const batch = {
  sizes: { batch: 4, time: 3 },
  inputs: { bits: rows.flatMap((row) => [...row].map(Number)), y: [1, 0, 0, 1] },
};
const model = new Model(network, { seed: 1 });
for (let step = 0; step <= 300; step++) {
  const { loss } = model.trainStep(batch, 0.05);
  if (step % 100 === 0) console.log(`step ${step}: loss ${loss.toFixed(4)}`);
}
const { logit } = model.predict(batch);
for (const [i, row] of rows.entries()) console.log(`${[...row].join(" ")} → ${logit[i] > 0 ? 1 : 0}`);
