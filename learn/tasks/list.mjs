/** All tasks, and which of them a run is asked for. */

import { chrono } from "recurra";
import { gru, lruCell, lstm, rnn } from "recurra/cells";
import { sgd } from "recurra/train";
import { adding } from "./adding.mjs";
import { addition } from "./addition.mjs";
import { chorales } from "./chorales.mjs";
import { copying } from "./copy.mjs";
import { digits } from "./digits.mjs";
import { fallingAfter, pennTreebank, shakespeare } from "./language.mjs";
import { sentences } from "./sentences.mjs";
import { series } from "./series.mjs";

/** Slow rotations that fade over about 600 steps. */
const reaching600 = lruCell({ smallest: 0.99, largest: 0.9999, largestPhase: 0.02 });

/** Slow rotations that fade over 50 to 2000 steps. */
const rotating = lruCell({ smallest: 0.98, largest: 0.9995, largestPhase: 0.3 });

/** Left out of a quick run. */
const long = (task) => ({ ...task, long: true });

/** Between −0.1 and 0.1. */
const within = { kind: "uniform", low: -0.1, high: 0.1 };

/** Made by a generator: they need no data. */
const synthetic = [
  adding(200, [
    { name: "gru", cell: gru, hiddenSize: 32, initialize: chrono(200), rate: 0.01, steps: 3000 },
    { name: "lstm", cell: lstm, hiddenSize: 32, initialize: chrono(200), rate: 0.01, steps: 3000 },
    { name: "plain tanh rnn", cell: rnn, hiddenSize: 32, rate: 0.003, steps: 1500, fails: true },
  ]),
  long(
    adding(600, [
      { name: "gru", cell: gru, hiddenSize: 32, initialize: chrono(600), rate: 0.01, steps: 3000 },
      { name: "lstm", cell: lstm, hiddenSize: 32, initialize: chrono(600), rate: 0.01, steps: 3000 },
      { name: "lru behind a dense layer", front: 32, cell: reaching600, hiddenSize: 64, rate: 0.02, steps: 1500 },
      { name: "plain tanh rnn", cell: rnn, hiddenSize: 32, rate: 0.003, steps: 1000, fails: true },
    ]),
  ),
  copying(200, [
    { name: "lru", cell: lruCell({ smallest: 0.995, largest: 0.9999 }), hiddenSize: 128, rate: 0.003, steps: 4000 },
  ]),
  addition(3, { train: 50_000, validation: 1000, test: 5000 }, [
    {
      name: "gru 64 in both directions, additive attention",
      cell: gru,
      attend: true,
      hiddenSize: 64,
      rate: 0.005,
      epochs: 12,
    },
  ]),
  sentences("themselves", 5),
  sentences("themselves", 20),
  sentences("themselves", 60, { plainFails: true }),
  sentences("france", 5),
  sentences("france", 20, { plainFails: true }),
  sentences("france", 60, { plainFails: true }),
];

