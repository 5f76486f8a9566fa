import { describe, expect, it } from "vitest";
import { createRandom } from "../base/random.ts";
import { cells } from "../cells/registry.ts";
import { dense } from "../layers/dense.ts";
import { crossEntropy, mae, mse } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { add, broadcast, gather, log, matmul } from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import type { Samples } from "./feed.ts";
import { type Batch, Model } from "./model.ts";
import { sgd } from "./optimizers/sgd.ts";
import type { TrainOptions } from "./options.ts";
import type { Network } from "./programs.ts";
import { type TrainEvent, train } from "./train.ts";

/** Sequences of two features; the target is the product of the first steps' signs, remembered to the end. */
function samples(count: number, time: number, seed: number): Samples {
  const random = createRandom(seed);
  const xs = Array.from({ length: count }, () => Array.from({ length: time * 2 }, () => random.normal()));
  return {
    count,
    batch: (indices) => ({
      sizes: { batch: indices.length, time },
      inputs: {
        x: [...indices].flatMap((i) => xs[i]!),
        y: [...indices].map((i) => Math.sign(xs[i]![0]!) * 0.5 + 0.3 * xs[i]![2 * time - 1]!),
      },
    }),
  };
}

function network(cell: string): Network {
  const layer = recurrent({ cell: cells[cell]!, hiddenSize: 8, output: "last" });
  return {
    inputs: { x: sequenceType(2), y: vectorType(1) },
    forward: ({ x }, scope) => ({
      y: dense({ outputSize: 1 }).apply(layer.apply(x!, scope.in("rnn")), scope.in("out")),
    }),
    loss: (outputs, inputs, scope) => mse(outputs.y!, inputs.y!, scope),
  };
}

/** One weight w: y = w·x. */
const line = (loss = mse): Network => ({
  inputs: { x: vectorType(1), y: vectorType(1) },
  forward: ({ x }, scope) => ({ y: matmul(scope.param("w", [1, 1], "ones"), x!) }),
  loss: (outputs, inputs, scope) => loss(outputs.y!, inputs.y!, scope),
});
const points = (x: readonly number[], y: readonly number[]): Samples => ({
  count: x.length,
  batch: (indices): Batch => ({
    sizes: { batch: indices.length },
    inputs: { x: [...indices].map((i) => x[i]!), y: [...indices].map((i) => y[i]!) },
  }),
});

async function run(model: Model, options: TrainOptions): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(model, { progressEveryMs: 1e9, ...options })) events.push(event);
  return events;
}
const epochs = (events: readonly TrainEvent[]) => events.flatMap((event) => (event.event === "epoch" ? [event] : []));
const done = (events: readonly TrainEvent[]) => events.find((event) => event.event === "done")!;

