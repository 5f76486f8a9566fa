import { describe, expect, it } from "vitest";
import { mse } from "../layers/losses/usual.ts";
import { add, matmul, mul } from "../trace/operations.ts";
import { type Tensor, vectorType } from "../trace/tensor.ts";
import { type Batch, Model, type ModelOptions } from "./model.ts";
import type { Optimizer } from "./optimizers/optimizer.ts";
import { sgd } from "./optimizers/sgd.ts";
import type { Network } from "./programs.ts";

/** y = W·x + b, a weight that only `predict` reads, and one that nothing reads. */
const network: Network = {
  inputs: { x: vectorType(2), y: vectorType(1) },
  forward: ({ x }, scope) => {
    scope.param("unread", [3], "ones");
    return {
      y: add(matmul(scope.param("W", [1, 2], "ones"), x!), scope.param("b", [1], "zeros")),
      shown: scope.param("shown", [1], "ones"),
    };
  },
  loss: (outputs, { y }, scope) => mse(outputs.y!, y!, scope),
};
const options: ModelOptions = { seed: 3, averageDecay: 0.9 };
const batch: Batch = { sizes: { batch: 2 }, inputs: { x: [1, 2, -1, 0.5], y: [3, 1] } };
const take = (model: Model, steps: number) => Array.from({ length: steps }, () => model.trainStep(batch, 0.05).loss);
const order = ["unread", "W", "b", "shown"];
const plain = (weights: ReadonlyMap<string, Float32Array>) =>
  Object.fromEntries([...weights].map(([name, values]) => [name, [...values]]));

