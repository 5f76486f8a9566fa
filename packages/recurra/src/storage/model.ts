/** A model with the preparation of its data, as bytes in one piece: a safetensors file with the preparation in its metadata. */
import { FormatError, OptionError, ShapeError } from "../base/errors.ts";
import { any, countOrNone, finite, list, object, type Shape, text } from "../base/plainData.ts";
import { sameList } from "../base/shapes.ts";
import { crc32 } from "../formats/crc32.ts";
import {
  type NamedTensor,
  parseSafetensors,
  parseSafetensorsMetadata,
  writeSafetensors,
} from "../formats/safetensors.ts";
import type { Model, Weights } from "../train/model.ts";
import { keptByTraining } from "../train/step.ts";
import { plainJson } from "./plainJson.ts";

export interface SaveOptions {
  /** What turns data into batches, by names of your own: a vocabulary, a scaler, categories, or any other plain data. Default: none. */
  readonly preparation?: Readonly<Record<string, unknown>>;
  /** Keep what training needs to go on with the same bits too, two to three times the bytes. Default false. */
  readonly optimizerState?: boolean;
}

/** What bytes hold, plain data; `restoreModel` puts it in place. */
export interface SavedModel {
  /** As it was given. What it holds is not known here: `parseVocabulary` and its like in `recurra/data` check it. */
  readonly preparation: Readonly<Record<string, unknown>>;
  readonly weights: ReadonlyMap<string, NamedTensor>;
  /** Undefined where it was not asked for. */
  readonly training: SavedTraining | undefined;
}

export interface SavedTraining {
  readonly steps: number;
  /** Of the model: random masks and the order of samples follow from it. */
  readonly seed: number;
  /** The optimizer's name. */
  readonly optimizer: string;
  readonly accumulators: ReadonlyMap<string, NamedTensor>;
}

const format = "recurra-model";
const version = "1";

/**
 * The model's weights as they are now (behind `train`: the best ones) and the preparation. The network is code and is not in the bytes: they go
 * back into a model that is made as this one was. The same model gives the same bytes.
 *
 *     const bytes = modelToBytes(model, { preparation: { vocabulary } });
 *
 *     const saved = modelFromBytes(bytes);
 *     const vocabulary = parseVocabulary(saved.preparation.vocabulary);
 *     const again = restoreModel(new Model(networkOf(vocabulary.tokens.length)), saved);
 *
 * @throws DataError where the preparation is no plain data.
 */
export function modelToBytes(
  model: Model,
  { preparation = {}, optimizerState = false }: SaveOptions = {},
): Uint8Array<ArrayBuffer> {
  const shapes = new Map(model.parameters.map(({ name, shape }) => [name, shape]));
  const { optimizer, seed } = model;
  const { steps, accumulators } = optimizerState ? model.optimizerState() : { steps: 0, accumulators: new Map() };
  const kept = keptByTraining(shapes, { optimizer, averaging: true });
  const tensors = new Map([...shaped(model.weights(), shapes), ...shaped(accumulators, kept)]);
  const training = { steps, seed, optimizer: optimizer.name, accumulators: [...accumulators.keys()] };
  const content = {
    preparation: plainJson(preparation, "preparation"),
    ...(optimizerState ? { training: JSON.stringify(training) } : {}),
  };
  return writeSafetensors(tensors, { format, version, ...content, checksum: checksumOf(content, tensors) });
}

/**
 * What `modelToBytes` gave. `source` names the bytes in messages.
 * @throws FormatError when they are damaged, of another version or something else.
 */
