/** What losses share: the mean over what counts, as one number [1]. Padding and masked targets do not count. */
import { ShapeError } from "../../base/errors.ts";
import { type Axis, formatType, sameType } from "../../base/shapes.ts";
import { broadcast, concat, div, equal, floor, lengthMask, less, mul, select, sumAll } from "../../trace/operations.ts";
import type { Scope } from "../../trace/scope.ts";
import type { Tensor } from "../../trace/tensor.ts";

/**
 * Prediction and target to the mean loss. `mask` holds the weight of each element, of each row [.., 1] or of each sample
 * [batch, 1]: 0 where it does not count, 1 or any positive number where it does; the mean is Σ w·loss / Σ w.
 */
export type Loss = (prediction: Tensor, target: Tensor, scope: Scope, mask?: Tensor) => Tensor;

/** `value` where the index is one of 0 … size − 1, NaN elsewhere: a wrong class must not pass as a loss. */
export function validIndex(index: Tensor, size: number, value: Tensor): Tensor {
  const valid = mul(equal(index, floor(index)), less(-1, index), less(index, size));
  return select(valid, value, Number.NaN);
}

/** The mean of the elements that count: within the lengths of the scope, and where the mask is not 0, each with its weight there. */
export function mean(loss: Tensor, scope: Scope, mask: Tensor | undefined): Tensor {
  const counts = countsOf(loss, scope, mask);
  if (counts === undefined) return div(sumAll(loss), countOf(loss));
  // Selected before it is weighted: what does not count may be NaN.
  const weights = broadcast(counts, loss.type);
  return div(sumAll(mul(select(weights, loss, 0), weights)), orOne(sumAll(weights)));
}

/** A sum of weights to divide by: 1 where nothing counts. */
export function orOne(total: Tensor): Tensor {
  return select(less(0, total), total, 1);
}

/**
 * The target, with 0 where it does not count: the gradient of the loss is 0 there, but 0 times a NaN that the target held
 * would still be NaN.
 */
export function counted(target: Tensor, scope: Scope, mask: Tensor | undefined): Tensor {
  const counts = countsOf(target, scope, mask);
  return counts === undefined ? target : select(counts, target, 0);
}

/** 1 where an element of `of` counts and 0 elsewhere; undefined when all do. */
export function countsOf(of: Tensor, scope: Scope, mask: Tensor | undefined): Tensor | undefined {
  const time = of.type.axes.find((axis: Axis) => scope.lengths(axis) !== undefined);
  const alive = time === undefined ? undefined : lengthMask(scope.lengths(time)!, time);
  return alive === undefined ? mask : mask === undefined ? alive : mul(alive, mask);
}

function countOf(loss: Tensor): Tensor {
  return sumAll(broadcast(loss.trace.literal(1), loss.type));
}

/** Features i, i + n, i + 2n, …: the i-th level of every target. */
export function everyNth(x: Tensor, offset: number, step: number): Tensor {
  if (step === 1) return x;
  const pairs = x.trace.add({ kind: "reshape", x: x.id, shape: [x.size / step, step] });
  const column = x.trace.add({ kind: "slice", x: pairs.id, dim: 1, start: offset, size: 1 });
  return x.trace.add({ kind: "reshape", x: column.id, shape: [x.size / step] });
}

export function same(loss: string, prediction: Tensor, target: Tensor): Tensor {
  if (!sameType(prediction.type, target.type))
    throw misfit(loss, prediction, `the target's shape ${formatType(target.type)}`);
  return prediction;
}

export function misfit(loss: string, given: Tensor, expected: string): ShapeError {
  return new ShapeError({
    where: `${loss}: prediction`,
    given: formatType(given.type),
    expected,
    mend: "give the last layer as many outputs as there are targets",
  });
}

/** Numbers fixed when the network is written, as a tensor [size]. */
export function constants(like: Tensor, values: readonly number[]): Tensor {
  return concat(...values.map((value) => like.trace.literal(value)));
}

/** The i-th of `count` parameters that a prediction [.., size · count] holds for each target, those of one target side by side. */
export function parametersOf(
  loss: string,
  prediction: Tensor,
  size: number,
  names: readonly string[],
): readonly Tensor[] {
  if (prediction.size !== size * names.length) {
    throw misfit(loss, prediction, `${size * names.length} features: ${names.join(", ")} for each of ${size} targets`);
  }
  return names.map((_, i) => everyNth(prediction, i, names.length));
}
