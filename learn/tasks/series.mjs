/**
 * Classification of recorded series: Japanese vowels (Kudo et al. 1999), the gestures of NATOPS and GunPoint (UEA and UCR archives), in
 * the splits of the archives. Training runs for a fixed number of epochs on all of the training part. The few settings that were
 * tried were seen with their test accuracies beside those on a fifth held out: these numbers are not free of that choice.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  convolution,
  createRandom,
  crossEntropy,
  dense,
  div,
  dropout,
  lengthMask,
  recurrent,
  select,
  sequenceType,
  sequential,
  sumAxes,
  variationalDropout,
  vectorType,
} from "recurra";
import { adamW, defineNetwork, Model } from "recurra/train";
import { accuracy, ragged, teach } from "../teach.mjs";

/** A file of the archives (.ts): rows [length · size] with the features of a timestep side by side, lengths, class names. */
function parse(text) {
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !/^[#@]/.test(line));
  const samples = lines.map((line) => {
    const fields = line.split(":");
    const name = fields.pop();
    const features = fields.map((field) => field.split(",").map(Number));
    const length = features[0].length;
    const row = Float32Array.from({ length: length * features.length }, (_, i) => {
      return features[i % features.length][Math.floor(i / features.length)];
    });
    return { name, row, length, size: features.length };
  });
  return samples;
}

/** Every feature with mean 0 and deviation 1 over the training part. */
function scaled(train, test) {
  const { size } = train[0];
  const [sum, squares, count] = [
    new Float64Array(size),
    new Float64Array(size),
    train.reduce((n, s) => n + s.length, 0),
  ];
  for (const { row } of train) {
    for (const [i, value] of row.entries()) {
      sum[i % size] += value;
      squares[i % size] += value * value;
    }
  }
  const mean = sum.map((value) => value / count);
  const deviation = squares.map((value, i) => Math.sqrt(value / count - mean[i] ** 2) || 1);
  const scale = (samples) =>
    samples.map((sample) => ({
      ...sample,
      row: sample.row.map((value, i) => (value - mean[i % size]) / deviation[i % size]),
    }));
  return [scale(train), scale(test)];
}

/**
 * Series of one feature and one length, each bent in time, made larger or smaller and blurred, anew in every batch: a point in its middle half moves by up to
 * `warp` of the length, and everything by up to 20 `warp` steps; amplitudes change by up to `scale`, values by up to 3 `jitter`.
 */
function varied(samples, { warp, scale, jitter }, random) {
  const around0 = (reach) => reach * (2 * random.uniform() - 1);
  const bent = (row) => {
    const last = row.length - 1;
    const from = 0.25 + 0.5 * random.uniform();
    const to = from + around0(warp);
    const [later, factor] = [around0(20 * warp), 1 + around0(scale)];
    return row.map((_, t) => {
      const share = t / last;
      const moved = share < from ? (share / from) * to : to + ((share - from) / (1 - from)) * (1 - to);
      const position = Math.min(last, Math.max(0, moved * last + later));
      const step = Math.min(last - 1, Math.floor(position));
      const between = row[step] + (position - step) * (row[step + 1] - row[step]);
      return factor * between + around0(jitter) + around0(jitter) + around0(jitter);
    });
  };
  return {
    count: samples.count,
    batch(indices) {
      const { sizes, inputs } = samples.batch(indices);
      const x = new Float32Array(inputs.x.length);
      for (let start = 0; start < x.length; start += sizes.time)
        x.set(bent(inputs.x.subarray(start, start + sizes.time)), start);
      return { sizes, inputs: { ...inputs, x } };
    },
  };
}

function samplesOf(some, classes) {
  return ragged(
    some.map(({ length }) => length),
    { x: { rows: some.map(({ row }) => row), size: some[0].size } },
    { label: some.map(({ name }) => classes.indexOf(name)) },
  );
}

/** The mean over the true steps of each row. */
const averaged = {
  name: "average",
  apply(x, scope) {
    const lengths = scope.lengths("time");
    return div(sumAxes(select(lengthMask(lengths, "time"), x, 0), "time"), lengths);
  },
};

/** The share of samples whose nearest one in training, by Euclid, with zeros behind the shorter of the two, is of their class. */
function nearestNeighbour(train, test) {
  const distance = ({ row: a }, { row: b }) => {
    let sum = 0;
    for (let i = 0; i < Math.max(a.length, b.length); i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
    return sum;
  };
  const right = test.filter((sample) => {
    const distances = train.map((known) => distance(sample, known));
    return train[distances.indexOf(Math.min(...distances))].name === sample.name;
  });
  return right.length / test.length;
}

function networkOf(
  size,
  classes,
  { cell, hiddenSize, depth = 1, channels = [], kernelSize = 5, dropout: rate, channelDropout = rate / 2, noise = 0 },
) {
  const layers = sequential(
    variationalDropout(noise),
    ...channels.flatMap((count) => [
      convolution({ channels: count, kernelSize, padding: "same" }),
      dropout(channelDropout),
    ]),
    recurrent({ cell, hiddenSize, depth, direction: "both", dropout: rate }),
    averaged,
    dropout(rate),
    dense({ outputSize: classes }),
  );
  return defineNetwork({
    inputs: { x: sequenceType(size), label: vectorType(1) },
    variableLengths: ["time"],
    forward: ({ x }, scope) => ({ scores: layers.apply(x, scope) }),
    loss: ({ scores }, { label }, scope) => crossEntropy(scores, label, scope),
  });
}

function modelOf({ name, rate = 0.003, epochs, batchSize = 32, averageDecay = 0.99, weightDecay = 0.01, ...options }) {
  const { variation, ...layers } = options;
  return {
    name,
    async run({ data: { train, test }, seed, signal, tell }) {
      const classes = [...new Set(train.map((sample) => sample.name))].sort();
      const network = networkOf(train[0].size, classes.length, layers);
      const model = new Model(network, {
        seed,
        clipping: { norm: 1 },
        averageDecay,
        optimizer: adamW({ weightDecay }),
      });
      const [known, unseen] = scaled(train, test).map((some) => samplesOf(some, classes));
      const trained = await teach(
        model,
        {
          data: variation === undefined ? known : varied(known, variation, createRandom(seed)),
          epochs,
          batchSize,
          learningRate: rate,
          schedule: "cosine",
        },
        { signal, tell },
      );
      return { value: accuracy(model, unseen, classes.length), ...trained };
    },
  };
}

export function series(name, { folder, file, about, published, target }, models) {
  return {
    name,
    about,
    folder,
    measure: "accuracy",
    better: "higher",
    prepare: (data) => {
      const read = (part) => parse(readFileSync(join(data, folder, `${file}_${part}.ts`), "utf8"));
      return { train: read("TRAIN"), test: read("TEST") };
    },
    baseline: ({ train, test }) => ({ name: "nearest neighbour", value: nearestNeighbour(train, test) }),
    published,
    target,
    models: models.map(modelOf),
  };
}
