/** Drawing a class of logits by chance: in a network, and on the plain numbers that a stream gives. */
import { DataError, OptionError } from "../base/errors.ts";
import { hashUniforms } from "../base/random.ts";
import {
  add,
  argmax,
  div,
  exp,
  less,
  log,
  maxFeatures,
  mul,
  random,
  select,
  sub,
  sumFeatures,
} from "../trace/operations.ts";
import type { Tensor, TensorLike } from "../trace/tensor.ts";

/** Of which classes one is drawn, and how boldly. In this order: temperature, then the k likeliest, then the nucleus of those. */
export interface SamplingOptions<Value = number> {
  /** Logits are divided by it: below 1 the likely become likelier. 0 gives the likeliest. Default 1. */
  readonly temperature?: Value;
  /** Only the k likeliest (Fan et al. 2018, arXiv:1805.04833), and what is as likely as the last of them. Default: all. */
  readonly topK?: Value;
  /**
   * Only the likeliest that together have at least this probability (nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751), and what
   * is as likely as the last of them. Default 1: all.
   */
  readonly topP?: Value;
}

/** Which numbers of chance are used: `hashUniform` of seed, stream and positions, then the class. */
export interface Draw {
  /** A whole number. */
  readonly seed: number;
  /** Tells apart what is drawn at the same positions. Default 0. */
  readonly stream?: number;
  /** The row of the batch, then the step, say: each draw needs its own. */
  readonly positions: readonly number[];
}

/**
 * A class 0 … logits.length − 1, drawn by chance: a function of logits, options and draw, whatever was drawn before.
 *
 *     w_c = exp((logit_c − max) / temperature)       0 for those left out
 *     the class with the largest w_c / −log u_c      u_c uniform: class c comes with probability w_c / Σ w
 *
 * Weights that differ by less than 2⁻²⁴ count as equally likely where classes are left out.
 * @throws OptionError unless temperature ≥ 0, topK is 1, 2, 3, … and 0 < topP ≤ 1; DataError for logits that are NaN or all −∞.
 */
export function sampleLogits(
  logits: ArrayLike<number>,
  { seed, stream = 0, positions }: Draw,
  options: SamplingOptions = {},
): number {
  checkSampling(options);
  const { temperature = 1, topK = logits.length, topP = 1 } = options;
  const top = finiteTop(logits);
  let drawn = 0;
  while (logits[drawn] !== top) drawn++;
  if (temperature === 0) return drawn;
  const w = new Float64Array(logits.length);
  for (let c = 0; c < w.length; c++) w[c] = Math.exp((logits[c]! - top) / temperature);
  if (topK < w.length) keepLikeliest(w, "classes", topK);
  if (topP < 1) keepLikeliest(w, "weight", topP * reached(w, "weight", 0));
  const uniform = hashUniforms(seed, stream, positions);
  let furthest = 0;
  for (let c = 0; c < w.length; c++) {
    const u = uniform(c);
    // −log u is at least 1 − u, so most classes are out of the running before a logarithm is taken.
    if (w[c]! <= furthest * (1 - u)) continue;
    const reach = w[c]! / -Math.log(u);
    if (reach > furthest) [furthest, drawn] = [reach, c];
  }
  return drawn;
}

/** Leaves out all but the likeliest that reach `needed`: so many classes, or so much weight. */
function keepLikeliest(w: Float64Array, counted: "classes" | "weight", needed: number): void {
  const least = halves.reduce((below, half) => (reached(w, counted, below + half) >= needed ? below + half : below), 0);
  for (let c = 0; c < w.length; c++) if (w[c]! < least) w[c] = 0;
}

/** How many weights are at least `least`, or their sum. */
function reached(w: Float64Array, counted: "classes" | "weight", least: number): number {
  let [classes, weight] = [0, 0];
  for (let c = 0; c < w.length; c++) {
    if (w[c]! < least) continue;
    classes++;
    weight += w[c]!;
  }
  return counted === "classes" ? classes : weight;
}

/**
 * `sampleLogits` in a network: logits [.., classes] to classes [.., 1], with the same numbers of chance. `random` in the step of a scan
 * needs the step's own seed: see there. Options may be tensors [1] or [batch, 1], fed from call to call; what they hold is not checked.
 */
export function sampleClasses(
  logits: Tensor,
  seed: Tensor,
  stream: number,
  options: SamplingOptions<TensorLike> = {},
): Tensor {
  checkSampling(options);
  const { temperature = 1, topK = logits.size, topP = 1 } = options;
  if (temperature === 0) return argmax(logits);
  let w = exp(div(sub(logits, maxFeatures(logits)), temperature));
  const keep = (counted: TensorLike, needed: TensorLike) => {
    let least: TensorLike = w.trace.literal(0);
    for (const half of halves) {
      const higher: Tensor = add(least, half);
      least = select(less(sumFeatures(select(less(w, higher), 0, counted)), needed), least, higher);
    }
    w = select(less(w, least), 0, w);
  };
  if (typeof topK !== "number" || topK < logits.size) keep(1, topK);
  if (typeof topP !== "number" || topP < 1) keep(w, mul(topP, sumFeatures(w)));
  return argmax(div(w, sub(0, log(random(seed, stream, logits.type)))));
}

/** ½, ¼, … 2⁻²⁴: what float32 can add up exactly below 1. */
const halves = Array.from({ length: 24 }, (_, i) => 2 ** -(i + 1));

function finiteTop(logits: ArrayLike<number>): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < logits.length; c++) top = Math.max(top, logits[c]!); // NaN if any is.
  if (Number.isFinite(top)) return top;
  throw new DataError({
    where: "sampling: the largest logit",
    given: String(top),
    expected: "a finite number",
    mend: "look for NaN in what the network was fed with",
  });
}

/** @throws OptionError for a number outside its range; tensors pass. */
export function checkSampling({ temperature, topK, topP }: SamplingOptions<TensorLike>): void {
  const inRange = (name: string, given: TensorLike | undefined, holds: boolean, expected: string, mend: string) => {
    if (typeof given !== "number" || holds) return;
    throw new OptionError({ where: `sampling: ${name}`, given: String(given), expected, mend });
  };
  const [t, k, p] = [Number(temperature), Number(topK), Number(topP)];
  inRange("temperature", temperature, t >= 0 && t < Number.POSITIVE_INFINITY, "0 or more", "0.5 to 1.2 are usual");
  inRange("topK", topK, Number.isInteger(k) && k >= 1, "1, 2, 3, …", "leave it out to draw from all");
  inRange("topP", topP, p > 0 && p <= 1, "above 0 and at most 1", "0.9 to 0.95 are usual");
}
