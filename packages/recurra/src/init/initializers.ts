/** Weight initialisation by name: plain data in, numbers out, a function of shape and generator only. */
import { lookup, OptionError, ShapeError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { product } from "../base/shapes.ts";
import { orthonormalRows } from "./orthonormal.ts";

/** Values of a weight, row-major, from its shape and a generator of its own. */
export type InitializerFunction = (shape: readonly number[], random: Random) => ArrayLike<number>;

/** Weights are [outputs, inputs]: fan-in is the last size, fan-out the first. */
export type Initializer =
  | InitializerFunction
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "uniform"; readonly low: number; readonly high: number }
  | { readonly kind: "normal"; readonly deviation: number }
  /** Normal, drawn again until it lies within two deviations. `deviation` is that of the whole normal distribution. */
  | { readonly kind: "truncatedNormal"; readonly deviation: number }
  /** Glorot and Bengio 2010: keeps the variance of signals and gradients between layers. */
  | { readonly kind: "xavierUniform" }
  | { readonly kind: "xavierNormal" }
  /** He et al. 2015: the same for ReLU. */
  | { readonly kind: "heUniform" }
  | { readonly kind: "heNormal" }
  /** LeCun et al. 1998: variance 1 / fan-in. */
  | { readonly kind: "lecunNormal" }
  /** Within ±1 / √fan-in, a third of that variance: what PyTorch's layers begin with. */
  | { readonly kind: "lecunUniform" }
  /** Saxe et al. 2014: rows (or columns) orthonormal, times gain; keeps norms through many steps. */
  | { readonly kind: "orthogonal"; readonly gain?: number }
  /** Le et al. 2015 (IRNN): the identity times scale. */
  | { readonly kind: "identity"; readonly scale?: number }
  /**
   * Tallec and Ollivier 2018, arXiv:1804.11188: the bias of a forget gate is log u with u uniform in [1, longest − 1], that of the
   * input gate beside it −log u with the same u: "b.f" and "b.i" of one cell draw alike. `longest` counts timesteps, at least 3.
   */
  | { readonly kind: "chrono"; readonly longest: number; readonly gate: "forget" | "input" };
type Described = Exclude<Initializer, InitializerFunction>;

export type InitializerName =
  | "zeros"
  | "ones"
  | "uniform"
  | "normal"
  | "truncatedNormal"
  | "forgetBias"
  | Exclude<Described["kind"], "constant" | "uniform" | "normal" | "truncatedNormal" | "chrono">;

/** What each name stands for when no numbers are given. */
const named: Readonly<Record<InitializerName, Initializer>> = {
  zeros: { kind: "constant", value: 0 },
  ones: { kind: "constant", value: 1 },
  uniform: { kind: "uniform", low: -0.05, high: 0.05 },
  normal: { kind: "normal", deviation: 0.05 },
  truncatedNormal: { kind: "truncatedNormal", deviation: 0.05 },
  xavierUniform: { kind: "xavierUniform" },
  xavierNormal: { kind: "xavierNormal" },
  heUniform: { kind: "heUniform" },
  heNormal: { kind: "heNormal" },
  lecunNormal: { kind: "lecunNormal" },
  lecunUniform: { kind: "lecunUniform" },
  orthogonal: { kind: "orthogonal" },
  identity: { kind: "identity" },
  /** Jozefowicz et al. 2015: a forget gate that begins open. */
  forgetBias: { kind: "constant", value: 1 },
};

/** @throws OptionError for an unknown name. */
export function parseInitializer(initializer: Initializer | InitializerName): Initializer {
  return typeof initializer === "string" ? lookup("initializer", initializer, named) : initializer;
}

/** Biases of the forget gate: "b.f" of an LSTM, and "b.z" of a GRU, whose z keeps the state. For `initialize` of a recurrent layer. */
export function forgetBias(value = 1): Readonly<Record<string, Initializer>> {
  const initializer: Initializer = { kind: "constant", value };
  return { "b.f": initializer, "b.z": initializer };
}

/**
 * The chrono initialisation of LSTM and GRU for dependencies of up to `longest` timesteps; for `initialize` of a recurrent layer.
 * @throws OptionError unless longest is at least 3.
 */
export function chrono(longest: number): Readonly<Record<string, Initializer>> {
  if (!(longest >= 3)) {
    throw new OptionError({
      where: "chrono: longest",
      given: String(longest),
      expected: "at least 3",
      mend: "give the longest dependency in timesteps",
    });
  }
  const forget: Initializer = { kind: "chrono", longest, gate: "forget" };
  return { "b.f": forget, "b.z": forget, "b.i": { kind: "chrono", longest, gate: "input" } };
}

