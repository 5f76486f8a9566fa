/** Losses: the mean over all elements that count, as one number [1]. Padding and masked targets do not count. */
import { ShapeError } from "../base/errors.ts";
import { type Axis, formatType, sameType } from "../base/shapes.ts";
import {
  abs,
  add,
  broadcast,
  div,
  equal,
  exp,
  floor,
  lengthMask,
  less,
  log,
  logSumExp,
  maximum,
  mul,
  neg,
  oneHot,
  select,
  square,
  sub,
  sumAll,
  sumFeatures,
} from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";

/** Prediction and target to the mean loss; `mask` is 1 where an element counts and 0 elsewhere. */
export type Loss = (prediction: Tensor, target: Tensor, scope: Scope, mask?: Tensor) => Tensor;

/** (y − ŷ)² */
export const mse: Loss = (prediction, target, scope, mask) =>
  mean(square(sub(same("mse", prediction, target), counted(target, scope, mask))), scope, mask);

/** |y − ŷ| */
export const mae: Loss = (prediction, target, scope, mask) =>
  mean(abs(sub(same("mae", prediction, target), counted(target, scope, mask))), scope, mask);

/** Half the square up to `delta`, linear beyond (Huber 1964): e²/2, or delta · (|e| − delta/2). */
export function huber(delta = 1): Loss {
  return (prediction, target, scope, mask) => {
    const error = abs(sub(same("huber", prediction, target), counted(target, scope, mask)));
    return mean(select(less(error, delta), mul(0.5, square(error)), mul(delta, sub(error, delta / 2))), scope, mask);
  };
}

/**
 * Pinball loss (Koenker and Bassett 1978), averaged over the levels: max(q·e, (q − 1)·e) with e = y − ŷ.
 * Prediction [.., size · levels], the levels of one target next to each other; target [.., size].
 */
export function quantile(levels: readonly number[]): Loss {
  return (prediction, target, scope, mask) => {
    const count = levels.length;
    if (prediction.size !== target.size * count) {
      throw misfit(
        "quantile",
        prediction,
        `${target.size * count} features: ${count} levels for each of ${target.size} targets`,
      );
    }
    const truth = counted(target, scope, mask);
    const terms = levels.map((level, i) => {
      const error = sub(truth, everyNth(prediction, i, count));
      return mean(maximum(mul(level, error), mul(level - 1, error)), scope, mask);
    });
    return div(add(terms[0]!, ...terms.slice(1)), count);
  };
}

/**
 * −log softmax(logits)[class], nats. Logits [.., classes]; target [.., 1] holds the class as a whole number. A class that is not
 * one of 0 … classes − 1, and counts, makes the loss NaN.
 */
export const crossEntropy: Loss = (logits, target, scope, mask) => {
  if (target.size !== 1) throw misfit("crossEntropy", target, "one class index per row, [.., 1]");
  const index = counted(target, scope, mask);
  const chosen = sumFeatures(mul(logits, oneHot(index, logits.size)));
  return mean(sub(logSumExp(logits), validIndex(index, logits.size, chosen)), scope, mask);
};

/** −(y log p + (1 − y) log(1 − p)) with p = σ(logit), computed from logits so that neither logarithm overflows. */
export const binaryCrossEntropy: Loss = (logits, target, scope, mask) => {
  same("binaryCrossEntropy", logits, target);
  const truth = counted(target, scope, mask);
  return mean(add(sub(maximum(logits, 0), mul(logits, truth)), log(add(1, exp(neg(abs(logits)))))), scope, mask);
};

/** `value` where the index is one of 0 … size − 1, NaN elsewhere: a wrong class must not pass as a loss. */
function validIndex(index: Tensor, size: number, value: Tensor): Tensor {
  const valid = mul(equal(index, floor(index)), less(-1, index), less(index, size));
  return select(valid, value, Number.NaN);
}

/** The mean of the elements that count: within the lengths of the scope, and where the mask is not 0. */
function mean(loss: Tensor, scope: Scope, mask: Tensor | undefined): Tensor {
  const counts = countsOf(loss, scope, mask);
  if (counts === undefined) return div(sumAll(loss), countOf(loss));
  // Selected, not multiplied: what does not count may be NaN.
  const weights = broadcast(counts, loss.type);
  return div(sumAll(select(weights, loss, 0)), maximum(sumAll(weights), 1));
}

/**
 * The target, with 0 where it does not count: the gradient of the loss is 0 there, but 0 times a NaN that the target held
 * would still be NaN.
 */
function counted(target: Tensor, scope: Scope, mask: Tensor | undefined): Tensor {
  const counts = countsOf(target, scope, mask);
  return counts === undefined ? target : select(counts, target, 0);
}

/** 1 where an element of `of` counts and 0 elsewhere; undefined when all do. */
function countsOf(of: Tensor, scope: Scope, mask: Tensor | undefined): Tensor | undefined {
  const time = of.type.axes.find((axis: Axis) => scope.lengths(axis) !== undefined);
  const alive = time === undefined ? undefined : lengthMask(scope.lengths(time)!, time);
  return alive === undefined ? mask : mask === undefined ? alive : mul(alive, mask);
}

function countOf(loss: Tensor): Tensor {
  return sumAll(broadcast(loss.trace.literal(1), loss.type));
}

/** Features i, i + n, i + 2n, …: the i-th level of every target. */
function everyNth(x: Tensor, offset: number, step: number): Tensor {
  if (step === 1) return x;
  const pairs = x.trace.add({ kind: "reshape", x: x.id, shape: [x.size / step, step] });
  const column = x.trace.add({ kind: "slice", x: pairs.id, dim: 1, start: offset, size: 1 });
  return x.trace.add({ kind: "reshape", x: column.id, shape: [x.size / step] });
}

function same(loss: string, prediction: Tensor, target: Tensor): Tensor {
  if (!sameType(prediction.type, target.type))
    throw misfit(loss, prediction, `the target's shape ${formatType(target.type)}`);
  return prediction;
}

function misfit(loss: string, given: Tensor, expected: string): ShapeError {
  return new ShapeError({
    where: `${loss}: prediction`,
    given: formatType(given.type),
    expected,
    mend: "give the last layer as many outputs as there are targets",
  });
}
