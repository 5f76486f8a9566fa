/** The operations of the equation language. Operands broadcast: axes by name, feature sizes from the right. */
import { ShapeError } from "../base/errors.ts";
import {
  type Axis,
  broadcastTypes,
  formatType,
  orderAxes,
  product,
  sameType,
  type TensorType,
} from "../base/shapes.ts";
import type { BinaryKind, Node, UnaryKind } from "../ir/nodes.ts";
import { Tensor, type TensorLike, traceOf } from "./tensor.ts";

/** Sum of two or more. */
export function add(first: TensorLike, ...rest: readonly TensorLike[]): Tensor {
  return rest.reduce<TensorLike>((sum, term) => binary("add", sum, term), first) as Tensor; // At least one operand is a tensor, or traceOf has thrown.
}
export const sub = (a: TensorLike, b: TensorLike): Tensor => binary("sub", a, b);
/** Elementwise product (⊙) of two or more. */
export function mul(first: TensorLike, ...rest: readonly TensorLike[]): Tensor {
  return rest.reduce<TensorLike>((result, factor) => binary("mul", result, factor), first) as Tensor; // As in add.
}
/**
 * a / b. A root that many elements share, as the deviation of a row, is inverted once and multiplied by: a vector division takes several
 * times as long as a product, and gradients would divide again. Other divisors stay: ⌊6 · ⅓⌋ need not be ⌊6 / 3⌋.
 */
export function div(a: TensorLike, b: TensorLike): Tensor {
  return typeof a !== "number" && typeof b !== "number" && isSharedRoot(b, a) ? mul(a, div(1, b)) : binary("div", a, b);
}
export const maximum = (a: TensorLike, b: TensorLike): Tensor => binary("max", a, b);
export const minimum = (a: TensorLike, b: TensorLike): Tensor => binary("min", a, b);
/** 1 where a < b, else 0. No gradient. */
export const less = (a: TensorLike, b: TensorLike): Tensor => binary("less", a, b);
/** 1 where a = b, else 0. No gradient. */
export const equal = (a: TensorLike, b: TensorLike): Tensor => binary("equal", a, b);

export const neg = (x: Tensor): Tensor => unary("neg", x);
export const exp = (x: Tensor): Tensor => unary("exp", x);
export const log = (x: Tensor): Tensor => unary("log", x);
export const tanh = (x: Tensor): Tensor => unary("tanh", x);
/** σ(x) = 1 / (1 + e⁻ˣ). */
export const sigmoid = (x: Tensor): Tensor => unary("sigmoid", x);
export const abs = (x: Tensor): Tensor => unary("abs", x);
export const sqrt = (x: Tensor): Tensor => unary("sqrt", x);
export const sign = (x: Tensor): Tensor => unary("sign", x);
export const floor = (x: Tensor): Tensor => unary("floor", x);
export const sin = (x: Tensor): Tensor => unary("sin", x);
export const cos = (x: Tensor): Tensor => unary("cos", x);
export const square = (x: Tensor): Tensor => mul(x, x);
/** max(0, x), with derivative 0 at 0. */
export const relu = (x: Tensor): Tensor => written("relu", [x], select(less(0, x), x, 0));
/** x above 0, slope · x below. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor =>
  written("leakyRelu", [x], select(less(0, x), x, mul(slope, x)));
/** log(1 + eˣ) without overflow. */
export const softplus = (x: Tensor): Tensor =>
  written("softplus", [x], add(maximum(x, 0), log(add(1, exp(neg(abs(x)))))));

/** `a` where the condition is not 0, else `b`: what is not chosen has no say, not even as NaN. */
export function select(condition: Tensor, a: TensorLike, b: TensorLike): Tensor {
  const trace = traceOf(condition, a, b);
  return trace.add({ kind: "select", condition: at(trace, condition), a: at(trace, a), b: at(trace, b) });
}

/** W·x for each row: W [outputs, inputs], x [.., inputs], result [.., outputs]. */
export function matmul(weight: Tensor, vector: Tensor): Tensor {
  const x = weight.entering?.(vector) ?? vector;
  const trace = traceOf(weight, x);
  return trace.add({ kind: "matmul", x: at(trace, x), weight: at(trace, weight), transposed: false });
}

/** Wᵀ·x for each row: W [inputs, outputs], x [.., inputs], result [.., outputs]. */
export function matmulTransposed(weight: Tensor, vector: Tensor): Tensor {
  const x = weight.entering?.(vector) ?? vector;
  const trace = traceOf(weight, x);
  return trace.add({ kind: "matmul", x: at(trace, x), weight: at(trace, weight), transposed: true });
}