const message = (run: () => void) => {
  try {
    run();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  return "nothing";
};

describe("a model resumed from weights and optimizer state", () => {
  it("goes on with the same bits, its moving average too", () => {
    const first = new Model(network, options);
    take(first, 4);
    const resumed = new Model(network, options);
    resumed.setWeights(first.weights());
    resumed.setOptimizerState(first.optimizerState());
    expect(resumed.steps).toBe(4);
    expect(take(resumed, 3)).toEqual(take(first, 3));
    expect(plain(resumed.weights())).toEqual(plain(first.weights()));
    expect(plain(resumed.averagedWeights())).toEqual(plain(first.averagedWeights()));
    expect(plain(first.averagedWeights())).not.toEqual(plain(first.weights()));
  });

  it("refuses a state that is not its own, and keeps what it has", () => {
    const model = new Model(network, options);
    take(model, 2);
    const state = model.optimizerState();
    const without = (name: string) => new Map([...state.accumulators].filter(([other]) => other !== name));
    const set = (accumulators: ReadonlyMap<string, Float32Array<ArrayBuffer>>, steps = 0) =>
      message(() => model.setOptimizerState({ steps, accumulators }));
    const mend = "\nRestore the state of a model with the same network, optimizer and choice of averageDecay.";
    expect(set(without("average.W"))).toBe(
      `ShapeError: optimizer state "average.W" is missing, expected 2 numbers, [1, 2].${mend}`,
    );
    expect(set(new Map([...state.accumulators, ["average.b", new Float32Array(2)]]))).toBe(
      `ShapeError: optimizer state "average.b" is 2 numbers, expected 1 numbers, [1].${mend}`,
    );
    expect(set(new Map([...state.accumulators, ["optimizer.velocity.W", new Float32Array(2)]]))).toBe(
      `ShapeError: optimizer state "optimizer.velocity.W" is unknown, expected one of ${order
        .flatMap((name) => [
          ...model.optimizer.accumulators.map((kept) => `optimizer.${kept}.${name}`),
          `average.${name}`,
        ])
        .join(", ")}.${mend}`,
    );
    expect(set(state.accumulators, 1.5)).toBe(
      "OptionError: optimizer state: steps is 1.5, expected 0, 1, 2, ….\nGive the number of steps that were taken.",
    );
    expect(model.optimizerState()).toEqual(state);
  });
});

describe("weights", () => {
  it("go out and in again, though some are read by `predict` only and some by nothing", () => {
    const model = new Model(network, options);
    take(model, 1);
    const [weights, averaged] = [model.weights(), model.averagedWeights()];
    expect([...weights.keys()]).toEqual(["W", "b", "shown"]);
    expect([...averaged.keys()]).toEqual(["W", "b", "shown"]);
    model.setWeights(averaged);
    expect(plain(model.weights())).toEqual(plain(averaged));
  });

  it("begin their moving average anew when they are set", () => {
    const model = new Model(network, options);
    take(model, 5);
    const weights = new Map([...model.weights(), ["W", Float32Array.of(7, 8)]]);
    model.setWeights(weights);
    expect(plain(model.averagedWeights())).toEqual(plain(weights));
  });

  it("lent for a moment leave weights, average and optimizer as they were, even when something throws", () => {
    const model = new Model(network, options);
    take(model, 3);
    const before = [plain(model.weights()), plain(model.averagedWeights()), model.optimizerState()];
    const lent = new Map([...model.weights(), ["b", Float32Array.of(100)]]);
    expect(model.withWeights(lent, () => model.weights().get("b")![0])).toBe(100);
    expect(
      message(() =>
        model.withWeights(lent, () => {
          throw new Error("inside");
        }),
      ),
    ).toBe("Error: inside");
    expect([plain(model.weights()), plain(model.averagedWeights()), model.optimizerState()]).toEqual(before);
  });

  it("of another network are refused, and nothing changes", () => {
    const model = new Model(network, options);
    const weights = model.weights();
    const set = (name: string, values: Float32Array<ArrayBuffer> | undefined) => {
      const given = new Map([...weights, [name, values ?? Float32Array.of()]]);
      if (values === undefined) given.delete(name);
      return message(() => model.setWeights(given));
    };
    const mend = "\nLoad weights that were saved from the same network.";
    expect(set("W", undefined)).toBe(`ShapeError: weight "W" is missing, expected 2 numbers, [1, 2].${mend}`);
    expect(set("W", Float32Array.of(1))).toBe(
      `ShapeError: weight "W" is 1 numbers, expected 2 numbers, [1, 2].${mend}`,
    );
    expect(set("gate", Float32Array.of(1))).toBe(
      `ShapeError: weight "gate" is unknown, expected one of unread, W, b, shown.${mend}`,
    );
    expect(set("show", Float32Array.of(1))).toBe(
      'ShapeError: weight "show" is unknown, expected one of unread, W, b, shown.\nDid you mean "shown"?',
    );
    expect(plain(model.weights())).toEqual(plain(weights));
  });
});

describe("a model's programs", () => {
  const counted = (usesTraining: boolean) => {
    const counts = { traces: 0, updates: 0 };
    const optimizer = sgd();
    const counting: Network = {
      ...network,
      forward: (inputs, scope) => {
        counts.traces++;
        const { y, shown } = network.forward(inputs, scope) as { y: Tensor; shown: Tensor };
        return { y: usesTraining && scope.training ? mul(y, 2) : y, shown };
      },
    };
    const update: Optimizer["update"] = (...given) => {
      counts.updates++;
      return optimizer.update(...given);
    };
    return { counts, model: new Model(counting, { optimizer: { ...optimizer, update } }) };
  };

  it("are traced once for a network that does not ask whether it is trained, twice for one that does", () => {
    expect(counted(false).counts.traces).toBe(1);
    const { counts, model } = counted(true);
    expect(counts.traces).toBe(2);
    expect(model.trainStep(batch, 0).loss).not.toBe(model.evaluate(batch));
  });

  it("take a gradient at the first training step only", () => {
    const { counts, model } = counted(false);
    model.predict(batch);
    model.evaluate(batch);
    expect(counts.updates).toBe(0);
    expect([...model.weights().keys()]).toEqual(order.slice(1));
    model.trainStep(batch, 0.1);
    expect(counts.updates).toBe(1); // Of all weights together.
  });

  it("are refused at once when the loss is not a single number", () => {
    expect(message(() => new Model({ ...network, loss: (outputs) => outputs.y! }))).toBe(
      "ShapeError: gradients: loss is [batch, 1], expected [1].\nSum or average the loss over batch, time and features.",
    );
  });
});
