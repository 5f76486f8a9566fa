/** What the claims share: models made for timing, and runs timed in turns within one process. */
import { Model } from "recurra/train";
import { lastOutputNetwork } from "../networks.mjs";
import { inputsOf } from "../numbers.mjs";
import { median } from "../statistics.mjs";

/** Orthogonal weights of a large layer take seconds to draw. */
const fastToDraw = { R: "xavierUniform" };

/** WebAssembly alone is measured on fewer sizes: it is slower. */
export const nativeIsOff = process.env.RECURRA_NATIVE === "0";

/** A training step of the bench's network, to be called again and again, on one thread unless `threads` says otherwise. */
export function trainingRun({ cell, hidden, batch, time, depth, threads = 1, lengths, initialize = fastToDraw }) {
  const network = lastOutputNetwork({ cell, hidden, depth, initialize, variableLengths: lengths !== undefined });
  const model = new Model(network, { clipping: { norm: 1 }, threads });
  const inputs = { ...inputsOf({ hidden, batch, time }), ...(lengths === undefined ? {} : { lengths }) };
  const fed = { sizes: { batch, time }, inputs };
  return { model, fed, run: () => model.trainStep(fed, 1e-3) };
}

/** Median milliseconds of each of several runs by name, after a warm-up: A, B, C, A, B, C. */
export function timeInTurns(runs, { rounds = 7, budgetMs = 30, warmUpMs = 150 } = {}) {
  const timings = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  const turn = (name, budget) => {
    const begin = performance.now();
    runs[name]();
    do {
      const start = performance.now();
      runs[name]();
      timings[name].push(performance.now() - start);
    } while (performance.now() - begin < budget);
  };
  for (const name of Object.keys(runs)) {
    turn(name, warmUpMs);
    timings[name].length = 0;
  }
  for (let round = 0; round < rounds; round++) for (const name of Object.keys(runs)) turn(name, budgetMs);
  return Object.fromEntries(Object.entries(timings).map(([name, times]) => [name, median(times)]));
}

/** A claim that a number stays at or below its target. */
export const atMost = (what, value, target, unit = "", note = "") => ({
  what,
  value,
  unit,
  target: `≤ ${target}`,
  met: value <= target,
  note,
});