/** Wᵀ of a weight [outputs, inputs]: [inputs, outputs]. For one product with a vector `matmulTransposed` is cheaper. */
export function transpose(weight: Tensor): Tensor {
  const { trace, size } = weight;
  const numbers = trace.add({ kind: "iota", along: { size } });
  // Row k is W·e_k, the column k of W.
  const units = oneHot(reshape(numbers, size, 1), size);
  const transposed = trace.add({ kind: "matmul", x: units.id, weight: weight.id, transposed: false });
  trace.notation.set(transposed.id, { call: { name: "ᵀ", of: [weight] } });
  return new Tensor(trace, transposed.id, weight.entering);
}

/** Weights on top of each other: [outputs, inputs] of each, [Σ outputs, inputs] together. */
export function stack(...weights: readonly Tensor[]): Tensor {
  const trace = traceOf(...weights);
  const stacked = trace.add({ kind: "concat", parts: weights.map((weight) => at(trace, weight)), dim: 0 });
  const entering = weights[0]?.entering;
  return weights.every((weight) => weight.entering === entering) ? new Tensor(trace, stacked.id, entering) : stacked;
}

/** Rows of a table [rows, size] at whole-number indices [.., 1]: [.., size]. An index that is no row of the table gives NaN. */
export function gather(table: Tensor, index: Tensor): Tensor {
  const trace = traceOf(table, index);
  return trace.add({ kind: "gather", table: at(trace, table), index: at(trace, index) });
}

/** Features start … start + size − 1 of the last dimension. */
export function slice(x: Tensor, start: number, size: number): Tensor {
  return x.trace.add({ kind: "slice", x: x.id, dim: x.type.shape.length - 1, start, size });
}

/** Side by side along the last feature dimension. */
export function concat(...parts: readonly Tensor[]): Tensor {
  const trace = traceOf(...parts);
  const axes = orderAxes(parts.flatMap((part) => part.type.axes));
  const ids = parts.map((part) => {
    const adopted = trace.adopt(part);
    const missing = axes.some((axis) => !adopted.type.axes.includes(axis));
    return (
      missing ? trace.add({ kind: "broadcast", x: adopted.id, type: { axes, shape: adopted.type.shape } }) : adopted
    ).id;
  });
  return trace.add({ kind: "concat", parts: ids, dim: trace.builder.typeOf(ids[0]!).shape.length - 1 });
}

/** Other feature sizes, same elements in the same order. Axes stay. */
export function reshape(x: Tensor, ...shape: readonly number[]): Tensor {
  return x.trace.add({ kind: "reshape", x: x.id, shape });
}

/** The same values for every position of the axes and features of `type`. */
export function broadcast(x: Tensor, type: TensorType): Tensor {
  return x.trace.add({ kind: "broadcast", x: x.id, type });
}

/** The value, through which no gradient flows. */
export function stopGradient(x: Tensor): Tensor {
  return x.trace.add({ kind: "stopGradient", x: x.id });
}

/** The value of `rounded` with the gradient of `x`: what rounding would stop passes straight through (Bengio et al. 2013). */
export function straightThrough(x: Tensor, rounded: Tensor): Tensor {
  // x − x is 0 exactly; x + (rounded − x) would not be `rounded` in float32.
  return written("straightThrough", [x, rounded], add(stopGradient(rounded), sub(x, stopGradient(x))));
}

/**
 * Layer normalisation (Ba et al. 2016): (x − mean) / √(variance + 1e-5) over the features of each row, times `gain`, plus `bias`
 * where one is given.
 */
export function layerNorm(x: Tensor, gain: Tensor, bias?: Tensor): Tensor {
  const centred = sub(x, meanFeatures(x));
  const scaled = mul(gain, div(centred, sqrt(add(meanFeatures(square(centred)), 1e-5))));
  return bias === undefined ? written("LN", [x, gain], scaled) : written("LN", [x, gain, bias], add(scaled, bias));
}

/** Sum over the last feature dimension, which becomes 1. */
export function sumFeatures(x: Tensor): Tensor {
  return reduce("sum", x, [], [x.type.shape.length - 1]);
}
export function maxFeatures(x: Tensor): Tensor {
  return reduce("max", x, [], [x.type.shape.length - 1]);
}
export function meanFeatures(x: Tensor): Tensor {
  return div(sumFeatures(x), x.size);
}
/** Sum over axes, which vanish. */
export function sumAxes(x: Tensor, ...axes: readonly Axis[]): Tensor {
  return reduce("sum", x, axes, []);
}
/** Sum of every element: [1]. */
export function sumAll(x: Tensor): Tensor {
  const total = reduce(
    "sum",
    x,
    x.type.axes,
    x.type.shape.map((_, dim) => dim),
  );
  return reshape(total, 1);
}

