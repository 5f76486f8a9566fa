import { describe, expect, it } from "vitest";
import { compare, tolerances } from "../../../../test/support/close.ts";
import { gru } from "../cells/gru.ts";
import { dense } from "../layers/dense.ts";
import { mse } from "../layers/losses/usual.ts";
import { weightPenalty } from "../layers/penalties.ts";
import { recurrent } from "../layers/recurrent.ts";
import { add } from "../trace/operations.ts";
import { sequenceType } from "../trace/tensor.ts";
import type { Samples } from "./feed.ts";
import { type Batch, Model } from "./model.ts";
import { defineNetwork } from "./network.ts";
import { bucketedOrder } from "./order.ts";
import { train } from "./train.ts";

const network = defineNetwork({
  inputs: { x: sequenceType(2), y: sequenceType(1) },
  variableLengths: ["time"],
  forward: ({ x }, scope) => {
    const states = recurrent({ cell: gru, hiddenSize: 5 }).apply(x, scope);
    return { y: dense({ outputSize: 1 }).apply(states, scope.in("out")) };
  },
  loss: ({ y: given }, { y }, scope) => add(mse(given, y, scope), weightPenalty(scope, { l2: 0.01 })),
});

const time = 4;
const lengths = Array.from({ length: 12 }, (_, i) => 1 + ((i * 5) % 4));
const sample = (i: number, size: number) => Array.from({ length: time * size }, (_, k) => Math.sin(7 * i + k));
const batchOf = (indices: readonly number[] | Int32Array): Batch => ({
  sizes: { batch: indices.length, time },
  inputs: {
    x: [...indices].flatMap((i) => sample(i, 2)),
    y: [...indices].flatMap((i) => sample(i + 50, 1)),
    lengths: [...indices].map((i) => lengths[i]!),
  },
});
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("gathered gradients", () => {
  it("of several batches make the step of one batch of all their rows, of unequal lengths and sizes too", () => {
    const whole = new Model(network);
    const parts = new Model(network, { accumulation: true });
    for (let step = 0; step < 5; step++) {
      const expected = whole.trainStep(batchOf(range(0, 12)), 0.01);
      const given = parts.trainStep([range(0, 5), range(5, 6), range(6, 12)].map(batchOf), 0.01);
      expect(given.loss).toBeCloseTo(expected.loss, 5);
      expect(given.gradientNorm).toBeCloseTo(expected.gradientNorm, 5);
      for (const [name, weights] of whole.weights())
        expect(compare(parts.weights().get(name)!, weights).error).toBeLessThan(tolerances.float32Gradient);
    }
    expect(parts.steps).toBe(5);
  });

  it("leave nothing behind when a batch is not finite", () => {
    const model = new Model(network, { accumulation: true });
    const before = [...model.weights().values()].map((values) => [...values]);
    const broken = { ...batchOf([0]), inputs: { ...batchOf([0]).inputs, y: [Number.NaN, 0, 0, 0] } };
    expect(model.trainStep([batchOf([1]), broken], 0.1).loss).toBeNaN();
    expect([...model.weights().values()].map((values) => [...values])).toEqual(before);
    const fresh = new Model(network, { accumulation: true });
    expect(model.trainStep([batchOf([1, 2])], 0.1)).toEqual(fresh.trainStep([batchOf([1, 2])], 0.1));
  });

  it("need a model that was built for them", () => {
    expect(() => new Model(network).trainStep([batchOf([0]), batchOf([1])], 0.1)).toThrow(
      "trainStep: batches is more than one, expected one, as the model was built without accumulation.\nBuild the model with accumulation: true.",
    );
  });

  it("are asked for in a run, and give the losses of larger batches", async () => {
    const seen: number[] = [];
    const data: Samples = {
      count: 12,
      batch(indices) {
        seen.push(indices.length);
        return batchOf(indices);
      },
    };
    const lossesOf = async (batchSize: number, accumulate: number) => {
      const model = new Model(network, { accumulation: accumulate > 1 });
      const losses: number[] = [];
      for await (const event of train(model, { data, epochs: 3, batchSize, accumulate, learningRate: 0.01 }))
        if (event.event === "epoch") losses.push(event.loss);
      return losses;
    };
    const large = await lossesOf(6, 1);
    expect(seen.splice(0)).toEqual([6, 6, 6, 6, 6, 6]);
    const small = await lossesOf(2, 3);
    expect(new Set(seen)).toEqual(new Set([2]));
    expect(compare(small, large).error).toBeLessThan(tolerances.float32Gradient);
  });
});

describe("the order of samples by length", () => {
  const many = Array.from({ length: 1003 }, (_, i) => (i * 37) % 100);

  it("has every sample once, and batches of like length in an order of their own", () => {
    const order = bucketedOrder(many, 3, 1, 10);
    expect([...order].sort((a, b) => a - b)).toEqual(range(0, 1003));
    const spread = (of: Int32Array) =>
      range(0, 100).reduce((sum, batch) => {
        const inBatch = [...of.subarray(batch * 10, batch * 10 + 10)].map((i) => many[i]!);
        return sum + Math.max(...inBatch) - Math.min(...inBatch);
      }, 0) / 100;
    expect(spread(order)).toBeLessThan(4);
    expect(spread(bucketedOrder(many, 3, 1, 10, 1))).toBeGreaterThan(60);
    const firsts = range(0, 100).map((batch) => many[order[batch * 10]!]!);
    expect(firsts).not.toEqual([...firsts].sort((a, b) => a - b));
  });

  it("is a function of seed and epoch", () => {
    expect(bucketedOrder(many, 3, 1, 10)).toEqual(bucketedOrder(many, 3, 1, 10));
    expect(bucketedOrder(many, 3, 1, 10)).not.toEqual(bucketedOrder(many, 3, 2, 10));
    expect(bucketedOrder(many, 3, 1, 10)).not.toEqual(bucketedOrder(many, 4, 1, 10));
  });
});
