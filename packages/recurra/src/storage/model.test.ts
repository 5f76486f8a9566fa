import { describe, expect, it } from "vitest";
import { RecurraError } from "../base/errors.ts";
import { gru } from "../cells/gru.ts";
import { fitScaler } from "../data/scaler.ts";
import { fitVocabulary } from "../data/vocabulary.ts";
import { parseSafetensors, parseSafetensorsMetadata, writeSafetensors } from "../formats/safetensors.ts";
import { dense } from "../layers/dense.ts";
import { dropout } from "../layers/dropout.ts";
import { mse } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { type Batch, Model, type ModelOptions } from "../train/model.ts";
import { defineNetwork } from "../train/network.ts";
import { rmsProp } from "../train/optimizers/adaptive.ts";
import { averagedSgd } from "../train/optimizers/sgd.ts";
import { modelFromBytes, modelToBytes, restoreModel } from "./model.ts";

const networkOf = (inputSize: number, hiddenSize = 4) =>
  defineNetwork({
    inputs: { x: sequenceType(inputSize), y: vectorType(1) },
    variableLengths: ["time"],
    forward: ({ x }, scope) => {
      const states = recurrent({ cell: gru, hiddenSize, output: "last" }).apply(x, scope.in("gru"));
      return { y: dense({ outputSize: 1 }).apply(dropout(0.3).apply(states, scope), scope.in("out")) };
    },
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  });
const network = networkOf(2);

const batchOf = (step: number): Batch => ({
  sizes: { batch: 3, time: 5 },
  inputs: {
    x: Float32Array.from({ length: 30 }, (_, i) => Math.sin(step + i * i)),
    y: [0.5, -0.5, step / 20],
    lengths: [5, 2, 3],
  },
});
const take = (model: Model, from: number, to: number) =>
  Array.from({ length: to - from }, (_, k) => model.trainStep(batchOf(from + k), 0.01));
const plain = (weights: ReadonlyMap<string, Float32Array>) => [...weights].map(([name, values]) => [name, [...values]]);

const message = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof RecurraError) return `${error.name}: ${error.message}`;
    throw error;
  }
  return "nothing";
};

const preparation = {
  vocabulary: fitVocabulary([["a", "é", "\u2028"]], { unknown: "<unk>" }),
  scaler: fitScaler(["x"], [{ values: Float64Array.of(0.1, 0.2, 1e-30), start: 0, end: 3 }]),
  own: { signed: -0, tiny: 5e-324, none: null, list: [true, [1 / 3]] },
};

describe("a model in bytes", () => {
  it("has its weights and its preparation back as they were", () => {
    const model = new Model(network);
    take(model, 0, 3);
    const saved = modelFromBytes(modelToBytes(model, { preparation }));
    expect(saved.preparation).toStrictEqual(preparation);
    expect(saved.training).toBeUndefined();
    const other = restoreModel(new Model(network, { seed: 7 }), saved);
    expect(plain(other.weights())).toEqual(plain(model.weights()));
    expect(other.predict(batchOf(0))).toEqual(model.predict(batchOf(0)));
    expect(other.steps).toBe(0);
  });

  it("is the same bytes each time, and a safetensors file", () => {
    const model = new Model(network);
    const bytes = modelToBytes(model, { preparation });
    expect(modelToBytes(restoreModel(new Model(network), modelFromBytes(bytes)), { preparation })).toEqual(bytes);
    const tensors = parseSafetensors(bytes, "bytes");
    expect(tensors.get("out.W")!.shape).toEqual([1, 4]);
    expect([...tensors.keys()].sort()).toEqual(model.parameters.map(({ name }) => name).sort());
  });

  it.each<[string, ModelOptions]>([
    ["Adam and a moving average", { averageDecay: 0.9 }],
    ["RMSProp", { optimizer: rmsProp() }],
    ["averaged SGD", { optimizer: averagedSgd({ averageFrom: 5 }) }],
    ["gathered gradients", { accumulation: true, clipping: { norm: 0.1 } }],
  ])("goes on training to the bit: %s", (_, options) => {
    const straight = new Model(network, { seed: 3, ...options });
    const losses = take(straight, 0, 20);
    const first = new Model(network, { seed: 3, ...options });
    expect(take(first, 0, 10)).toEqual(losses.slice(0, 10));
    const bytes = modelToBytes(first, { optimizerState: true });
    const second = restoreModel(new Model(network, { seed: 3, ...options }), modelFromBytes(bytes));
    expect(second.steps).toBe(10);
    expect(take(second, 10, 20)).toEqual(losses.slice(10));
    expect(plain(second.weights())).toEqual(plain(straight.weights()));
    expect(plain(second.averagedWeights())).toEqual(plain(straight.averagedWeights()));
  });
});

