/**
 * MNIST as sequences: a digit read row by row (28 steps of 28 pixels) or pixel by pixel (784 steps of one; Le et al. 2015), learned from
 * the first 10,000 images of the training set. The last 1,000 of them choose the best weights.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  createRandom,
  crossEntropy,
  dense,
  dropout,
  recurrent,
  relu,
  sequenceType,
  sequential,
  vectorType,
} from "recurra";
import { defineNetwork, Model } from "recurra/train";
import { picture } from "../picture.mjs";
import { accuracy, rowsOf, teach } from "../teach.mjs";

const [side, classes] = [28, 10];

/** An IDX file: magic number and sizes of 4 bytes each, then bytes. */
function bytesOf(path, axes) {
  return gunzipSync(readFileSync(path)).subarray(4 + 4 * axes);
}

function read(folder) {
  const part = (name) => {
    const images = bytesOf(join(folder, `${name}-images-idx3-ubyte.gz`), 3);
    return {
      pixels: Float32Array.from(images, (value) => value / 255),
      labels: Float32Array.from(bytesOf(join(folder, `${name}-labels-idx1-ubyte.gz`), 1)),
    };
  };
  return { train: part("train10k"), test: part("t10k") };
}

function samplesOf({ pixels, labels }, from, to, time) {
  const size = side * side;
  return rowsOf({
    sizes: { batch: to - from, time },
    inputs: { x: pixels.subarray(from * size, to * size), label: labels.subarray(from, to) },
  });
}

/** The same images, each moved by up to `reach` pixels in both directions, anew in every batch. */
function shifted(samples, reach, random) {
  if (reach === 0) return samples;
  const moved = (x) => {
    const result = new Float32Array(x.length);
    for (let image = 0; image < x.length; image += side * side) {
      const [down, right] = [random.integer(2 * reach + 1) - reach, random.integer(2 * reach + 1) - reach];
      for (let row = Math.max(0, down); row < side + Math.min(0, down); row++) {
        const [first, last] = [Math.max(0, right), side + Math.min(0, right)];
        const source = image + (row - down) * side - right;
        result.set(x.subarray(source + first, source + last), image + row * side + first);
      }
    }
    return result;
  };
  return {
    count: samples.count,
    batch(indices) {
      const { sizes, inputs } = samples.batch(indices);
      return { sizes, inputs: { ...inputs, x: moved(inputs.x) } };
    },
  };
}

function networkOf(
  size,
  { cell, hiddenSize, depth = 1, between, direction = "forward", dropout: rate = 0, initialize },
) {
  const layers = sequential(
    // A linear recurrence bends nothing: layers between two of them do.
    ...(between === undefined
      ? []
      : [recurrent({ cell, hiddenSize }), dense({ outputSize: between, activation: relu })]),
    recurrent({
      ...{ cell, hiddenSize, depth, direction, dropout: rate, output: "last" },
      ...(initialize === undefined ? {} : { initialize }),
    }),
    dropout(rate),
    dense({ outputSize: classes }),
  );
  return defineNetwork({
    inputs: { x: sequenceType(size), label: vectorType(1) },
    forward: ({ x }, scope) => ({ scores: layers.apply(x, scope) }),
    loss: ({ scores }, { label }, scope) => crossEntropy(scores, label, scope),
  });
}

function modelOf(time, { name, fails, rate, epochs, batchSize = 64, shift = 0, averageDecay, ...options }) {
  return {
    name,
    fails,
    async run({ data, seed, signal, tell }) {
      const model = new Model(networkOf((side * side) / time, options), {
        seed,
        clipping: { norm: 1 },
        ...(averageDecay === undefined ? {} : { averageDecay }),
      });
      const known = samplesOf(data.train, 0, 9000, time);
      const validation = samplesOf(data.train, 9000, 10_000, time);
      const trained = await teach(
        model,
        {
          data: shifted(known, shift, createRandom(seed)),
          validation,
          epochs,
          batchSize,
          learningRate: rate,
          schedule: "warmUp",
        },
        { signal, tell },
      );
      const unseen = samplesOf(data.test, 0, data.test.labels.length, time);
      const seen = fails ? { picture: picture(model, known.batch(Int32Array.from({ length: 16 }, (_, i) => i))) } : {};
      return {
        value: accuracy(model, unseen, classes),
        validation: accuracy(model, validation, classes),
        ...trained,
        ...seen,
      };
    },
  };
}

export function digits(name, time, { about, published, target }, models) {
  return {
    name,
    about,
    folder: "mnist",
    measure: "accuracy",
    better: "higher",
    prepare: (data) => read(join(data, "mnist")),
    baseline: ({ test }) => {
      const ones = test.labels.filter((label) => label === 1).length;
      return { name: "always 1", value: ones / test.labels.length };
    },
    published,
    target,
    models: models.map((model) => modelOf(time, model)),
  };
}