export function modelFromBytes(bytes: Uint8Array, source = "the model"): SavedModel {
  const metadata = parseSafetensorsMetadata(bytes, source);
  const broken = (given: string, expected: string, mend: string) =>
    new FormatError({ where: source, given, expected, mend });
  if (metadata["format"] !== format) {
    throw broken(
      "a safetensors file of something else",
      "what modelToBytes gave",
      "read tensors alone with parseSafetensors, and the folder of a forecaster with loadForecaster",
    );
  }
  if (metadata["version"] !== version) {
    const expected = `version ${version}, which this recurra reads`;
    throw broken(
      `of version ${metadata["version"]}`,
      expected,
      "read it with the recurra that wrote it, or a later one",
    );
  }
  const tensors = parseSafetensors(bytes, source);
  const { preparation = "", training, checksum } = metadata;
  if (checksum !== checksumOf({ preparation, training }, tensors))
    throw broken("damaged: its checksum is not that of its content", "the bytes that were saved", "copy them again");
  const parsed =
    training === undefined ? undefined : (parseJson(training, trainingShape, `${source}: training`) as TrainingJson); // Just checked.
  const isKept = new Set(parsed?.accumulators);
  const pick = (kept: boolean) => new Map([...tensors].filter(([name]) => isKept.has(name) === kept));
  return {
    preparation: parseJson(preparation, any, `${source}: preparation`) as SavedModel["preparation"], // Just checked.
    weights: pick(false),
    training: parsed === undefined ? undefined : { ...parsed, accumulators: pick(true) },
  };
}

/**
 * Puts weights, and the state of training where it was saved, into a model of the same network, and returns the model. Its next training
 * steps then have the bits that those of the saved one would have had.
 * @throws ShapeError when a weight is missing, unknown or of another shape; OptionError when training was saved from another optimizer or
 * seed. The model is then as it was.
 */
export function restoreModel(model: Model, { weights, training }: SavedModel): Model {
  for (const { name, shape } of model.parameters) {
    const saved = weights.get(name);
    if (saved === undefined || sameList(saved.shape, shape)) continue;
    throw new ShapeError({
      where: `weight "${name}"`,
      given: `[${saved.shape.join(", ")}]`,
      expected: `[${shape.join(", ")}]`,
      mend: "load weights that were saved from the same network",
    });
  }
  if (training !== undefined) checkTraining(model, training);
  const [ownWeights, ownState] = [model.weights(), model.optimizerState()];
  try {
    model.setWeights(numbersOf(weights));
    if (training !== undefined)
      model.setOptimizerState({ steps: training.steps, accumulators: numbersOf(training.accumulators) });
  } catch (error) {
    model.setWeights(ownWeights);
    model.setOptimizerState(ownState);
    throw error;
  }
  return model;
}

function checkTraining({ optimizer, seed }: Model, training: SavedTraining): void {
  for (const [what, own, saved] of [
    ["optimizer", optimizer.name, training.optimizer],
    ["seed", seed, training.seed],
  ] as const) {
    if (own === saved) continue;
    throw new OptionError({
      where: `restoreModel: the ${what}`,
      given: String(own),
      expected: `${saved}, that of the model whose training was saved`,
      mend: `make the model with it, or restore without training: { ...saved, training: undefined }`,
    });
  }
}

type TrainingJson = Omit<SavedTraining, "accumulators"> & { readonly accumulators: readonly string[] };

// The keys are those of the type, so a new field without its row does not compile.
const trainingShape = object({
  steps: countOrNone,
  seed: finite,
  optimizer: text,
  accumulators: list(text),
} satisfies Record<keyof TrainingJson, Shape>);

function parseJson(json: string, shape: Shape, where: string): unknown {
  const parsed: unknown = JSON.parse(json);
  const misfit = shape(parsed, where);
  if (misfit === undefined) return parsed;
  const { path, given, expected } = misfit;
  throw new FormatError({ where: path, given, expected, mend: "give the bytes that modelToBytes gave" });
}

/** Of the content, however it is written down. */
function checksumOf(
  { preparation, training }: { readonly preparation: string; readonly training?: string | undefined },
  tensors: ReadonlyMap<string, NamedTensor>,
): string {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  const words = [preparation, training ?? null, sorted.map(([name, { shape }]) => [name, shape])];
  let crc = crc32(new TextEncoder().encode(JSON.stringify(words)));
  for (const [, { data }] of sorted) crc = crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), crc);
  return crc.toString(16).padStart(8, "0");
}

function shaped(numbers: Weights, shapes: ReadonlyMap<string, readonly number[]>): Map<string, NamedTensor> {
  return new Map([...numbers].map(([name, data]) => [name, { shape: shapes.get(name)!, data }]));
}

function numbersOf(tensors: ReadonlyMap<string, NamedTensor>): Weights {
  return new Map([...tensors].map(([name, { data }]) => [name, Float32Array.from(data)]));
}
