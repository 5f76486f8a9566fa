import { describe, expect, it } from "vitest";
import { cellNamed } from "../../cells/registry.ts";
import { Model } from "../../train/model.ts";
import { forecastNetwork } from "./network.ts";
import { resolveSettings } from "./settings.ts";

const hiddenSize = 8;

function firstWeights(cell: string) {
  const settings = resolveSettings(
    { target: "y", horizon: 4, past: 16, segment: 4, season: 1, cell, hiddenSize },
    { kind: "index" },
    false,
  );
  return new Model(forecastNetwork(settings, { targets: 1, past: 0, known: 0, static: 0 })).weights();
}

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
