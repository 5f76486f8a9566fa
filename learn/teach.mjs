/** What the training runs share: the loop with its events told on, samples of several kinds, rows of a result. */
import { createRandom } from "recurra";
import { meanLoss, train } from "recurra/train";

/**
 * Trains with the options of `train` and tells every epoch, and every 10 seconds of a long one. When the signal ends the run, the
 * model has its best weights so far.
 */
export async function teach(model, options, { signal, tell }) {
  let told = performance.now();
  let epochs = 0;
  let best = Number.NaN;
  for await (const event of train(model, { ...options, signal })) {
    if (event.event === "done") best = event.best.validationLoss;
    if (event.event === "epoch") epochs = event.epoch;
    const patience = { epoch: 2e3, progress: 1e4 }[event.event];
    if (performance.now() - told > patience) {
      told = performance.now();
      tell?.(lineOf(event));
    }
  }
  return { epochs, steps: model.steps, validationLoss: best, parameters: model.parameterCount };
}

function lineOf(event) {
  if (event.event === "epoch")
    return `epoch ${event.epoch}: loss ${event.loss.toPrecision(4)}, validation ${event.validationLoss.toPrecision(4)}, ${event.seconds.toFixed(1)} s`;
  return `epoch ${event.epoch}, step ${event.step} of ${event.steps}: loss ${event.loss.toPrecision(4)}, ${(event.secondsLeft / 60).toFixed(1)} min left of ${event.epochs} epochs`;
}

/** Samples without end: each batch is made anew by `make(size)`; an epoch has `count` of them. */
export function endless(count, make) {
  return { count, batch: (indices) => make(indices.length) };
}

/**
 * Trains on sequences that a generator makes anew, `make(random, count)`, until the validation loss is below half the target. The mean loss
 * of `tests` others is the measure.
 */
export async function teachEndless(model, make, { seed, target, rate, steps, batchSize, tests, signal, tell }) {
  const random = createRandom(seed);
  const fixed = (label, count) => rowsOf(make(createRandom(seed).fork(label), count));
  const trained = await teach(
    model,
    {
      data: endless(100 * batchSize, (size) => make(random, size)),
      validation: fixed("validation", 500),
      epochs: steps / 100,
      batchSize,
      learningRate: rate,
      schedule: "cosine",
      stopAtLoss: target / 2,
    },
    { signal, tell },
  );
  return { value: meanLoss(model, fixed("test", tests), 250), ...trained };
}

/** The rows of one large batch as samples. */
export function rowsOf({ sizes, inputs }) {
  const wide = Object.entries(inputs).map(([name, values]) => [name, values, values.length / sizes.batch]);
  return {
    count: sizes.batch,
    batch: (indices) => ({
      sizes: { ...sizes, batch: indices.length },
      inputs: Object.fromEntries(
        wide.map(([name, values, width]) => {
          const rows = new Float32Array(indices.length * width);
          for (const [row, index] of indices.entries())
            rows.set(values.subarray(index * width, (index + 1) * width), row * width);
          return [name, rows];
        }),
      ),
    }),
  };
}

/** Samples of unequal lengths: sequences [length, size] of several inputs, padded to the longest of the batch. */
export function ragged(lengths, sequences, vectors = {}) {
  return {
    count: lengths.length,
    batch(indices) {
      const time = Math.max(...Array.from(indices, (index) => lengths[index]));
      const padded = Object.entries(sequences).map(([name, { rows, size }]) => {
        const values = new Float32Array(indices.length * time * size);
        for (const [row, index] of indices.entries()) values.set(rows[index], row * time * size);
        return [name, values];
      });
      const single = Object.entries(vectors).map(([name, values]) => [
        name,
        Float32Array.from(indices, (index) => values[index]),
      ]);
      return {
        sizes: { batch: indices.length, time },
        inputs: { ...Object.fromEntries([...padded, ...single]), lengths: indices.map((index) => lengths[index]) },
      };
    },
  };
}

/** 0 … count − 1, in parts of at most `size`. */
export function* parts(count, size) {
  for (let start = 0; start < count; start += size)
    yield Int32Array.from({ length: Math.min(size, count - start) }, (_, i) => start + i);
}

/** Where each row of scores is largest. */
export function likeliest(scores, classes) {
  return Int32Array.from({ length: scores.length / classes }, (_, row) => {
    let best = 0;
    for (let i = 1; i < classes; i++) if (scores[row * classes + i] > scores[row * classes + best]) best = i;
    return best;
  });
}

/** The share of samples whose class, input `target`, has the highest score of output `scores`. */
export function accuracy(model, samples, classes, { scores = "scores", target = "label" } = {}) {
  let right = 0;
  for (const indices of parts(samples.count, 500)) {
    const batch = samples.batch(indices);
    const chosen = likeliest(model.predict(batch)[scores], classes);
    right += chosen.filter((value, row) => value === batch.inputs[target][row]).length;
  }
  return right / samples.count;
}