describe("a model that is restored", () => {
  const saved = modelFromBytes(modelToBytes(new Model(network), { optimizerState: true }));
  const mend = "\nLoad weights that were saved from the same network.";

  it("refuses weights that are not its own, and stays as it was", () => {
    const model = new Model(network, { averageDecay: 0.9 });
    take(model, 0, 2);
    const before = [plain(model.weights()), model.optimizerState()];
    const without = new Map([...saved.weights].filter(([name]) => name !== "out.W"));
    expect(message(() => restoreModel(model, { ...saved, weights: without }))).toBe(
      `ShapeError: weight "out.W" is missing, expected 4 numbers, [1, 4].${mend}`,
    );
    const more = new Map([...saved.weights, ["out.V", { shape: [1], data: Float32Array.of(1) }]]);
    expect(message(() => restoreModel(model, { ...saved, weights: more }))).toMatch(
      /^ShapeError: weight "out\.V" is unknown, expected one of gru\..*, out\.b\.\nDid you mean "out\.W"\?$/,
    );
    const turned = new Map([...saved.weights, ["out.W", { shape: [4, 1], data: new Float32Array(4) }]]);
    expect(message(() => restoreModel(model, { ...saved, weights: turned }))).toBe(
      `ShapeError: weight "out.W" is [4, 1], expected [1, 4].${mend}`,
    );
    const lost = { ...saved.training!, accumulators: new Map([...saved.training!.accumulators].slice(1)) };
    expect(message(() => restoreModel(model, { ...saved, training: lost }))).toMatch(/^ShapeError: optimizer state "/);
    expect([plain(model.weights()), model.optimizerState()]).toEqual(before);
    expect(message(() => restoreModel(new Model(networkOf(3)), saved))).toMatch(
      /^ShapeError: weight "gru\.0\.forward\.W\.z" is \[4, 2\], expected \[4, 3\]\./,
    );
  });

  it("refuses the training of another optimizer or seed, and takes the weights alone", () => {
    const other = "Make the model with it, or restore without training: { ...saved, training: undefined }.";
    expect(message(() => restoreModel(new Model(network, { seed: 2 }), saved))).toBe(
      `OptionError: restoreModel: the seed is 2, expected 1, that of the model whose training was saved.\n${other}`,
    );
    const model = new Model(network, { optimizer: rmsProp() });
    expect(message(() => restoreModel(model, saved))).toBe(
      `OptionError: restoreModel: the optimizer is rmsProp, expected adam, that of the model whose training was saved.\n${other}`,
    );
    restoreModel(model, { ...saved, training: undefined });
    expect(model.weights().get("out.W")).toEqual(saved.weights.get("out.W")!.data);
  });
});

describe("bytes that are no model", () => {
  const bytes = modelToBytes(new Model(network), { preparation, optimizerState: true });
  const changed = (at: number) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const damaged = /^FormatError: model\.bin is /;

  it("are told apart: cut off, lengthened, or of something else", () => {
    for (const length of [0, 7, 100, bytes.length - 1])
      expect(message(() => modelFromBytes(bytes.subarray(0, length), "model.bin"))).toMatch(damaged);
    expect(message(() => modelFromBytes(Uint8Array.from([...bytes, 0]), "model.bin"))).toBe(
      "FormatError: model.bin is with 1 bytes behind its last tensor, expected a whole safetensors file of float32 tensors.\nCopy the file again from where it was saved.",
    );
    expect(message(() => modelFromBytes(writeSafetensors(new Map()), "model.bin"))).toBe(
      "FormatError: model.bin is a safetensors file of something else, expected what modelToBytes gave.\nRead tensors alone with parseSafetensors, and the folder of a forecaster with loadForecaster.",
    );
    const metadata = parseSafetensorsMetadata(bytes, "bytes");
    const newer = writeSafetensors(parseSafetensors(bytes, "bytes"), { ...metadata, version: "2" });
    expect(message(() => modelFromBytes(newer, "model.bin"))).toBe(
      "FormatError: model.bin is of version 2, expected version 1, which this recurra reads.\nRead it with the recurra that wrote it, or a later one.",
    );
  });

  it("are found out by a single bit that is wrong", () => {
    expect(message(() => modelFromBytes(changed(bytes.length - 1), "model.bin"))).toBe(
      "FormatError: model.bin is damaged: its checksum is not that of its content, expected the bytes that were saved.\nCopy them again.",
    );
    const words = new TextDecoder("latin1").decode(bytes);
    for (const word of ["0.1", '\\"steps', "adam", "out.W", "checksum"]) {
      const at = words.indexOf(word);
      expect(at, word).toBeGreaterThan(0);
      expect(
        message(() => modelFromBytes(changed(at), "model.bin")),
        word,
      ).toMatch(damaged);
    }
  });

  it("are never made of a preparation that JSON would change", () => {
    const save = (own: unknown) => message(() => modelToBytes(new Model(network), { preparation: { own } }));
    const mend =
      "expected plain data: texts, finite numbers, true, false, null, lists and objects of them.\nGive a list for a typed array (Array.from), an object for a Map (Object.fromEntries), a text or number for anything else.";
    for (const [own, at, given] of [
      [{ mean: [1, Number.NaN] }, ".mean[1]", "NaN"],
      [Float64Array.of(1), "", "a Float64Array"],
      [[new Map()], "[0]", "a Map"],
      [[undefined], "[0]", "undefined"],
      [() => 1, "", "a function"],
    ] as const)
      expect(save(own)).toBe(`DataError: preparation.own${at} is ${given}, ${mend}`);
    expect(save({ left: undefined })).toBe("nothing");
  });
});
