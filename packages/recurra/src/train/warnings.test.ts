import { describe, expect, it } from "vitest";
import { createRandom } from "../base/random.ts";
import { gru } from "../cells/gru.ts";
import { rnn } from "../cells/rnn.ts";
import { dense } from "../layers/dense.ts";
import { sequential } from "../layers/layer.ts";
import { mse } from "../layers/losses/usual.ts";
import { type RecurrentOptions, recurrent } from "../layers/recurrent.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import type { Samples } from "./feed.ts";
import { Model, type ModelOptions } from "./model.ts";
import { defineNetwork } from "./network.ts";
import { type TrainEvent, train } from "./train.ts";
import { GradientNorms } from "./warnings.ts";

const time = 100;
const random = createRandom(1);
const numbers = Float32Array.from({ length: 64 * time }, () => random.normal());
const data: Samples = {
  count: 64,
  batch: (indices) => ({
    sizes: { batch: indices.length, time },
    inputs: {
      x: [...indices].flatMap((i) => [...numbers.subarray(i * time, (i + 1) * time)]),
      y: [...indices].map((i) => numbers[i * time]!),
    },
  }),
};

function modelOf(options: Omit<RecurrentOptions, "hiddenSize" | "output">, training: ModelOptions = {}): Model {
  const layers = sequential(recurrent({ hiddenSize: 16, output: "last", ...options }), dense({ outputSize: 1 }));
  const network = defineNetwork({
    inputs: { x: sequenceType(1), y: vectorType(1) },
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  });
  return new Model(network, training);
}

async function eventsOf(model: Model, epochs: number): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(model, { data, epochs, batchSize: 8, progressEveryMs: 0 })) events.push(event);
  return events;
}

/** Its states are chaotic: recurrent weights four times as large as those that keep a state's length. */
const chaotic = { cell: rnn, initialize: { R: { kind: "normal", deviation: 1 } } } as const;

describe("norms of the gradient", () => {
  it("are told with the events: of the last step, and mean and largest of the epoch", async () => {
    const events = await eventsOf(modelOf({ cell: gru }), 2);
    const steps = events.flatMap((event) => (event.event === "progress" ? [event] : []));
    const epochs = events.flatMap((event) => (event.event === "epoch" ? [event.gradientNorm] : []));
    const first = modelOf({ cell: gru }).trainStep(data.batch(Int32Array.from({ length: 8 }, (_, i) => i)), 1e-3);
    expect(steps[0]!.gradientNorm).toBeGreaterThan(0.1 * first.gradientNorm);
    for (const [k, { mean, largest }] of epochs.entries()) {
      const own = steps.filter(({ epoch }) => epoch === k + 1).map(({ gradientNorm }) => gradientNorm);
      expect(own).toHaveLength(8);
      expect(mean).toBeCloseTo(own.reduce((sum, norm) => sum + norm, 0) / 8, 12);
      expect(largest).toBe(Math.max(...own));
    }
    expect(events.filter(({ event }) => event === "warning")).toEqual([]);
  });

  it("explode when the median of nine steps does, whatever four of them are", () => {
    const norms = new GradientNorms(10, 2);
    const limit = (1e4 * 2) / 10;
    for (const norm of [1, 1e9, 1, 1e9, 1, 1e9, 1, 1e9, 1]) norms.see(norm);
    expect(norms.exploding()).toBeUndefined();
    norms.see(1.01 * limit);
    expect(norms.exploding()).toBe(1.01 * limit);
    norms.see(1);
    expect(norms.exploding()).toBeUndefined();
  });

  it("do not explode beside a first loss of nearly 0, as that of a run that goes on", () => {
    const norms = new GradientNorms(10, 1e-9);
    for (let step = 0; step < 9; step++) norms.see(1);
    expect(norms.exploding()).toBeUndefined();
  });
});

describe("training whose gradient explodes", () => {
  it("warns once, saying where, what was seen and what mends it", async () => {
    const events = await eventsOf(modelOf(chaotic), 3);
    const warnings = events.filter(({ event }) => event === "warning");
    expect(warnings).toEqual([
      {
        event: "warning",
        epoch: 2,
        step: 1,
        kind: "exploding",
        where: "the gradient",
        seen: expect.stringMatching(
          /^its norm has been about \d\.\de\+\d+ for 9 steps: by it, a change of all weights by a ten-thousandth of their length could double the loss\.$/,
        ),
        mend: "Clip the gradient by norm, begin with smaller or orthogonal recurrent weights, or use a gated cell (gru, lstm).",
        message: expect.stringMatching(/^training step 9: the gradient: its norm .* the loss\. Clip the gradient/),
      },
    ]);
  });

  it("is not told to clip where it clips already", async () => {
    const events = await eventsOf(modelOf(chaotic, { clipping: { norm: 1 } }), 2);
    const [warning] = events.flatMap((event) => (event.event === "warning" ? [event] : []));
    expect(warning!.mend).toMatch(/^Lower the learning rate, begin with smaller/);
  });
});
