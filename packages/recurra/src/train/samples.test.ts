import { describe, expect, it } from "vitest";
import { createRandom } from "../base/random.ts";
import { cells } from "../cells/registry.ts";
import { dense } from "../layers/dense.ts";
import { crossEntropy } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { meanLoss } from "./feed.ts";
import { Model } from "./model.ts";
import { defineNetwork } from "./network.ts";
import { samplesOf } from "./samples.ts";
import { train } from "./train.ts";

const plain = (values: ArrayLike<number> | undefined) => Array.from(values ?? []);

describe("samplesOf", () => {
  const samples = samplesOf({
    sequences: {
      x: { rows: [[1, 2, 3, 4, 5, 6], [7, 8], []], size: 2 },
      m: { rows: [[1, 1, 0], [1], []] },
      words: { rows: [[5], [6, 7], [8, 9]], axis: "steps" },
    },
    vectors: { y: { values: [10, 11, 12] }, z: { values: [1, 2, 3, 4, 5, 6], size: 2 } },
  });

  it("pads to the longest of the batch, by axis, and feeds the true lengths", () => {
    const { sizes, inputs } = samples.batch(Int32Array.of(1, 0));
    expect(sizes).toEqual({ batch: 2, time: 3, steps: 2 });
    expect(plain(inputs["x"] as Float32Array)).toEqual([7, 8, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
    expect(plain(inputs["m"] as Float32Array)).toEqual([1, 0, 0, 1, 1, 0]);
    expect(plain(inputs["words"] as Float32Array)).toEqual([6, 7, 5, 0]);
    expect(plain(inputs["y"] as Float32Array)).toEqual([11, 10]);
    expect(plain(inputs["z"] as Float32Array)).toEqual([3, 4, 1, 2]);
    expect(plain(inputs["lengths"] as Float32Array)).toEqual([1, 3]);
    expect(plain(inputs["lengths.steps"] as Float32Array)).toEqual([2, 1]);
    expect(samples.batch(Int32Array.of(2)).sizes).toEqual({ batch: 1, time: 0, steps: 2 });
  });

  it("says how long its samples are", () => {
    expect(samples.count).toBe(3);
    expect(plain(samples.lengths())).toEqual([3, 1, 0]);
    expect(plain(samples.lengths("steps"))).toEqual([1, 2, 2]);
  });

  it("refuses inputs that do not fit each other", () => {
    const rows = [[1, 2], [3]];
    expect(() => samplesOf({ sequences: { x: { rows } }, vectors: { y: { values: [1] } } })).toThrow(
      'samples: "y" is 1 samples, expected 2, as many as "x" has.\nGive every input all of the samples.',
    );
    expect(() => samplesOf({ sequences: { x: { rows, size: 2 } } })).toThrow(
      'samples: "x", sample 1 is 1 numbers, expected a multiple of 2.\nGive `size` numbers for each step or sample.',
    );
    expect(() => samplesOf({ sequences: { x: { rows }, y: { rows: [[1, 2], []] } } })).toThrow(
      'samples: "y", sample 1 is 0 steps, expected 1, as many as "x" has.\nGive both inputs the same steps, or an axis each.',
    );
  });

  it("trains on batches of like length, and padding counts nowhere", async () => {
    const random = createRandom(2);
    const rows = Array.from({ length: 300 }, () =>
      Array.from({ length: 1 + random.integer(12) }, () => random.normal()),
    );
    const values = rows.map((row) => (row[0]! > 0 ? 1 : 0));
    const data = samplesOf({ sequences: { x: { rows } }, vectors: { y: { values } } });
    const layer = recurrent({ cell: cells["gru"]!, hiddenSize: 12, output: "last" });
    const model = new Model(
      defineNetwork({
        inputs: { x: sequenceType(1), y: vectorType(1) },
        variableLengths: ["time"],
        forward: ({ x }, scope) => ({
          logits: dense({ outputSize: 2 }).apply(layer.apply(x, scope.in("rnn")), scope.in("out")),
        }),
        loss: ({ logits }, { y }, scope) => crossEntropy(logits, y, scope),
      }),
    );
    // One by one there is no padding.
    expect(meanLoss(model, data, 300)).toBeCloseTo(meanLoss(model, data, 1), 5);
    for await (const _ of train(model, {
      data,
      lengths: data.lengths(),
      epochs: 40,
      batchSize: 20,
      learningRate: 0.02,
    }));
    expect(meanLoss(model, data, 300)).toBeLessThan(0.1);
  });
});