describe("training", () => {
  // Remembering a sign is hard for cells that cannot saturate or whose gradient fades: they have further to go.
  const reach: Readonly<Record<string, number>> = { "rnn-relu": 0.12, "rnn-leaky-relu": 0.15, "rnn-sigmoid": 0.25 };
  it.each([...Object.keys(reach), "rnn", "gru", "gru-reset-before", "lstm"])(
    "learns a seeded task in 240 steps with cell %s",
    async (cell) => {
      const data = samples(128, 6, 1);
      const model = new Model(network(cell), { seed: 2, clipping: { norm: 1 } });
      const events = epochs(await run(model, { data, epochs: 30, batchSize: 16, learningRate: 0.02 }));
      expect(events[0]!.loss).toBeGreaterThan(0.2);
      expect(events.at(-1)!.loss).toBeLessThan(reach[cell] ?? 0.05);
    },
  );

  it("restores the best weights when validation gets worse, and stops after `patience` epochs", async () => {
    // Training pulls w from 1 to 3, validation wants 1.5: the first epochs pass it.
    const data = points([1, 1], [3, 3]);
    const validation = points([1], [1.5]);
    const model = new Model(line(), { optimizer: sgd() });
    const events = await run(model, { data, validation, epochs: 50, batchSize: 2, learningRate: 0.1, patience: 3 });
    const losses = epochs(events).map((event) => event.validationLoss);
    const best = losses.indexOf(Math.min(...losses));
    expect(done(events)).toMatchObject({
      stopped: "patience",
      best: { epoch: best + 1, validationLoss: losses[best] },
    });
    expect(losses).toHaveLength(best + 1 + 3);
    expect(model.evaluate(validation.batch(Int32Array.of(0)))).toBe(losses[best]);
  });

  it("validates with the moving average, and leaves the weights and their average to go on as they were", async () => {
    const [data, validation] = [points([1], [3]), points([1], [1.5])];
    const options = { optimizer: sgd(), averageDecay: 0.5 };
    const events = await run(new Model(line(), options), { data, validation, epochs: 5, learningRate: 0.1 });
    const [twin, judge] = [new Model(line(), options), new Model(line())];
    const expected = Array.from({ length: 5 }, () => {
      twin.trainStep(data.batch(Int32Array.of(0)), 0.1);
      judge.setWeights(twin.averagedWeights());
      return judge.evaluate(validation.batch(Int32Array.of(0)));
    });
    expect(epochs(events).map(({ validationLoss }) => validationLoss)).toEqual(expected);
  });

  it("ends after the current step when aborted, with the best weights so far", async () => {
    const controller = new AbortController();
    const data = points([1, 1, 1, 1], [3, 3, 3, 3]);
    const model = new Model(line(), { optimizer: sgd() });
    const events: TrainEvent[] = [];
    for await (const event of train(model, {
      data,
      epochs: 50,
      batchSize: 1,
      learningRate: 0.1,
      signal: controller.signal,
      progressEveryMs: 1e9,
    })) {
      events.push(event);
      if (epochs(events).length === 2) controller.abort();
    }
    expect(done(events)).toMatchObject({ stopped: "aborted", best: { epoch: 2 } });
    expect(epochs(events)).toHaveLength(2);
  });

  it("stops at a loss, and at its last epoch otherwise", async () => {
    const data = points([1], [2]);
    const reached = await run(new Model(line(), { optimizer: sgd() }), {
      data,
      epochs: 99,
      learningRate: 0.1,
      stopAtLoss: 0.01,
    });
    expect(done(reached)).toMatchObject({ stopped: "loss" });
    const ended = await run(new Model(line(), { optimizer: sgd() }), { data, epochs: 2, learningRate: 0.1 });
    expect(done(ended)).toMatchObject({ stopped: "epochs" });
  });

  it("gives the same losses from the same seed", async () => {
    const once = async (seed: number) =>
      epochs(await run(new Model(network("gru"), { seed }), { data: samples(20, 4, 3), epochs: 3, batchSize: 6 })).map(
        ({ loss }) => loss,
      );
    expect(await once(7)).toEqual(await once(7));
    expect(await once(8)).not.toEqual(await once(7));
  });
});

