import { describe, expect, it } from "vitest";
import { createRandom } from "../base/random.ts";
import { type EchoStateOptions, echoStateCell } from "../cells/echo-state.ts";
import { dense } from "../layers/dense.ts";
import { mse } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { sequenceType } from "../trace/tensor.ts";
import { Model } from "./model.ts";
import { defineNetwork } from "./network.ts";
import { fitReadout } from "./readout.ts";

/** Two reservoirs, one on the other; the readout sees both. */
function echo(lengths = false, options: EchoStateOptions = { leak: 0.8, inputScale: 0.5 }, hiddenSize = 40) {
  const layer = recurrent({ cell: echoStateCell(options), hiddenSize, depth: 2, output: "layers" });
  return new Model(
    defineNetwork({
      inputs: { x: sequenceType(1), y: sequenceType(1) },
      variableLengths: lengths ? ["time"] : [],
      forward: ({ x }, scope) => {
        const states = layer.apply(x, scope.in("reservoirs"));
        return { states, y: dense({ outputSize: 1 }).apply(states, scope.in("readout")) };
      },
      loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
    }),
  );
}
const names = { features: "states", target: "y", weight: "readout.W", bias: "readout.b" };
const wave = (from: number, count: number) =>
  Float32Array.from({ length: count }, (_, t) => Math.sin((from + t) / 5) ** 3);
const batchOf = (from: number, time: number) => ({
  sizes: { batch: 1, time },
  inputs: { x: wave(from, time), y: wave(from + 1, time) },
});

/** NARMA-10 (Atiya and Parlos 2000): the next value follows from ten values and ten inputs, uniform between 0 and ½. */
function narma(timesteps: number, seed: number) {
  const random = createRandom(seed);
  const x = Float32Array.from({ length: timesteps }, () => 0.5 * random.uniform());
  const values = new Float64Array(timesteps + 1);
  for (let t = 9; t < timesteps; t++) {
    const sum = values.subarray(t - 9, t + 1).reduce((total, value) => total + value, 0);
    values[t + 1] = 0.3 * values[t]! + 0.05 * values[t]! * sum + 1.5 * x[t - 9]! * x[t]! + 0.1;
  }
  return { sizes: { batch: 1, time: timesteps }, inputs: { x, y: Float32Array.from(values.subarray(1)) } };
}

describe("fitReadout", () => {
  it("makes a deep, leaky, sparse echo state network follow NARMA-10 on inputs it has not seen", () => {
    const model = echo(
      false,
      { leak: 0.9, inputScale: 0.2, biasScale: 0.2, spectralRadius: 0.95, connections: 5 },
      100,
    );
    fitReadout(model, [narma(2000, 1)], { ...names, ridge: 1e-8, washout: 100 });
    const unseen = narma(1000, 2);
    const truth = unseen.inputs.y.subarray(100);
    const given = model.predict(unseen).y!.subarray(100);
    const mean = truth.reduce((sum, value) => sum + value, 0) / truth.length;
    const squared = (of: (t: number) => number) => truth.reduce((sum, value, t) => sum + (value - of(t)) ** 2, 0);
    // In units of the error of the mean, which is what a network without memory can do at best.
    expect(squared((t) => given[t]!) / squared(() => mean)).toBeLessThan(0.15);
  });

  it("makes a deep echo state network foretell a wave, and says its error", () => {
    const model = echo();
    const error = fitReadout(model, [batchOf(0, 600)], { ...names, washout: 100 });
    expect(error).toBeLessThan(1e-5);
    const later = model.predict(batchOf(1000, 300)).y!.slice(100);
    const truth = wave(1101, 200);
    const mean = later.reduce((sum, value, t) => sum + (value - truth[t]!) ** 2, 0) / 200;
    expect(mean).toBeLessThan(1e-5);
    // The naive forecast, the value before, is a thousand times worse.
    expect(wave(1100, 200).reduce((sum, value, t) => sum + (value - truth[t]!) ** 2, 0) / 200).toBeGreaterThan(0.01);
  });

  it("finds the minimum: the gradient of the penalised error is 0", () => {
    const model = echo();
    const batch = batchOf(0, 200);
    fitReadout(model, [batch], { ...names, ridge: 0.1 });
    const { states, y } = model.predict(batch) as { states: Float32Array; y: Float32Array };
    const W = model.weights().get("readout.W")!;
    const off = y.map((value, t) => value - batch.inputs.y[t]!);
    for (let k = 0; k < 80; k++) {
      const along = off.reduce((sum, value, t) => sum + value * states[t * 80 + k]!, 0) + 0.1 * W[k]!;
      expect(Math.abs(along)).toBeLessThan(1e-3);
    }
    expect(Math.abs(off.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-3);
  });

  it("leaves out padding, whatever it holds", () => {
    const [padded, whole] = [echo(true), echo()];
    const { inputs } = batchOf(0, 50);
    const fill = (values: Float32Array) => Float32Array.from({ length: 70 }, (_, t) => values[t] ?? Number.NaN);
    fitReadout(
      padded,
      [{ sizes: { batch: 1, time: 70 }, inputs: { x: fill(inputs.x), y: fill(inputs.y), lengths: [50] } }],
      names,
    );
    fitReadout(whole, [batchOf(0, 50)], names);
    expect([...padded.weights().get("readout.b")!]).toEqual([...whole.weights().get("readout.b")!]);
  });

  it("refuses what it cannot solve", () => {
    const model = echo();
    expect(() => fitReadout(model, [batchOf(0, 20)], { ...names, washout: 20 })).toThrow(
      "fitReadout: batches is no timestep that counts, expected at least one.\nGive more timesteps than the washout.",
    );
    expect(() => fitReadout(model, [], { ...names, ridge: -1 })).toThrow(
      "fitReadout: ridge is -1, expected 0 or above.\n1e-6 and 0 are usual.",
    );
    expect(() => fitReadout(model, [], { ...names, weight: "W" })).toThrow(
      'fitReadout: weight and bias is "W" and "readout.b"',
    );
  });
});
