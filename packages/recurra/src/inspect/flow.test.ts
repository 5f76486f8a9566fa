import { describe, expect, it } from "vitest";
import { gru } from "../cells/gru.ts";
import { lstm } from "../cells/lstm.ts";
import { rnn, rnnRelu } from "../cells/rnn.ts";
import { dense } from "../layers/dense.ts";
import { sequential } from "../layers/layer.ts";
import { mse } from "../layers/losses/usual.ts";
import { type RecurrentOptions, recurrent } from "../layers/recurrent.ts";
import { defineCell } from "../trace/cell.ts";
import { add, matmul } from "../trace/operations.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { Model } from "../train/model.ts";
import { defineNetwork } from "../train/network.ts";
import { sgd } from "../train/optimizers/sgd.ts";
import { inspectGradients, updateRatios } from "./flow.ts";

const batchSize = 3;

function modelOf(options: Omit<RecurrentOptions, "hiddenSize" | "output">, hiddenSize = 8): Model {
  const layers = sequential(recurrent({ hiddenSize, output: "last", ...options }), dense({ outputSize: 1 }));
  const network = defineNetwork({
    inputs: { x: sequenceType(2), y: vectorType(1) },
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  });
  return new Model(network, { optimizer: sgd(), threads: 1 });
}

function batch(time: number) {
  return {
    sizes: { batch: batchSize, time },
    inputs: {
      x: Float32Array.from({ length: batchSize * time * 2 }, (_, i) => Math.sin(1 + i * i)),
      y: Float32Array.from({ length: batchSize }, (_, i) => i - 1),
    },
  };
}

describe("inspectGradients", () => {
  it("finds the Jacobians of a linear recurrence, whose product is known", () => {
    const linear = defineCell({
      name: "linear",
      state: ["h"],
      blocks: ["h"],
      step: ({ x, h }, { W, R }) => ({ h: add(matmul(W.h, x), matmul(R.h, h)) }),
    });
    const model = modelOf({ cell: linear, initialize: { R: { kind: "identity", scale: 0.5 } } });
    const { layers, parameters, loss } = inspectGradients(model, batch(6));
    const [layer] = layers;
    expect(layer).toMatchObject({ name: "0.linear.0.forward", direction: "forward", steps: 6 });
    const { reach, lossGradient } = layer!.states[0]!;
    [...reach].forEach((value, t) => {
      expect(value).toBeCloseTo(0.5 ** (5 - t), 6);
    });
    // ∂L/∂h_t = 0.5^(T−1−t) · ∂L/∂h_T: the loss reads the last state only.
    for (let t = 0; t < 5; t++) expect(lossGradient[t]! / lossGradient[t + 1]!).toBeCloseTo(0.5, 5);
    expect(loss).toBeCloseTo(model.evaluate(batch(6)), 6);
    expect(parameters.map(({ name }) => name)).toEqual(model.parameters.map(({ name }) => name));
  });

  it("agrees with the change of the loss when a state is moved", () => {
    // h_0 = tanh(W x_0 + b): a change of the bias moves every state; with one step it moves that one only.
    const model = modelOf({ cell: rnn });
    const { layers, parameters } = inspectGradients(model, batch(1));
    const { lossGradient } = layers[0]!.states[0]!;
    const bias = parameters.find(({ name }) => name.endsWith("b.h"))!;
    expect(lossGradient[0]).toBeGreaterThan(bias.gradientNorm * 0.5);
    expect(layers[0]!.states[0]!.reach[0]).toBeCloseTo(1, 6);
  });

  it("names gates by their weights, and counts what is open and closed", () => {
    const { layers } = inspectGradients(
      modelOf({
        cell: lstm,
        initialize: { "b.f": { kind: "constant", value: 9 }, "b.o": { kind: "constant", value: -9 } },
      }),
      batch(4),
    );
    const gates = Object.fromEntries(layers[0]!.gates.map((gate) => [gate.name, gate]));
    expect(Object.keys(gates).sort()).toEqual(["f", "i", "o"]);
    expect([...gates.f!.open]).toEqual([1, 1, 1, 1]);
    expect([...gates.o!.closed]).toEqual([1, 1, 1, 1]);
    expect(gates.i!.mean[0]).toBeGreaterThan(0.3);
    expect(layers[0]!.states.map(({ name }) => name)).toEqual(["h", "c"]);
  });

  it("gives plain data, which later looks leave as it is", () => {
    const { layers } = inspectGradients(modelOf({ cell: gru }), batch(5));
    const [layer] = layers;
    for (const part of [...layer!.states, ...layer!.gates])
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(part)))
        expect({ name, isThere: value !== undefined }).toEqual({ name, isThere: true });
  });

  it("looks at every layer and direction, with unequal lengths too", () => {
    const layers = sequential(
      recurrent({ cell: gru, hiddenSize: 3, depth: 2, direction: "both", output: "last" }),
      dense({ outputSize: 1 }),
    );
    const network = defineNetwork({
      inputs: { x: sequenceType(2), y: vectorType(1) },
      variableLengths: ["time"],
      forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
      loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
    });
    const { sizes, inputs } = batch(5);
    const flow = inspectGradients(new Model(network), { sizes, inputs: { ...inputs, lengths: [5, 2, 3] } });
    expect(flow.layers.map(({ name, direction }) => [name, direction])).toEqual([
      ["0.gru.0.forward", "forward"],
      ["0.gru.0.backward", "backward"],
      ["0.gru.1.forward", "forward"],
      ["0.gru.1.backward", "backward"],
    ]);
    const { reach } = flow.layers[1]!.states[0]!;
    expect(reach[0]).toBeCloseTo(1, 6);
  });
});

