/** Linear readouts in closed form: ridge regression by Cholesky's factorisation, in float64. */
import { DataError, OptionError, ShapeError } from "../base/errors.ts";
import type { Numbers } from "../compile/executable.ts";
import type { Batch, Model } from "./model.ts";

export interface ReadoutOptions {
  /** The model's output that holds the features, [batch, time, features] or [batch, features]: a reservoir's states. */
  readonly features: string;
  /** The input that holds the targets, for the same rows. */
  readonly target: string;
  /** Weight [targets, features] and bias [targets] to be set, by their full names. */
  readonly weight: string;
  readonly bias: string;
  /** λ of the penalty λ·‖W‖²; the bias is not penalised. Default 1e-6. */
  readonly ridge?: number;
  /** First timesteps of each sequence that are left out, while the reservoir forgets its first state. Default 0. */
  readonly washout?: number;
}

/**
 * Sets weight and bias to the minimum of Σ ‖y − W·h − b‖² + λ·‖W‖² over all rows and timesteps of the batches that count: behind the
 * washout and within `lengths`. Everything else in the model stays. Returns the mean squared error over what counted.
 * Source: Jaeger 2001, GMD Report 148; Lukoševičius 2012, "A practical guide to applying echo state networks".
 * @throws OptionError for ridge or washout below 0; ShapeError when weights do not fit; DataError when nothing counts, or when the
 * features are linearly dependent and ridge is 0.
 */
export function fitReadout(model: Model, batches: Iterable<Batch>, options: ReadoutOptions): number {
  const { ridge = 1e-6, washout = 0 } = options;
  for (const [name, given] of Object.entries({ ridge, washout })) {
    if (given >= 0 && Number.isFinite(given)) continue;
    throw new OptionError({
      where: `fitReadout: ${name}`,
      given: String(given),
      expected: "0 or above",
      mend: "1e-6 and 0 are usual",
    });
  }
  const weights = new Map(model.weights());
  const targets = weights.get(options.bias)?.length ?? 0;
  const size = (weights.get(options.weight)?.length ?? 0) / targets;
  if (!(Number.isInteger(size) && size > 0)) {
    throw new ShapeError({
      where: "fitReadout: weight and bias",
      given: `"${options.weight}" and "${options.bias}"`,
      expected: `a weight [targets, features] and its bias among ${[...weights.keys()].join(", ")}`,
      mend: "give the full names of a dense layer's W and b",
    });
  }
  const sums = new Moments(size, targets);
  for (const batch of batches) {
    const states = model.predict(batch)[options.features];
    const wanted = batch.inputs[options.target];
    const rows = (states?.length ?? 0) / size;
    if (states === undefined || wanted === undefined || wanted.length !== rows * targets) {
      throw new ShapeError({
        where: "fitReadout: features and target",
        given: `${states?.length ?? "no"} and ${wanted?.length ?? "no"} numbers`,
        expected: `the same rows of ${size} and of ${targets}`,
        mend: "name an output and an input of the network with the same axes",
      });
    }
    const { batch: batchSize = 1 } = batch.sizes;
    const time = rows / batchSize;
    for (let row = 0; row < rows; row++) {
      const t = row % time;
      if (t < washout || t >= lengthOf(batch.inputs["lengths"], Math.floor(row / time), time)) continue;
      sums.count(states, row * size, wanted, row * targets);
    }
  }
  const { weight, bias, error } = sums.solve(ridge);
  model.setWeights(weights.set(options.weight, Float32Array.from(weight)).set(options.bias, Float32Array.from(bias)));
  return error;
}

function lengthOf(lengths: Numbers | undefined, row: number, time: number): number {
  return lengths?.[row] ?? time;
}

/** Sums of products of [features, 1, targets], from which the readout follows. */
class Moments {
  readonly #size: number;
  readonly #targets: number;
  readonly #width: number;
  readonly #sums: Float64Array;

  constructor(size: number, targets: number) {
    this.#size = size;
    this.#targets = targets;
    this.#width = size + 1 + targets;
    this.#sums = new Float64Array(this.#width * this.#width);
  }

  count(states: ArrayLike<number>, at: number, wanted: ArrayLike<number>, from: number): void {
    const [size, width, sums] = [this.#size, this.#width, this.#sums];
    const row = Float64Array.from({ length: width }, (_, i) =>
      i < size ? states[at + i]! : i === size ? 1 : wanted[from + i - size - 1]!,
    );
    for (let i = 0; i < width; i++)
      for (let j = 0; j <= i; j++) sums[i * width + j] = sums[i * width + j]! + row[i]! * row[j]!;
  }

  solve(ridge: number): { weight: Float64Array; bias: Float64Array; error: number } {
    const [size, targets, width] = [this.#size, this.#targets, this.#width];
    const sum = (i: number, j: number) => this.#sums[Math.max(i, j) * width + Math.min(i, j)]!;
    const rows = sum(size, size);
    if (rows === 0) {
      throw new DataError({
        where: "fitReadout: batches",
        given: "no timestep that counts",
        expected: "at least one",
        mend: "give more timesteps than the washout",
      });
    }
    // Centred, so that the bias drops out: it is what makes the mean right.
    const centred = (i: number, j: number) => sum(i, j) - (sum(i, size) * sum(j, size)) / rows;
    const factor = cholesky(size, (i, j) => centred(i, j) + (i === j ? ridge : 0));
    const weight = new Float64Array(targets * size);
    const bias = new Float64Array(targets);
    let error = 0;
    for (let k = 0; k < targets; k++) {
      const y = size + 1 + k;
      const solved = substitute(
        factor,
        size,
        Float64Array.from({ length: size }, (_, i) => centred(i, y)),
      );
      weight.set(solved, k * size);
      bias[k] = (sum(y, size) - solved.reduce((total, w, i) => total + w * sum(i, size), 0)) / rows;
      // ‖y − Wh‖² = yy − 2 w·hy + w·hh·w, and (hh + λ)·w = hy.
      const fitted = solved.reduce((total, w, i) => total + w * centred(i, y) + ridge * w * w, 0);
      error += Math.max(0, centred(y, y) - fitted) / (rows * targets);
    }
    return { weight, bias, error };
  }
}

/** L of L·Lᵀ, row-major. */
function cholesky(size: number, element: (i: number, j: number) => number): Float64Array {
  const factor = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = element(i, j);
      for (let k = 0; k < j; k++) rest -= factor[i * size + k]! * factor[j * size + k]!;
      if (i !== j) factor[i * size + j] = rest / factor[j * size + j]!;
      else if (rest > 0) factor[i * size + i] = Math.sqrt(rest);
      else {
        throw new DataError({
          where: `fitReadout: feature ${i}`,
          given: "a sum of the features before it, or not finite",
          expected: "features that do not depend on each other",
          mend: "give a larger ridge",
        });
      }
    }
  }
  return factor;
}

/** x of L·Lᵀ·x = b. */
function substitute(factor: Float64Array, size: number, b: Float64Array): Float64Array {
  const x = b.slice();
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i] = x[i]! - factor[i * size + k]! * x[k]!;
    x[i] = x[i]! / factor[i * size + i]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i] = x[i]! - factor[k * size + i]! * x[k]!;
    x[i] = x[i]! / factor[i * size + i]!;
  }
  return x;
}