/** log Σ eˣ over the last dimension, shifted by the maximum: exp overflows float32 above 88.7, the shift keeps exponents ≤ 0. */
export function logSumExp(x: Tensor): Tensor {
  const top = stopGradient(maxFeatures(x));
  return add(top, log(sumFeatures(exp(sub(x, top)))));
}
export function logSoftmax(x: Tensor): Tensor {
  return sub(x, logSumExp(x));
}
export function softmax(x: Tensor): Tensor {
  const weights = exp(sub(x, stopGradient(maxFeatures(x))));
  return div(weights, sumFeatures(weights));
}

/** Softmax along an axis, over the positions where `counts` is not 0 (default: all). Where none counts all is 0. */
export function softmaxOver(x: Tensor, axis: Axis, counts?: Tensor): Tensor {
  const scores = counts === undefined ? x : select(counts, x, Number.NEGATIVE_INFINITY);
  const top = stopGradient(reduce("max", scores, [axis], []));
  // Of a row without positions the maximum is −∞, and −∞ + ∞ is no number.
  const shifted = sub(x, select(less(Number.NEGATIVE_INFINITY, top), top, 0));
  const weights = counts === undefined ? exp(shifted) : select(counts, exp(select(counts, shifted, 0)), 0);
  const total = sumAxes(weights, axis);
  return div(weights, select(less(0, total), total, 1));
}

/** The position of the largest feature, [.., 1]; of equal ones the first. No gradient. */
export function argmax(x: Tensor): Tensor {
  const behind = sub(x.size - 1, x.trace.add({ kind: "iota", along: { size: x.size } }));
  return stopGradient(sub(x.size - 1, maxFeatures(mul(equal(x, maxFeatures(x)), behind))));
}

/** 1 at the index, 0 elsewhere: index [.., 1] gives [.., size]. */
export function oneHot(index: Tensor, size: number): Tensor {
  return equal(index, index.trace.add({ kind: "iota", along: { size } }));
}

/** 0, 1, 2, … along an axis: [axis, 1]. */
export function positions(like: Tensor, axis: Axis): Tensor {
  return like.trace.add({ kind: "iota", along: axis });
}

/** 1 at timesteps before the row's length, 0 at padding: lengths [batch, 1] gives [batch, time, 1]. */
export function lengthMask(lengths: Tensor, time: Axis = "time"): Tensor {
  return less(positions(lengths, time), lengths);
}

/**
 * Uniform in [0, 1), a function of seed, stream and position only. It is drawn where the seed stands: a seed from outside a scan gives
 * the same numbers at every step of it, `trace.adopt(seed)` with the trace of the step new ones.
 */
export function random(seed: Tensor, stream: number, type: TensorType): Tensor {
  return seed.trace.add({ kind: "random", seed: seed.id, stream, type });
}

/** The value under a name of its own in printed formulas. */
export function named(name: string, x: Tensor): Tensor {
  x.trace.notation.set(x.id, { ...x.trace.notation.get(x.id), name });
  return x;
}

/** Number of features in all. */
export function featureCount(x: Tensor): number {
  return product(x.type.shape);
}

/** `result` is written `name(of)` in printed formulas. */
function written(name: string, of: readonly TensorLike[], result: Tensor): Tensor {
  result.trace.notation.set(result.id, { ...result.trace.notation.get(result.id), call: { name, of } });
  return result;
}

function reduce(op: "sum" | "max", x: Tensor, axes: readonly Axis[], dims: readonly number[]): Tensor {
  for (const axis of axes) {
    if (!x.type.axes.includes(axis)) {
      throw new ShapeError({
        where: `${op} over "${axis}": x`,
        given: formatType(x.type),
        expected: `a tensor with the axis ${axis}`,
        mend: "reduce over an axis it has",
      });
    }
  }
  return x.trace.add({ kind: "reduce", op, x: x.id, axes, dims });
}

function unary(kind: UnaryKind, x: Tensor): Tensor {
  return x.trace.add({ kind, x: x.id });
}

function binary(kind: BinaryKind, a: TensorLike, b: TensorLike): Tensor {
  const trace = traceOf(a, b);
  const node: Node = { kind, a: at(trace, a), b: at(trace, b) };
  const made = trace.add(node);
  // What is made of a weight is a weight.
  const entering = [a, b].map((value) => (typeof value === "number" ? undefined : value.entering)).find(Boolean);
  return entering === undefined ? made : new Tensor(trace, made.id, entering);
}

/** Whether b is a root, and several elements of a ∘ b read the same element of it. */
function isSharedRoot(b: Tensor, a: Tensor): boolean {
  const type = broadcastTypes(a.type, b.type);
  return type !== undefined && !sameType(type, b.type) && b.trace.builder.nodeOf(b.id).kind === "sqrt";
}

function at(trace: Tensor["trace"], value: TensorLike) {
  return typeof value === "number" ? trace.literal(value).id : trace.adopt(value).id;
}
