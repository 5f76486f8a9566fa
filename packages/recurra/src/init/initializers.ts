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

/** Row-major values of a weight by its full name: each name draws from its own fork of the generator. */
export function initialWeight(
  {
    name,
    shape,
    initializer,
  }: { readonly name: string; readonly shape: readonly number[]; readonly initializer: Initializer },
  random: Random,
): Float32Array<ArrayBuffer> {
  const paired = typeof initializer !== "function" && initializer.kind === "chrono";
  return initialValues(initializer, shape, random.fork(paired ? name.replace(/[^.]*$/, "chrono") : name));
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
  const count = product(shape);
  if (typeof initializer === "function") {
    const values = Float32Array.from(initializer(shape, random));
    if (values.length === count) return values;
    throw new ShapeError({
      where: "initializer: its values",
      given: `${values.length} numbers`,
      expected: `${count} numbers, [${shape.join(", ")}]`,
      mend: "return one number for each element of the shape",
    });
  }
  const fanIn = shape.at(-1) ?? 1;
  const fanOut = shape.length > 1 ? shape[0]! : fanIn;
  const uniform = (limit: number) => drawn(count, () => limit * (2 * random.uniform() - 1));
  const normal = (deviation: number) => drawn(count, () => deviation * random.normal());
  switch (initializer.kind) {
    case "constant":
      return initializer.value === 0 ? new Float32Array(count) : new Float32Array(count).fill(initializer.value);
    case "uniform":
      return drawn(count, () => initializer.low + (initializer.high - initializer.low) * random.uniform());
    case "normal":
      return normal(initializer.deviation);
    case "truncatedNormal":
      return drawn(count, () => initializer.deviation * truncated(random));
    case "xavierUniform":
      return uniform(Math.sqrt(6 / (fanIn + fanOut)));
    case "xavierNormal":
      return normal(Math.sqrt(2 / (fanIn + fanOut)));
    case "heUniform":
      return uniform(Math.sqrt(6 / fanIn));
    case "heNormal":
      return normal(Math.sqrt(2 / fanIn));
    case "lecunUniform":
      return uniform(Math.sqrt(1 / fanIn));
    case "lecunNormal":
      return normal(Math.sqrt(1 / fanIn));
    case "orthogonal":
      return orthogonal(fanOut, fanIn, initializer.gain ?? 1, random);
    case "identity":
      return drawn(count, (i) => (Math.floor(i / fanIn) === i % fanIn ? (initializer.scale ?? 1) : 0));
    case "chrono": {
      const sign = initializer.gate === "forget" ? 1 : -1;
      return drawn(count, () => sign * Math.log(1 + (initializer.longest - 2) * random.uniform()));
    }
  }
}

function drawn(count: number, value: (i: number) => number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = value(i);
  return values;
}

function truncated(random: Random): number {
  for (;;) {
    const value = random.normal();
    if (Math.abs(value) <= 2) return value;
  }
}

/** Orthonormal rows, or columns when there are more rows than columns, times gain. */
function orthogonal(rows: number, columns: number, gain: number, random: Random): Float32Array<ArrayBuffer> {
  const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
  const basis = orthonormalRows(count, length, random);
  const [along, across] = rows <= columns ? [columns, 1] : [1, columns];
  const result = new Float32Array(rows * columns);
  for (let k = 0; k < count; k++)
    for (let i = 0; i < length; i++) result[k * along + i * across] = gain * basis[k * length + i]!;
  return result;
}
