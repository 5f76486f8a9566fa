/** The files of a forecaster: model.json (settings, preparation, record), weights.safetensors and a model card. */
import { FormatError } from "../../base/errors.ts";
import { type NamedTensor, parseSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { Model } from "../../train/model.ts";
import { modelCard } from "./card.ts";
import { findMisfit } from "./modelShape.ts";
import { forecastNetwork } from "./network.ts";
import type { ForecastModelFile } from "./record.ts";

export interface StoredForecaster
  extends Pick<ForecastModelFile, "options" | "settings" | "features" | "preparation" | "record"> {
  readonly model: Model;
}

export function modelFiles(parts: StoredForecaster): ReadonlyMap<string, Uint8Array> {
  const { options, settings, features, preparation, record, model } = parts;
  const file: ForecastModelFile = {
    format: "recurra-model",
    version: 1,
    task: "forecast",
    options,
    settings,
    features,
    preparation,
    record,
  };
  const shapes = new Map(model.parameters.map(({ name, shape }) => [name, shape]));
  const tensors = new Map<string, NamedTensor>(
    [...model.weights()].map(([name, data]) => [name, { shape: shapes.get(name)!, data }]),
  );
  const encoder = new TextEncoder();
  return new Map<string, Uint8Array>([
    ["model.json", encoder.encode(`${JSON.stringify(file, undefined, 2)}\n`)],
    ["weights.safetensors", writeSafetensors(tensors, { format: "recurra" })],
    ["README.md", encoder.encode(modelCard(file, model.parameterCount))],
  ]);
}

/** @throws FormatError when a file is missing or is not what it should be. */
export function parseModelFiles(files: ReadonlyMap<string, Uint8Array>): StoredForecaster {
  const json = files.get("model.json");
  const weights = files.get("weights.safetensors");
  if (json === undefined || weights === undefined) {
    throw new FormatError({
      where: "the model folder",
      given: `without ${json === undefined ? "model.json" : "weights.safetensors"}`,
      expected: "a folder with model.json and weights.safetensors",
      mend: "give the folder that `recurra train` wrote",
    });
  }
  const { options, settings, features, preparation, record } = parseModelJson(new TextDecoder().decode(json));
  const model = new Model(forecastNetwork(settings, features), { seed: settings.seed, strict: settings.strict });
  const tensors = parseSafetensors(weights, "weights.safetensors");
  model.setWeights(new Map([...tensors].map(([name, { data }]) => [name, Float32Array.from(data)])));
  return { options, settings, features, preparation, record, model };
}

function parseModelJson(text: string): ForecastModelFile {
  const broken = (given: string) =>
    new FormatError({
      where: "model.json",
      given,
      expected: "a forecasting model written by recurra",
      mend: "give the folder that `recurra train` wrote, unchanged",
    });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw broken("not readable as JSON");
  }
  if (typeof parsed !== "object" || parsed === null || !("format" in parsed) || parsed.format !== "recurra-model")
    throw broken("not a model of recurra");
  if (!("version" in parsed) || parsed.version !== 1)
    throw broken(
      `of version ${"version" in parsed ? String(parsed.version) : "unknown"}, and this recurra reads version 1`,
    );
  if (!("task" in parsed) || parsed.task !== "forecast") throw broken("a model of another task");
  const misfit = findMisfit(parsed);
  if (misfit !== undefined) {
    throw new FormatError({
      where: `model.json: ${misfit.path}`,
      given: misfit.given,
      expected: misfit.expected,
      mend: "give the folder that `recurra train` wrote, unchanged",
    });
  }
  // Format, version, settings, features and preparation are checked; the record is only told, never computed with.
  return parsed as ForecastModelFile;
}