describe("the diagnosis", () => {
  it("sees a gradient vanish, and says what mends it", () => {
    const model = modelOf({ cell: rnn, initialize: { R: { kind: "uniform", low: 0, high: 0.05 } } });
    const [finding] = inspectGradients(model, batch(100)).findings;
    expect(finding).toMatchObject({ kind: "vanishing", layer: "0.rnn.0.forward" });
    expect(finding!.reachSteps).toBeLessThan(20);
    expect(finding!.sentence).toMatch(
      /^0\.rnn\.0\.forward: the gradient reaching step 1 is \S+ of that at step 100: vanishing; it falls below a hundredth after \d+ steps?\. Try lstm or gru, orthogonal/,
    );
  });

  it("sees it explode", () => {
    const model = modelOf({
      cell: rnnRelu,
      initialize: { R: { kind: "identity", scale: 1.2 }, W: { kind: "uniform", low: 0, high: 0.1 }, b: "ones" },
    });
    const [finding] = inspectGradients(model, batch(100)).findings;
    expect(finding).toMatchObject({ kind: "exploding", reachSteps: 100 });
    expect(finding!.sentence).toContain("exploding. Clip the gradient by norm");
  });

  it("says so when the gradient reaches all steps", () => {
    const model = modelOf({ cell: lstm, initialize: { "b.f": { kind: "constant", value: 6 } } });
    const [finding] = inspectGradients(model, batch(100)).findings;
    expect(finding).toMatchObject({ kind: "healthy", reachSteps: 100 });
    expect(finding!.sentence).toMatch(/: it reaches all 100 steps\.$/);
  });

  it("names the forget gate of an LSTM that forgets", () => {
    const model = modelOf({ cell: lstm, initialize: { "b.f": { kind: "constant", value: 0 } } });
    const [finding] = inspectGradients(model, batch(100)).findings;
    expect(finding!.sentence).toMatch(
      /vanishing; .* Its forget gate lets \d\d % through at each step: begin with a larger forget bias/,
    );
  });

  it("sees a state that tanh has filled", () => {
    const model = modelOf({
      cell: rnn,
      initialize: { R: { kind: "identity", scale: 1 }, "b.h": { kind: "constant", value: 30 } },
    });
    const { findings } = inspectGradients(model, batch(1));
    expect(findings[0]!.kind).toBe("saturated");
  });
});

describe("updateRatios", () => {
  it("compares one step with the weights and leaves the model as it was", () => {
    const model = modelOf({ cell: gru });
    const before = model.weights();
    const small = updateRatios(model, batch(4), 1e-3);
    const large = updateRatios(model, batch(4), 1e-2);
    for (const [i, { name, ratio }] of small.entries()) {
      if (ratio > 0 && Number.isFinite(ratio)) expect(large[i]!.ratio / ratio, name).toBeCloseTo(10, 1);
    }
    expect(model.weights()).toEqual(before);
    expect(model.steps).toBe(0);
  });
});
