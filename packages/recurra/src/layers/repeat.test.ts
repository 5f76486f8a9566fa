import { describe, expect, it } from "vitest";
import { createRandom } from "../base/random.ts";
import { cells } from "../cells/registry.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { Model } from "../train/model.ts";
import { defineNetwork } from "../train/network.ts";
import { dense } from "./dense.ts";
import { sequential } from "./layer.ts";
import { mse } from "./losses/usual.ts";
import { recurrent } from "./recurrent.ts";
import { repeat } from "./repeat.ts";

const time = 12;

/** Rows of one wave each, [rows, time]; `odd` ones have a jump in the middle. */
function waves(rows: number, seed: number, odd: boolean) {
  const random = createRandom(seed);
  return Float32Array.from(
    Array.from({ length: rows }, () => {
      const [start, size] = [random.uniform() * 2 * Math.PI, 0.5 + 0.5 * random.uniform()];
      return Array.from({ length: time }, (_, t) =>
        odd && t >= 5 && t <= 6 ? -size * Math.sin(start + t / 2) : size * Math.sin(start + t / 2),
      );
    }).flat(),
  );
}

describe("repeat", () => {
  it("is the bridge of a recurrent autoencoder, which finds waves unlike those it has learned", () => {
    const layers = sequential(
      recurrent({ cell: cells["gru"]!, hiddenSize: 24, output: "last" }),
      dense({ outputSize: 3 }),
      repeat(),
      recurrent({ cell: cells["gru"]!, hiddenSize: 24 }),
      dense({ outputSize: 1 }),
    );
    const model = new Model(
      defineNetwork({
        inputs: { x: sequenceType(1) },
        forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
        loss: ({ y }, { x }, scope) => mse(y, x, scope),
      }),
      { clipping: { norm: 1 } },
    );
    const batch = { sizes: { batch: 64, time }, inputs: { x: waves(64, 1, false) } };
    for (let step = 0; step < 400; step++) model.trainStep(batch, 0.01);
    const error = (odd: boolean) => model.evaluate({ sizes: { batch: 100, time }, inputs: { x: waves(100, 2, odd) } });
    expect(error(false)).toBeLessThan(0.02);
    expect(error(true)).toBeGreaterThan(5 * error(false));
  });

  it("makes one row many, as long as the batch says", () => {
    const model = new Model(
      defineNetwork({
        inputs: { x: vectorType(2), y: sequenceType(2, "steps") },
        forward: ({ x }, scope) => ({ h: repeat("steps").apply(x, scope) }),
        loss: ({ h }, { y }, scope) => mse(h, y, scope),
      }),
    );
    expect([...model.predict({ sizes: { batch: 1, steps: 3 }, inputs: { x: [4, 5] } }).h!]).toEqual([4, 5, 4, 5, 4, 5]);
  });

  it("refuses a sequence that has the axis already", () => {
    const network = defineNetwork({
      inputs: { x: sequenceType(2) },
      forward: ({ x }, scope) => ({ h: repeat().apply(x, scope) }),
      loss: ({ h }, { x }, scope) => mse(h, x, scope),
    });
    expect(() => new Model(network).predict({ sizes: { batch: 1, time: 1 }, inputs: { x: [1, 2] } })).toThrow(
      'repeat: x is [batch, time, 2], expected a row without the axis time.\nTake the output "last" of the layer below, or repeat along another axis.',
    );
  });
});
