import { describe, expect, it } from "vitest";
import { cellNamed } from "../../cells/registry.ts";
import { Model } from "../../train/model.ts";
import { forecastNetwork } from "./network.ts";
import { resolveSettings } from "./settings.ts";
import type { ForecastOptions } from "./types.ts";

const hiddenSize = 8;

function firstWeights(cell: string) {
  const settings = resolveSettings(
    { target: "y", horizon: 4, past: 16, segment: 4, season: 1, cell, hiddenSize },
    { kind: "index" },
    false,
  );
  return new Model(forecastNetwork(settings, { targets: 1, past: 0, known: 0, static: 0 })).weights();
}

/** What a penalty adds to the training loss of a batch, for a past of so many steps of the recurrence; nothing to the other loss. */
function penaltyOf(penalties: Partial<ForecastOptions>, steps: number): number {
  const lossesOf = (options: Partial<ForecastOptions>) => {
    const settings = resolveSettings(
      { target: "y", horizon: 2, past: 2 * steps, segment: 2, season: 1, hiddenSize, dropout: 0, ...options },
      { kind: "index" },
      false,
    );
    const model = new Model(forecastNetwork(settings, { targets: 1, past: 0, known: 0, static: 0 }), { seed: 4 });
    const inputs = { past: Array.from({ length: 6 * steps }, (_, i) => Math.sin(i)), target: [1, 2, 3, 4, 5, 6] };
    const batch = { sizes: { batch: 3, time: steps, steps: 1 }, inputs };
    expect(Object.keys(model.predict(batch))).toEqual(["forecast"]);
    return { validation: model.evaluate(batch), training: model.trainStep(batch, 0.1).loss };
  };
  const [plain, penalised] = [lossesOf({}), lossesOf(penalties)];
  expect(penalised.validation).toBe(plain.validation);
  return penalised.training - plain.training;
}

describe("a penalty on the recurrence's outputs", () => {
  it("rises with its factor, and one on their changes needs two steps", () => {
    const held = penaltyOf({ activationPenalty: 1 }, 4);
    expect(held).toBeGreaterThan(0.001);
    expect(penaltyOf({ activationPenalty: 3 }, 4)).toBeCloseTo(3 * held, 5);
    const steadied = penaltyOf({ temporalActivationPenalty: 1 }, 4);
    expect(steadied).toBeGreaterThan(0.001);
    expect(penaltyOf({ temporalActivationPenalty: 3 }, 4)).toBeCloseTo(3 * steadied, 5);
    expect(penaltyOf({ activationPenalty: 3, temporalActivationPenalty: 3 }, 4)).toBeCloseTo(3 * (held + steadied), 5);
    expect(penaltyOf({ activationPenalty: 1 }, 1)).toBeGreaterThan(0.001);
    expect(penaltyOf({ temporalActivationPenalty: 1 }, 1)).toBe(0);
  });
});

describe("the forecasting network", () => {
  it("begins with a cell's own weights where it chooses them: an IRNN at the identity", () => {
    const weights = firstWeights("irnn");
    expect([...weights.get("0.irnn.R.h")!]).toEqual(
      Array.from({ length: hiddenSize ** 2 }, (_, i) => (i % (hiddenSize + 1) === 0 ? 1 : 0)),
    );
    expect(Math.max(...weights.get("0.irnn.W.h")!.map(Math.abs))).toBeLessThan(0.01);
  });

  it("begins with small uniform weights where the cell leaves it open, and keeps an LSTM's forget bias", () => {
    const limit = 1 / Math.sqrt(hiddenSize); // orthogonal weights of this size lie beyond it
    for (const [name, block] of [
      ["gru", "z"],
      ["lstm", "i"],
    ] as const) {
      const weights = firstWeights(name);
      const largest = Math.max(...weights.get(`0.${name}.R.${block}`)!.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(limit);
      expect(largest).toBeGreaterThan(0.8 * limit);
    }
    expect([...firstWeights("lstm").get("0.lstm.b.f")!]).toEqual(new Array(hiddenSize).fill(1));
  });

  it("knows the choice of a cell inside another", () => {
    expect(cellNamed("skip-lstm").initialize).toEqual(cellNamed("lstm").initialize);
  });
});
