/** Every built-in cell learns: the mean of six numbers that come one by one. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../packages/recurra/src/base/random.ts";
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import { dense } from "../../packages/recurra/src/layers/dense.ts";
import { mse } from "../../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../../packages/recurra/src/layers/recurrent.ts";
import { sequenceType, vectorType } from "../../packages/recurra/src/trace/tensor.ts";
import { Model } from "../../packages/recurra/src/train/model.ts";
import { defineNetwork } from "../../packages/recurra/src/train/network.ts";

const sizes = { batch: 32, time: 6 };
const random = createRandom(4);

/** x [batch, time, 3]: the number, 1 and 1, which gru-d reads as a value, that it was observed, and the time since. */
function batchOf() {
  const x = Float32Array.from({ length: sizes.batch * sizes.time * 3 }, (_, i) => (i % 3 === 0 ? random.normal() : 1));
  const y = Float32Array.from(
    { length: sizes.batch },
    (_, row) =>
      Array.from({ length: sizes.time }, (_, t) => x[(row * sizes.time + t) * 3]!).reduce((sum, value) => sum + value) /
      sizes.time,
  );
  return { sizes, inputs: { x, y } };
}

const batches = Array.from({ length: 200 }, batchOf);
const unseen = Array.from({ length: 8 }, batchOf);

/** What cfc makes of its gates grows steep: at 0.03 it ends anywhere between a twentieth and all of the error of the mean. */
const rateOf = (name: string) => (name === "cfc" ? 0.01 : 0.03);

describe.each(Object.values(cells))("the cell $name", (cell) => {
  it("comes within a fifth of the error of the mean", () => {
    const layer = recurrent({ cell, hiddenSize: 12, output: "last" });
    const model = new Model(
      defineNetwork({
        inputs: { x: sequenceType(3), y: vectorType(1) },
        forward: ({ x }, scope) => ({
          y: dense({ outputSize: 1 }).apply(layer.apply(x, scope.in("rnn")), scope.in("out")),
        }),
        loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
      }),
      { threads: 1, clipping: { norm: 1 } },
    );
    for (const [step, batch] of batches.entries())
      model.trainStep(batch, rateOf(cell.name) * (1 - step / batches.length));
    const error = unseen.reduce((sum, batch) => sum + model.evaluate(batch), 0) / unseen.length;
    // The numbers have variance 1, so their mean has 1/6.
    expect(error).toBeLessThan(1 / 6 / 5);
  });
});
