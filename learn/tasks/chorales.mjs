/**
 * JSB Chorales (Boulanger-Lewandowski et al. 2012): Bach's chorales in quarter notes; from the chords so far, which of 88 keys sound
 * next? Negative log-likelihood of a chord, nats, over all 88 keys, as published.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { binaryCrossEntropy, dense, dropout, recurrent, sequenceType, sequential, variationalDropout } from "recurra";
import { adamW, defineNetwork, Model } from "recurra/train";
import { parts, ragged, teach } from "../teach.mjs";

const [keys, lowest] = [88, 21];

/** Chords as rows of 0 and 1: x without the last of a piece, y without the first. */
function samplesOf(pieces) {
  const rows = pieces.map((piece) => {
    const row = new Float32Array(piece.length * keys);
    for (const [t, chord] of piece.entries()) for (const pitch of chord) row[t * keys + pitch - lowest] = 1;
    return row;
  });
  return ragged(
    pieces.map(({ length }) => length - 1),
    {
      x: { rows: rows.map((row) => row.subarray(0, -keys)), size: keys },
      y: { rows: rows.map((row) => row.subarray(keys)), size: keys },
    },
  );
}

/** Every piece also a few half tones higher and lower, where no note leaves the keys. */
function transposed(pieces, reach) {
  return Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach).flatMap((by) =>
    pieces.map((piece) => piece.map((chord) => chord.map((pitch) => pitch + by))),
  );
}

function networkOf({ cell, hiddenSize, depth = 1, dropout: rate, inputDropout = 0 }) {
  const layers = sequential(
    variationalDropout(inputDropout),
    recurrent({ cell, hiddenSize, depth, dropout: rate }),
    dropout(rate),
    dense({ outputSize: keys }),
  );
  return defineNetwork({
    inputs: { x: sequenceType(keys), y: sequenceType(keys) },
    variableLengths: ["time"],
    forward: ({ x }, scope) => ({ scores: layers.apply(x, scope) }),
    loss: ({ scores }, { y }, scope) => binaryCrossEntropy(scores, y, scope),
  });
}

/** Nats per chord: the loss is a mean over keys and chords, so that batches are weighed by their chords. */
function nats(model, samples) {
  let [sum, chords] = [0, 0];
  for (const indices of parts(samples.count, 16)) {
    const batch = samples.batch(indices);
    const count = batch.inputs.lengths.reduce((total, length) => total + length, 0);
    sum += model.evaluate(batch) * keys * count;
    chords += count;
  }
  return sum / chords;
}

function modelOf({ name, rate, epochs, batchSize = 16, weightDecay = 0.01, transpose = 0, averageDecay, ...options }) {
  return {
    name,
    async run({ data, seed, signal, tell }) {
      const model = new Model(networkOf(options), {
        seed,
        clipping: { norm: 1 },
        optimizer: adamW({ weightDecay }),
        ...(averageDecay === undefined ? {} : { averageDecay }),
      });
      const train = transposed(data.train, transpose);
      const trained = await teach(
        model,
        {
          data: samplesOf(train),
          lengths: train.map(({ length }) => length),
          validation: samplesOf(data.valid),
          epochs,
          batchSize,
          learningRate: rate,
          schedule: "cosine",
          patience: 20,
        },
        { signal, tell },
      );
      return { value: nats(model, samplesOf(data.test)), validation: nats(model, samplesOf(data.valid)), ...trained };
    },
  };
}

/** The share of the training chords in which each key sounds, said for every chord. */
function always({ train, test }) {
  const chords = train.flatMap((piece) => piece.slice(1));
  const counts = new Float64Array(keys).fill(0.5);
  for (const pitch of chords.flat()) counts[pitch - lowest]++;
  const shares = counts.map((count) => count / (chords.length + 1));
  const told = test.flatMap((piece) => piece.slice(1));
  const sum = told.reduce((total, chord) => {
    const sounding = new Set(chord.map((pitch) => pitch - lowest));
    return total - shares.reduce((all, share, key) => all + Math.log(sounding.has(key) ? share : 1 - share), 0);
  }, 0);
  return sum / told.length;
}

export function chorales(models) {
  return {
    name: "jsb-chorales",
    about: "the next chord of a chorale",
    folder: "jsb-chorales",
    measure: "nats per chord",
    better: "lower",
    prepare: (data) => JSON.parse(readFileSync(join(data, "jsb-chorales", "jsb-chorales-quarter.json"), "utf8")),
    baseline: (data) => ({ name: "how often each key sounds", value: always(data) }),
    published: "LSTM 8.45–8.67, GRU 8.43–8.54 (Chung 2014, Bai 2018)",
    target: 8.4,
    models: models.map(modelOf),
  };
}
