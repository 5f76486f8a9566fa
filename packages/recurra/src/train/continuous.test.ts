import { describe, expect, it } from "vitest";
import { compare, tolerances } from "../../../../test/support/close.ts";
import { rnn } from "../cells/rnn.ts";
import { mse } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { type ContinuousOptions, continuous, freshStates } from "./continuous.ts";
import { type CarriedState, Model } from "./model.ts";
import { defineNetwork } from "./network.ts";
import { sgd } from "./optimizers/sgd.ts";
import { train } from "./train.ts";

/** h_t = tanh(w x_t + r h_{t−1} + b), trained to be y. */
const network = defineNetwork({
  inputs: { x: sequenceType(1), y: sequenceType(1), counts: sequenceType(1) },
  state: { "0.forward.h": vectorType(1) },
  forward(inputs, scope) {
    const { sequence, final } = recurrent({ cell: rnn, hiddenSize: 1 }).run(inputs.x, scope, inputs);
    return { h: sequence, "0.forward.h": final["0.forward.h"]! };
  },
  loss: ({ h }, { y, counts }, scope) => mse(h, y, scope, counts),
});

const timesteps = 26;
const x = Float32Array.from({ length: timesteps }, (_, t) => Math.sin(t));
const y = Float32Array.from({ length: timesteps }, (_, t) => 0.5 * Math.cos(t));
const names = ["0.forward.W.h", "0.forward.R.h", "0.forward.b.h"];
const begin = [0.7, 0.9, 0.1];
const rate = 0.2;
const options = (every: number, reach: number, resetAt: readonly number[] = []): ContinuousOptions => ({
  sequences: { x: { values: x, size: 1 }, y: { values: y, size: 1 } },
  batchSize: 2,
  every,
  reach,
  mask: "counts",
  resetAt,
});

/** The same in float64 by hand, gradients by central differences of the loss of a window from the states it begins with. */
function byHand(every: number, reach: number, resetAt: readonly number[] = []): number[] {
  const rowLength = 13;
  let weights = begin;
  const run = (w: readonly number[], row: number, from: number, to: number, h0: number) => {
    const states = [h0];
    for (let t = from; t < to; t++) {
      const at = row * rowLength + t;
      const held = resetAt.includes(at) ? 0 : states.at(-1)!;
      states.push(Math.tanh(w[0]! * x[at]! + w[1]! * held + w[2]!));
    }
    return states;
  };
  // States of every row before every timestep, by the weights of when they were computed.
  const states = [0, 1].map(() => [0]);
  for (let end = every; end <= rowLength; end += every) {
    const start = Math.max(0, end - reach);
    const counted = Math.max(end - every, start);
    const known = states.map((row, b) => {
      const reached = row.length - 1;
      return reached >= start ? row : [...row, ...run(weights, b, reached, start, row[reached]!).slice(1)];
    });
    const loss = (w: readonly number[]) => {
      let sum = 0;
      for (const [b, row] of known.entries()) {
        const window = run(w, b, start, end, row[start]!);
        for (let t = counted; t < end; t++) sum += (window[t - start + 1]! - y[b * rowLength + t]!) ** 2;
      }
      return sum / (2 * (end - counted));
    };
    const gradient = weights.map((_, k) => {
      const at = (distance: number) => loss(weights.map((value, i) => (i === k ? value + distance : value)));
      return (at(1e-6) - at(-1e-6)) / 2e-6;
    });
    known.forEach((row, b) => {
      states[b] = [...row.slice(0, start + 1), ...run(weights, b, start, end, row[start]!).slice(1)];
    });
    weights = weights.map((value, k) => value - rate * gradient[k]!);
  }
  return weights;
}

async function trained(given: ContinuousOptions, epochs = 1): Promise<{ weights: number[]; losses: number[] }> {
  const model = new Model(network, { optimizer: sgd() });
  model.setWeights(new Map(names.map((name, i) => [name, Float32Array.of(begin[i]!)])));
  const losses: number[] = [];
  for await (const event of train(model, { data: continuous(given), epochs, learningRate: rate }))
    if (event.event === "epoch") losses.push(event.loss);
  return { weights: names.map((name) => model.weights().get(name)![0]!), losses };
}

describe("truncated backpropagation", () => {
  it.each([
    { every: 13, reach: 13, what: "all at once" },
    { every: 3, reach: 3, what: "chunk by chunk" },
    { every: 2, reach: 5, what: "windows that overlap" },
    { every: 1, reach: 4, what: "a step for every timestep" },
    { every: 4, reach: 2, what: "only the end of each chunk" },
  ])("takes the steps of a loop by hand: $what", async ({ every, reach }) => {
    const { weights } = await trained(options(every, reach));
    const expected = byHand(every, reach);
    expect(compare(weights, expected).error).toBeLessThan(tolerances.golden);
    expect(compare(expected, begin).error).toBeGreaterThan(0.01);
  });

  it("begins at 0 where it is told to, in that row alone", async () => {
    const { weights } = await trained(options(3, 3, [13 + 6]));
    expect(compare(weights, byHand(3, 3, [13 + 6])).error).toBeLessThan(tolerances.golden);
    expect(weights).not.toEqual((await trained(options(3, 3))).weights);
    const state: CarriedState = { h: Float32Array.of(1, 2, 3, 4) };
    const batch = { sizes: { batch: 2 }, inputs: {} };
    expect(freshStates(state, { batch, fresh: [false, true] })["h"]).toEqual(Float32Array.of(1, 2, 0, 0));
    expect(freshStates(state, { batch, fresh: true })).toEqual({});
    expect(freshStates(state, { batch })).toBe(state);
  });

  it("goes on from epoch to epoch, states beginning at 0 in each", async () => {
    const { losses } = await trained(options(3, 3), 40);
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
  });

  it("carries on without a break: parts of a sequence give what the whole gives", () => {
    const model = new Model(network);
    const parts = (every: number) => {
      const stream = continuous({ ...options(every, every), batchSize: 1 });
      let state: CarriedState = {};
      const found: number[] = [];
      for (let index = 0; index < stream.count; index++) {
        const batch = { ...stream.chunk(index).batch, state };
        found.push(...model.predict(batch)["h"]!);
        state = model.advance(batch);
      }
      return found;
    };
    expect(parts(2)).toEqual(parts(26));
  });

  it("says what is wrong with its options", () => {
    const { mask: _, ...unmasked } = options(2, 5);
    expect(() => continuous(unmasked)).toThrow("continuous: mask is missing, expected the name of an input.");
    expect(() => continuous(options(14, 14))).toThrow(
      "continuous: the sequence is 26 timesteps, expected at least 28, 14 for each of 2 rows.",
    );
    expect(() => continuous(options(0, 1))).toThrow("continuous: every is 0, expected 1, 2, 3, ….");
    const uneven = { ...options(2, 2), sequences: { x: { values: x, size: 1 }, y: { values: [1], size: 1 } } };
    expect(() => continuous(uneven)).toThrow('continuous: sequence "y" is 1 timesteps, expected 26, as many as "x".');
  });

  it("wants the next states from the network", () => {
    const forgetful = { ...network, forward: () => ({}) };
    expect(() => new Model(forgetful)).toThrow(
      'network: the next state "0.forward.h" is missing, expected [batch, 1] among the outputs of forward.',
    );
  });
});