describe("training says what went wrong", () => {
  const failure = async (model: Model, options: TrainOptions) => {
    try {
      await run(model, options);
    } catch (error) {
      return (error as Error).message;
    }
    return "nothing";
  };

  it("in the data", async () => {
    const message = await failure(new Model(line()), {
      data: points([1, Number.NaN], [1, 1]),
      epochs: 1,
      batchSize: 1,
      learningRate: 0.1,
    });
    expect(message).toMatch(
      /^training step [12]: the loss is NaN; input "x" holds NaN in row 1 of the batch, expected finite numbers\.\nReplace missing values before training, or mask them in the loss\.$/,
    );
  });

  describe("about an index outside its range", () => {
    const mend =
      "\nIt chooses a class or a row of a table: number them from 0, and give the network as many as there are.";
    const steps = (x: readonly number[], y: readonly number[], lengths?: readonly number[]): Samples => ({
      count: 1,
      batch: () => ({
        sizes: { batch: 2, time: 2 },
        inputs: { x, y, ...(lengths === undefined ? {} : { lengths }) },
      }),
    });
    const classifier = (form: "outside" | "in a scan", variableLengths: readonly string[] = []): Network => ({
      inputs: { x: sequenceType(1), y: sequenceType(1) },
      variableLengths,
      forward: ({ x }, scope) => {
        const table = scope.param("table", [5, 3], "ones");
        if (form === "outside") return { logits: gather(table, x!) };
        const initial = { h: broadcast(x!.trace.literal(0), vectorType(3)) };
        const { outputs } = scan({
          initial,
          sequences: { x: x! },
          lengths: scope.lengths("time"),
          step: ({ h }, { x: index }) => {
            const next = add(h, gather(table, index));
            return { next: { h: next }, outputs: { next } };
          },
        });
        return { logits: outputs.next };
      },
      loss: ({ logits }, { y }, scope) => crossEntropy(logits!, y!, scope),
    });

    it.each([
      ["a class", "outside", [0, 1, 2, 3], [0, 1, 2, 3], 'input "y" holds 3 in row 2 of the batch', 2],
      ["a row of a table", "outside", [0, -1, 2, 3], [0, 1, 2, 2], 'input "x" holds -1 in row 1 of the batch', 4],
      [
        "a row of a table, in a scan",
        "in a scan",
        [0, 1, 5, 3],
        [0, 1, 2, 2],
        'input "x" holds 5 in row 2 of the batch',
        4,
      ],
    ] as const)("%s", async (_what, form, x, y, words, last) => {
      const message = await failure(new Model(classifier(form)), { data: steps(x, y), epochs: 1 });
      expect(message).toBe(
        `training step 1: the loss is NaN; ${words}, expected a whole number from 0 to ${last} there.${mend}`,
      );
    });

    it("behind the true length says nothing", async () => {
      const data = steps([0, 9, 2, 3], [0, 9, 2, 7], [1, 2]);
      const message = await failure(new Model(classifier("in a scan", ["time"])), { data, epochs: 1 });
      expect(message).toBe(
        `training step 1: the loss is NaN; input "y" holds 7 in row 2 of the batch, expected a whole number from 0 to 2 there.${mend}`,
      );
    });
  });

  it("in the recurrence: the step, the timestep and the parameter", async () => {
    const unstable: Network = {
      ...network("rnn-relu"),
      forward: ({ x }, scope) => ({
        y: dense({ outputSize: 1 }).apply(
          log(recurrent({ cell: cells["rnn-relu"]!, hiddenSize: 8, output: "last" }).apply(x!, scope.in("rnn"))),
          scope.in("out"),
        ),
      }),
    };
    const message = await failure(new Model(unstable, { seed: 1 }), {
      data: samples(4, 3, 1),
      epochs: 1,
      learningRate: 0.01,
    });
    expect(message).toMatch(
      /^training step 1: the loss is (NaN|-?Infinity); the gradient of "(out\.W|rnn\.0\.forward\.W\.h)" is not finite, expected finite numbers\.\nLower the learning rate \(now 0\.01\), clip the gradient by norm, or use a gated cell\.$/,
    );
  });

  it("when the state itself overflows", async () => {
    const model = new Model(network("rnn-relu"), { seed: 1 });
    const weights = new Map(
      [...model.weights()].map(([name, values]) => [
        name,
        values.map((value) => (name.includes("R.") ? 1e20 : Math.abs(value))),
      ]),
    );
    model.setWeights(weights);
    const data: Samples = {
      count: 1,
      batch: () => ({ sizes: { batch: 1, time: 5 }, inputs: { x: Array(10).fill(1), y: [0] } }),
    };
    const message = await failure(model, { data, epochs: 1, learningRate: 0.01 });
    expect(message).toContain("training step 1: the loss is ");
    expect(message).toContain("the state is not finite from timestep 3 on");
    expect([...model.weights()]).toEqual([...weights]);
  });

  it("when it diverges", async () => {
    const message = await failure(new Model(line(), { optimizer: sgd() }), {
      data: points([1], [2]),
      epochs: 99,
      learningRate: 3,
    });
    expect(message).toMatch(
      /^training step \d+: the loss is [\d.e+]+, after 1\.00 at the start, expected a loss that falls\.\nTraining diverges: lower the learning rate \(now 3\) or clip the gradient by norm\.$/,
    );
  });

  it("when the loss is infinite though its gradient is not, and changes nothing then", async () => {
    const model = new Model(line(mae), { optimizer: sgd() });
    const message = await failure(model, { data: points([1, 1], [3e38, 3e38]), epochs: 1, learningRate: 0.1 });
    expect(message).toBe(
      "training step 1: the loss is Infinity, expected finite numbers.\nLower the learning rate (now 0.1), clip the gradient by norm, or use a gated cell.",
    );
    expect(model.weights().get("w")).toEqual(Float32Array.of(1));
    expect(model.steps).toBe(0);
  });

  it.each([
    [{ epochs: 0 }, "train: epochs is 0, expected 1, 2, 3, ….\nGive a positive whole number."],
    [{ batchSize: 1.5 }, "train: batchSize is 1.5, expected 1, 2, 3, ….\nGive a positive whole number."],
    [{ data: points([], []) }, "train: samples is 0, expected 1, 2, 3, ….\nGive at least one sample."],
    [{ learningRate: -1 }, "train: learningRate is -1, expected a positive number.\n1e-3 is a good start for Adam."],
    [
      { learningRate: Number.NaN },
      "train: learningRate is NaN, expected a positive number.\n1e-3 is a good start for Adam.",
    ],
    [
      { schedule: "cosin" as "cosine" },
      'schedule is unknown: "cosin", expected one of constant, cosine, linear, step, exponential, oneCycle, warmUp.\nDid you mean "cosine"?',
    ],
  ])("about an option: %o", async (options, message) => {
    expect(await failure(new Model(line()), { data: points([1], [1]), epochs: 1, ...options })).toBe(message);
  });
});