/** Writes the first values of a weight, by its full name, over zeros: each name draws from its own fork of the generator. */
export function drawWeight(
  values: Float32Array,
  {
    name,
    shape,
    initializer,
  }: { readonly name: string; readonly shape: readonly number[]; readonly initializer: Initializer },
  random: Random,
): void {
  const paired = typeof initializer !== "function" && initializer.kind === "chrono";
  draw(values, initializer, shape, random.fork(paired ? name.replace(/[^.]*$/, "chrono") : name));
}

/**
 * Row-major values of a weight.
 * @throws ShapeError when a function of one's own gives another number of them.
 */
export function initialValues(
  initializer: Initializer,
  shape: readonly number[],
  random: Random,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(product(shape));
  draw(values, initializer, shape, random);
  return values;
}

/** `values` are zeros before. */
function draw(values: Float32Array, initializer: Initializer, shape: readonly number[], random: Random): void {
  if (typeof initializer === "function") {
    copy(values, initializer(shape, random), shape);
    return;
  }
  const fanIn = shape.at(-1) ?? 1;
  const fanOut = shape.length > 1 ? shape[0]! : fanIn;
  switch (initializer.kind) {
    case "constant":
      if (initializer.value !== 0) values.fill(initializer.value);
      break;
    case "uniform":
      each(values, () => initializer.low + (initializer.high - initializer.low) * random.uniform());
      break;
    case "normal":
      drawNormal(values, initializer.deviation, random);
      break;
    case "truncatedNormal":
      each(values, () => initializer.deviation * truncated(random));
      break;
    case "xavierUniform":
      drawUniform(values, Math.sqrt(6 / (fanIn + fanOut)), random);
      break;
    case "xavierNormal":
      drawNormal(values, Math.sqrt(2 / (fanIn + fanOut)), random);
      break;
    case "heUniform":
      drawUniform(values, Math.sqrt(6 / fanIn), random);
      break;
    case "heNormal":
      drawNormal(values, Math.sqrt(2 / fanIn), random);
      break;
    case "lecunUniform":
      drawUniform(values, Math.sqrt(1 / fanIn), random);
      break;
    case "lecunNormal":
      drawNormal(values, Math.sqrt(1 / fanIn), random);
      break;
    case "orthogonal":
      drawOrthogonal(values, fanOut, fanIn, initializer.gain ?? 1, random);
      break;
    case "identity":
      each(values, (i) => (Math.floor(i / fanIn) === i % fanIn ? (initializer.scale ?? 1) : 0));
      break;
    case "chrono": {
      const sign = initializer.gate === "forget" ? 1 : -1;
      each(values, () => sign * Math.log(1 + (initializer.longest - 2) * random.uniform()));
      break;
    }
  }
}

function copy(values: Float32Array, given: ArrayLike<number>, shape: readonly number[]): void {
  if (given.length !== values.length) {
    throw new ShapeError({
      where: "initializer: its values",
      given: `${given.length} numbers`,
      expected: `${values.length} numbers, [${shape.join(", ")}]`,
      mend: "return one number for each element of the shape",
    });
  }
  values.set(given);
}

function each(values: Float32Array, value: (i: number) => number): void {
  for (let i = 0; i < values.length; i++) values[i] = value(i);
}

/** Within ±limit. */
function drawUniform(values: Float32Array, limit: number, random: Random): void {
  for (let i = 0; i < values.length; i++) values[i] = limit * (2 * random.uniform() - 1);
}

function drawNormal(values: Float32Array, deviation: number, random: Random): void {
  for (let i = 0; i < values.length; i++) values[i] = deviation * random.normal();
}

function truncated(random: Random): number {
  for (;;) {
    const value = random.normal();
    if (Math.abs(value) <= 2) return value;
  }
}

/** Orthonormal rows, or columns when there are more rows than columns, times gain. */
function drawOrthogonal(values: Float32Array, rows: number, columns: number, gain: number, random: Random): void {
  const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
  const basis = orthonormalRows(count, length, random);
  const [along, across] = rows <= columns ? [columns, 1] : [1, columns];
  for (let k = 0; k < count; k++)
    for (let i = 0; i < length; i++) values[k * along + i * across] = gain * basis[k * length + i]!;
}
