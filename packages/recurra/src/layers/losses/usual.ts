/** The usual losses of regression and classification. */
import {
  abs,
  add,
  div,
  exp,
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
  sumFeatures,
} from "../../trace/operations.ts";
import { counted, everyNth, type Loss, mean, misfit, same, validIndex } from "./loss.ts";

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
