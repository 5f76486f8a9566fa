/** All tasks, and which of them a run is asked for. */

import { chrono } from "recurra";
import { gru, lruCell, lstm, rnn } from "recurra/cells";
import { adding } from "./adding.mjs";
import { addition } from "./addition.mjs";
import { copying } from "./copy.mjs";
import { sentences } from "./sentences.mjs";

/** Slow rotations that fade over about 600 steps. */
const reaching600 = lruCell({ smallest: 0.99, largest: 0.9999, largestPhase: 0.02 });

/** Left out of a quick run. */
const long = (task) => ({ ...task, long: true });

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
const real = [];

/** Every task with `data`; the synthetic ones without. @throws Error for a name that is no task's. */
export function chooseTasks({ quick, data, only }) {
  const all = [...synthetic, ...real];
  for (const name of only ?? []) {
    const found = all.find((task) => task.name === name);
    if (found === undefined)
      throw new Error(`no task is called "${name}"; there are ${all.map((task) => task.name).join(", ")}`);
    if (found.prepare !== undefined && data === undefined)
      throw new Error(`${name} needs data: --data FOLDER, with the folder "${found.folder}" in it`);
  }
  return all.filter((task) =>
    only === undefined
      ? (task.prepare === undefined || data !== undefined) && !(quick && task.long)
      : only.includes(task.name),
  );
}