/** Small enough for minutes. */
const small = [
  series(
    "japanese-vowels",
    {
      folder: "japanese-vowels",
      file: "JapaneseVowels",
      about: "which of nine speakers says two vowels",
      published: "LSTM .797, MLSTM-FCN .976 (Zerveas 2021, Zhang 2020)",
      target: 0.98,
    },
    [
      {
        name: "convolution, lstm 64 in both directions",
        ...{ cell: lstm, hiddenSize: 64, channels: [64], kernelSize: 3, dropout: 0.4, rate: 0.005, epochs: 40 },
      },
    ],
  ),
  series(
    "natops",
    {
      folder: "natops",
      file: "NATOPS",
      about: "which of six gestures",
      published: "MLSTM-FCN .889, TapNet .939 (Zhang 2020)",
      target: 0.92,
    },
    [
      {
        name: "convolution, gru 64 in both directions",
        ...{
          cell: gru,
          hiddenSize: 64,
          channels: [64],
          kernelSize: 7,
          dropout: 0.4,
          noise: 0.1,
          rate: 0.003,
          epochs: 60,
        },
      },
    ],
  ),
  series(
    "ucr-gunpoint",
    {
      folder: "ucr-gunpoint",
      file: "GunPoint",
      about: "a hand that draws or points",
      published: "LSTM-FCN 1.000 (Karim 2018)",
      target: 0.99,
    },
    [
      {
        name: "convolutions, gru 32 in both directions, series varied",
        ...{ cell: gru, hiddenSize: 32, channels: [24, 24], kernelSize: 11, dropout: 0.3, channelDropout: 0.1 },
        ...{ rate: 0.004, epochs: 800, batchSize: 10, variation: { warp: 0.12, scale: 0.15, jitter: 0.03 } },
      },
    ],
  ),
  // Keys differ, harmony does not: every piece also up to five half tones higher and lower.
  long(
    chorales([
      {
        name: "lstm 384, pieces transposed",
        ...{ cell: lstm, hiddenSize: 384, dropout: 0.3, rate: 0.01, epochs: 12, batchSize: 8 },
        ...{ averageDecay: 0.998, transpose: 5 },
      },
    ]),
  ),
  digits(
    "mnist-rows",
    28,
    { about: "a digit read row by row", published: "rows .98–.99 with 60,000 images", target: 0.975 },
    [
      {
        name: "lstm 96 in both directions, images shifted",
        ...{ cell: lstm, hiddenSize: 96, direction: "both", dropout: 0.3, rate: 0.004, epochs: 12 },
        ...{ shift: 2, averageDecay: 0.998 },
      },
    ],
  ),
];

/** From some minutes to an hour for each seed. */
const large = [
  digits(
    "mnist-pixels",
    784,
    {
      about: "a digit read pixel by pixel",
      published: "LSTM .872, GRU .962, RNN .215 with 60,000 images (Bai 2018)",
      target: 0.94,
    },
    [
      {
        name: "lru 64 twice, images shifted",
        ...{ cell: rotating, hiddenSize: 64, between: 64, dropout: 0.2, rate: 0.004, epochs: 10, shift: 1 },
        averageDecay: 0.998,
      },
      {
        name: "plain tanh rnn, 96 units",
        ...{ cell: rnn, hiddenSize: 96, initialize: { R: "lecunUniform" }, rate: 0.001, epochs: 3, fails: true },
      },
    ],
  ),
  shakespeare([
    {
      name: "lstm 2×256",
      ...{ cell: lstm, hiddenSize: 256, depth: 2, dropout: 0.3, rate: 0.004, epochs: 10, batchSize: 32, every: 100 },
      ...{ schedule: "warmUp", clip: 1 },
    },
  ]),
  // The settings of Zaremba et al. 2014 for their small network: a mean loss where theirs is a sum of 20 steps, so 20 times the rate
  // and a 20th of the longest gradient. Beyond them a tied table (Press and Wolf 2017) and some dropout.
  pennTreebank([
    {
      name: "lstm 2×200, tied",
      ...{ cell: lstm, hiddenSize: 200, depth: 2, dropout: 0.15, tied: true, batchSize: 20, every: 20 },
      ...{ epochs: 13, rate: 20, schedule: fallingAfter(5, 2, 13), clip: 0.25, optimizer: sgd() },
      initialize: { W: within, R: within, "b.f": "zeros" },
    },
  ]),
].map(long);

/** Every task with `data`; the synthetic ones without; not the long ones when it is to be quick. @throws Error for a name that is no task's. */
export function chooseTasks({ quick, data, only }) {
  const all = [...synthetic, ...small, ...large];
  for (const name of only ?? []) {
    const found = all.find((task) => task.name === name);
    if (found === undefined)
      throw new Error(`no task is called "${name}": choose of ${all.map((task) => task.name).join(", ")}`);
    if (found.prepare !== undefined && data === undefined)
      throw new Error(`${name} needs data: --data FOLDER, with the folder "${found.folder}" in it`);
  }
  return all.filter((task) =>
    only === undefined
      ? (task.prepare === undefined || data !== undefined) && !(quick && task.long)
      : only.includes(task.name),
  );
}
