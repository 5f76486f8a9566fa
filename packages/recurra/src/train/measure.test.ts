import { describe, expect, it } from "vitest";
import { lstm } from "../cells/lstm.ts";
import { mse } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { sequenceType } from "../trace/tensor.ts";
import { measureSteps } from "./measure.ts";
import { type Batch, Model } from "./model.ts";

const [inputSize, hiddenSize] = [5, 8];
const makeModel = () =>
  new Model(
    {
      inputs: { x: sequenceType(inputSize), y: sequenceType(hiddenSize) },
      forward: ({ x }, scope) => ({ h: recurrent({ cell: lstm, hiddenSize }).apply(x!, scope) }),
      loss: ({ h }, { y }, scope) => mse(h!, y!, scope),
    },
    { averageDecay: 0.9 },
  );
const batchOf = (batch: number, time: number): Batch => ({
  sizes: { batch, time },
  inputs: {
    x: Float32Array.from({ length: batch * time * inputSize }, (_, i) => Math.sin(i)),
    y: new Float32Array(batch * time * hiddenSize).fill(0.5),
  },
});

describe("the plan of a model", () => {
  it("counts parameters and operations and takes no memory", () => {
    const model = makeModel();
    const before = model.footprint;
    const sizes = { batch: 64, time: 100 };
    const plan = model.plan(sizes);
    expect(plan.parameters).toBe(model.parameterCount);
    expect(plan.multiplyAdds.perTimestep).toBe(4 * hiddenSize * (inputSize + hiddenSize));
    expect(plan.multiplyAdds.predict).toBe(64 * 100 * plan.multiplyAdds.perTimestep);
    // Forward; the gradient of R both ways; that of W for the weights only, since nothing asks for that of x.
    expect(plan.multiplyAdds.train).toBe(64 * 100 * 4 * hiddenSize * (2 * inputSize + 3 * hiddenSize));
    expect(model.footprint).toEqual(before);
  });

  it("is what calls of these sizes then take", () => {
    const model = makeModel();
    const plan = model.plan({ batch: 64, time: 100 });
    const batch = batchOf(64, 100);
    model.trainStep(batch, 1e-3);
    model.evaluate(batch);
    model.predict(batch);
    const { memoryBytes, arenaBytes, kernels, segments } = plan;
    expect(model.footprint).toMatchObject({ memoryBytes, arenaBytes, kernels, segments });
  });

  it("needs the size of every axis", () => {
    expect(() => makeModel().plan({ batch: 2 })).toThrow('the size of axis "time" is missing');
  });
});

describe("measuring steps", () => {
  it("leaves the model as it was, to the bit", async () => {
    const [measured, untouched] = [makeModel(), makeModel()];
    const batch = batchOf(20, 10);
    for (const model of [measured, untouched]) model.trainStep(batch, 1e-2);
    const { trainMs, steps } = await measureSteps(measured, () => batch, 30);
    expect(trainMs).toBeGreaterThan(0);
    expect(steps).toBeGreaterThanOrEqual(2);
    expect(measured.steps).toBe(1);
    for (const model of [measured, untouched]) model.trainStep(batch, 1e-2);
    expect(measured.weights()).toEqual(untouched.weights());
    expect(measured.optimizerState()).toEqual(untouched.optimizerState());
  });
});
