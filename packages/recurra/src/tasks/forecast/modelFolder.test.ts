import { describe, expect, it } from "vitest";
import { tableFromColumns } from "../../data/make-table.ts";
import { loadForecaster, trainForecaster } from "./run.ts";

const y = Array.from({ length: 80 }, (_, t) => Math.sin(t) + (t % 7));
const table = tableFromColumns({ y });

async function files(): Promise<Map<string, Uint8Array>> {
  const run = trainForecaster(table, {
    target: "y",
    horizon: 2,
    past: 8,
    window: "last",
    hiddenSize: 4,
    epochs: 1,
    windowsPerEpoch: 64,
  });
  for await (const _ of run) {
    // Only the files matter.
  }
  return new Map(run.forecaster().toFiles());
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message; // everything thrown here is an Error
  }
  return "no error";
}

describe("a model folder", () => {
  it("keeps everything, and says in its card how good it is", async () => {
    const stored = await files();
    expect([...stored.keys()]).toEqual(["model.json", "weights.safetensors", "README.md"]);
    const parsed = JSON.parse(text(stored.get("model.json")));
    expect(parsed).toMatchObject({
      format: "recurra-model",
      version: 1,
      task: "forecast",
      options: { horizon: 2, past: 8 },
    });
    expect(parsed.record).toMatchObject({ split: { series: [{ train: { start: 0, end: 56 } }] }, stopped: "epochs" });
    const card = text(stored.get("README.md"));
    expect(card).toMatch(/^# Forecast of y, 2 timesteps ahead\n/);
    expect(card).toContain("## Test\n\n|                | ");
    expect(card).toContain("On the test part the model ");
    expect(card).not.toMatch(/NaN|undefined/);
    expect([...loadForecaster(stored).toFiles()]).toEqual([...stored]);
  });

  it.each([
    ["not JSON", () => "{", "model.json is not readable as JSON, expected a forecasting model written by recurra."],
    [
      "other JSON",
      () => "[1]",
      "model.json is not a model of recurra, expected a forecasting model written by recurra.",
    ],
    [
      "a later version",
      (json: string) => json.replace('"version": 1', '"version": 2'),
      "model.json is of version 2, and this recurra reads version 1, expected a forecasting model written by recurra.",
    ],
    [
      "another task",
      (json: string) => json.replace('"task": "forecast"', '"task": "tag"'),
      "model.json is a model of another task, expected a forecasting model written by recurra.",
    ],
    [
      "a part left out",
      (json: string) => json.replace('"preparation":', '"preparations":'),
      "model.json: preparation is missing, expected an object.",
    ],
    [
      "a word for a number",
      (json: string) => json.replace('"stride": 1', '"stride": "one"'),
      'model.json: settings.stride is "one", expected 1, 2, 3, ….',
    ],
    [
      "an unknown choice",
      (json: string) => json.replace('"residual": "none"', '"residual": "some"'),
      'model.json: settings.residual is "some", expected one of none, lastValue, seasonalNaive, seasonalBlend.',
    ],
    [
      "a deviation of zero",
      (json: string) => json.replace(/"deviation": \[\s+[\d.]+/, '"deviation": [0'),
      "model.json: preparation.series[0].deviation[0] is 0, expected a positive number.",
    ],
  ] as [string, (json: string) => string, string][])("with %s is refused", async (_, change, message) => {
    const stored = await files();
    stored.set("model.json", new TextEncoder().encode(change(text(stored.get("model.json")))));
    expect(messageOf(() => loadForecaster(stored))).toBe(
      `${message}\nGive the folder that \`recurra train\` wrote, unchanged.`,
    );
  });

  it("without its weights, or with those of another network, is refused", async () => {
    const stored = await files();
    const [json, weights] = [stored.get("model.json")!, stored.get("weights.safetensors")!];
    expect(() => loadForecaster(new Map([["model.json", json]]))).toThrowErrorMatchingInlineSnapshot(`
      [FormatError: the model folder is without weights.safetensors, expected a folder with model.json and weights.safetensors.
      Give the folder that \`recurra train\` wrote.]
    `);
    expect(() => loadForecaster(new Map([["weights.safetensors", weights]]))).toThrowErrorMatchingInlineSnapshot(`
      [FormatError: the model folder is without model.json, expected a folder with model.json and weights.safetensors.
      Give the folder that \`recurra train\` wrote.]
    `);
    stored.set("weights.safetensors", weights.slice(0, -4));
    expect(() => loadForecaster(stored)).toThrowErrorMatchingInlineSnapshot(`
      [FormatError: weights.safetensors is cut off inside "position", expected a whole safetensors file of float32 tensors.
      Copy the file again from where it was saved.]
    `);
    stored.set("weights.safetensors", weights);
    stored.set(
      "model.json",
      new TextEncoder().encode(text(json).replace('"hiddenSize": 4,\n    "depth"', '"hiddenSize": 5,\n    "depth"')),
    );
    expect(() => loadForecaster(stored)).toThrowErrorMatchingInlineSnapshot(`
      [ShapeError: weight "embedding.W" is 4 numbers, expected 5 numbers, [5, 1].
      Load weights that were saved from the same network.]
    `);
  });
});
