import { describe, expect, it } from "vitest";
import { echoStateCell } from "../cells/echo-state.ts";
import { dense } from "../layers/dense.ts";
import { mse } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { concat } from "../trace/operations.ts";
import { sequenceType } from "../trace/tensor.ts";
import { Model } from "./model.ts";
import { defineNetwork } from "./network.ts";
import { fitReadout } from "./readout.ts";

/** Two reservoirs, one on the other; the readout sees both. */
function echo(lengths = false) {
  const layer = recurrent({ cell: echoStateCell({ leak: 0.8, inputScale: 0.5 }), hiddenSize: 40 });
  return new Model(
    defineNetwork({
      inputs: { x: sequenceType(1), y: sequenceType(1) },
      variableLengths: lengths ? ["time"] : [],
      forward: ({ x }, scope) => {
        const low = layer.apply(x, scope.in("low"));
        const states = concat(low, layer.apply(low, scope.in("high")));
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

describe("fitReadout", () => {
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
