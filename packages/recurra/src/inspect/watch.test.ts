import { describe, expect, it } from "vitest";
import { createRandom } from "../base/random.ts";
import { lstm } from "../cells/lstm.ts";
import { rnn, rnnRelu } from "../cells/rnn.ts";
import { chrono } from "../init/initializers.ts";
import { dense } from "../layers/dense.ts";
import { sequential } from "../layers/layer.ts";
import { mse } from "../layers/losses/usual.ts";
import { type RecurrentOptions, recurrent } from "../layers/recurrent.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import type { Samples } from "../train/feed.ts";
import { type Batch, Model, type ModelOptions } from "../train/model.ts";
import { defineNetwork } from "../train/network.ts";
import { type TrainEvent, train } from "../train/train.ts";
import type { GradientWatch } from "../train/warnings.ts";
import { watchGradients } from "./watch.ts";

const time = 120;
const random = createRandom(1);
const numbers = Float32Array.from({ length: 40 * time }, () => random.normal());
/** The target is the first number of the sequence, or each step's own. */
const samples = (target: "first" | "every", lengths?: (i: number) => number): Samples => ({
  count: 40,
  batch: (indices): Batch => {
    const x = [...indices].flatMap((i) => [...numbers.subarray(i * time, (i + 1) * time)]);
    const y = target === "every" ? x : [...indices].map((i) => numbers[i * time]!);
    const inputs = { x, y, ...(lengths === undefined ? {} : { lengths: [...indices].map(lengths) }) };
    return { sizes: { batch: indices.length, time }, inputs };
  },
});

type Cell = Omit<RecurrentOptions, "hiddenSize" | "output">;

function modelOf(options: Cell, training: ModelOptions = {}, variableLengths: readonly "time"[] = []): Model {
  const layers = sequential(recurrent({ hiddenSize: 8, output: "last", ...options }), dense({ outputSize: 1 }));
  const network = defineNetwork({
    inputs: { x: sequenceType(1), y: vectorType(1) },
    variableLengths,
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  });
  return new Model(network, training);
}

async function eventsOf(model: Model, data = samples("first"), watch: GradientWatch | undefined = watchGradients()) {
  const events: TrainEvent[] = [];
  const options = { data, epochs: 20, batchSize: 20, learningRate: 1e-3, progressEveryMs: 1e9 };
  for await (const event of train(model, watch === undefined ? options : { ...options, watch })) events.push(event);
  return events;
}
const warningsOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.event === "warning" ? [event] : []));

/** Its states keep at most 0.8 of themselves at each step. */
const plain: Cell = { cell: rnn, initialize: { R: { kind: "orthogonal", gain: 0.8 } } };

describe("a watched run", () => {
  it("is told once that the gradient of a plain network vanishes", async () => {
    const warnings = warningsOf(await eventsOf(modelOf(plain)));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ kind: "vanishing", epoch: 16, step: 2, where: "0.rnn.0.forward" });
    expect(warnings[0]!.message).toMatch(
      /^training step 32: 0\.rnn\.0\.forward: the gradient reaching step 1 is \d\.\de-\d+ of that at step 120: vanishing; it falls below a hundredth after \d+ steps\. Try lstm or gru, orthogonal/,
    );
  });

  it("is told once that it explodes, however it is clipped", async () => {
    const relu: Cell = { cell: rnnRelu, initialize: { R: { kind: "identity", scale: 1.15 } } };
    const warnings = warningsOf(await eventsOf(modelOf(relu, { clipping: { norm: 1 } })));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ kind: "exploding", where: "0.rnn-relu.0.forward" });
    expect(warnings[0]!.mend).toMatch(/^Lower the learning rate, begin with smaller/);
  });

  it("is told nothing of an LSTM that remembers", async () => {
    expect(warningsOf(await eventsOf(modelOf({ cell: lstm, initialize: chrono(time) })))).toEqual([]);
  });

  it("is told nothing where the loss reaches every step by itself", async () => {
    const network = defineNetwork({
      inputs: { x: sequenceType(1), y: sequenceType(1) },
      forward: ({ x }, scope) => {
        const states = recurrent({ hiddenSize: 8, ...plain }).apply(x, scope.in("rnn"));
        return { y: dense({ outputSize: 1 }).apply(states, scope.in("out")) };
      },
      loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
    });
    expect(warningsOf(await eventsOf(new Model(network), samples("every")))).toEqual([]);
  });

  it("takes the steps that it takes unwatched", async () => {
    const [watched, unwatched] = [modelOf(plain), modelOf(plain)];
    await eventsOf(watched);
    await eventsOf(unwatched, samples("first"), undefined);
    expect([...watched.weights()]).toEqual([...unwatched.weights()]);
  });

  it("is looked at with sequences of unequal lengths, and states that are carried on", async () => {
    const unequal = samples("first", (i) => time - (i % 3));
    expect(warningsOf(await eventsOf(modelOf(plain, {}, ["time"]), unequal))).toHaveLength(1);
    const carrying = defineNetwork({
      inputs: { x: sequenceType(1), y: vectorType(1) },
      state: { "0.forward.h": vectorType(8) },
      forward(inputs, scope) {
        const { last, final } = recurrent({ hiddenSize: 8, ...plain }).run(inputs.x, scope.in("rnn"), inputs);
        return { y: dense({ outputSize: 1 }).apply(last, scope.in("out")), "0.forward.h": final["0.forward.h"]! };
      },
      loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
    });
    const model = new Model(carrying);
    const watch = watchGradients({ firstLook: 1 });
    const batch = { ...samples("first").batch(Int32Array.from({ length: 20 }, (_, i) => i)) };
    const state = { "0.forward.h": Float32Array.from({ length: 160 }, (_, i) => Math.sin(i)) };
    expect(watch(model, { ...batch, state }, 1)).toBeUndefined();
    expect(watch(model, { ...batch, state }, 4)).toMatchObject({ kind: "vanishing" });
  });

  it("is told nothing while it gets ten times better from look to look", () => {
    const model = modelOf(plain);
    const watch = watchGradients({ firstLook: 1 });
    const batch = samples("first").batch(Int32Array.of(0, 1, 2));
    const scaled = new Map(
      [...model.weights()].map(([name, w]) => [name, w.map((x) => (name.includes(".R.") ? 0.9 * x : x))]),
    );
    const own = model.weights();
    model.setWeights(scaled);
    expect(watch(model, batch, 1)).toBeUndefined();
    model.setWeights(own);
    expect(watch(model, batch, 4)).toBeUndefined();
    expect(watch(model, batch, 15)).toBeUndefined();
    expect(watch(model, batch, 16)).toMatchObject({ kind: "vanishing" });
  });

  it("is not looked at where that would take more memory than allowed", async () => {
    const watch = watchGradients({ memoryLimit: 1000 });
    expect(warningsOf(await eventsOf(modelOf(plain), samples("first"), watch))).toEqual([]);
  });
});
