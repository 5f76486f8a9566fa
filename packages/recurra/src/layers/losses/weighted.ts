/** Losses over classes that are not all alike: weights per class, label smoothing, focus on what is hard. */
import { OptionError } from "../../base/errors.ts";
import {
  add,
  broadcast,
  div,
  exp,
  logSumExp,
  mul,
  neg,
  oneHot,
  select,
  softplus,
  sub,
  sumAll,
  sumFeatures,
} from "../../trace/operations.ts";
import type { Tensor } from "../../trace/tensor.ts";
import { constants, counted, countsOf, type Loss, mean, misfit, orOne, same, validIndex } from "./loss.ts";

export interface ClassOptions {
  /** One weight for each class; rare classes get larger ones. Default: 1 for all. */
  readonly classWeights?: readonly number[];
  /** The share ε of the target that is spread evenly over all classes (Szegedy et al. 2016). Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * Cross-entropy with weights per class and label smoothing, as PyTorch's: with w the weights, y the class and K classes
 *
 *     Σ [(1 − ε) · w_y (−log p_y) + ε/K · Σ_c w_c (−log p_c)] / Σ w_y
 *
 * Logits [.., classes]; target [.., 1] as in `crossEntropy`. @throws OptionError for ε outside [0, 1) or another number of weights.
 */
export function weightedCrossEntropy({ classWeights, labelSmoothing = 0 }: ClassOptions): Loss {
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new OptionError({
      where: "weightedCrossEntropy: labelSmoothing",
      given: String(labelSmoothing),
      expected: "at least 0 and below 1",
      mend: "0.1 is usual",
    });
  }
  return (logits, target, scope, mask) => {
    const { index, hot } = classesOf("weightedCrossEntropy", logits, counted(target, scope, mask));
    const weights = weightsOf("weightedCrossEntropy", logits, classWeights);
    const surprise = sub(logSumExp(logits), logits);
    const chosen = validIndex(index, logits.size, sumFeatures(mul(surprise, hot)));
    const weight = weights === undefined ? undefined : sumFeatures(mul(weights, hot));
    const own = weight === undefined ? chosen : mul(weight, chosen);
    const spread = sumFeatures(weights === undefined ? surprise : mul(weights, surprise));
    const loss =
      labelSmoothing === 0 ? own : add(mul(1 - labelSmoothing, own), mul(labelSmoothing / logits.size, spread));
    if (weight === undefined) return mean(loss, scope, mask);
    const counts = countsOf(loss, scope, mask) ?? logits.trace.literal(1);
    const shares = broadcast(counts, loss.type);
    return div(sumAll(mul(select(shares, loss, 0), shares)), orOne(sumAll(mul(weight, shares))));
  };
}

export interface FocalOptions {
  /** γ: 0 is cross-entropy. Default 2. */
  readonly focus?: number;
  readonly classWeights?: readonly number[];
}

/**
 * Focal loss over classes (Lin et al. 2017, arXiv:1708.02002): −w_y (1 − p_y)^γ log p_y. The power is taken of 1 − p_y in
 * logarithms, from the other classes alone, so that nothing cancels where p_y is nearly 1. The mean is over what counts.
 */
export function focal({ focus = 2, classWeights }: FocalOptions = {}): Loss {
  return (logits, target, scope, mask) => {
    const { index, hot } = classesOf("focal", logits, counted(target, scope, mask));
    const weights = weightsOf("focal", logits, classWeights);
    const whole = logSumExp(logits);
    // −1e30 stands for log 0: infinities would become NaN in the shift of the sum.
    const others = sub(logSumExp(select(hot, -1e30, logits)), whole);
    const surprise = sub(whole, sumFeatures(mul(logits, hot)));
    const loss = mul(exp(mul(focus, others)), surprise);
    const weighted = weights === undefined ? loss : mul(loss, sumFeatures(mul(weights, hot)));
    return mean(validIndex(index, logits.size, weighted), scope, mask);
  };
}

/** Focal loss of yes-or-no targets, 1 or 0, from logits: −(1 − p_t)^γ log p_t with p_t the probability of what is true. */
export function binaryFocal({ focus = 2 }: { readonly focus?: number } = {}): Loss {
  return (logits, target, scope, mask) => {
    same("binaryFocal", logits, target);
    const truth = counted(target, scope, mask);
    const towards = mul(logits, sub(mul(2, truth), 1));
    return mean(mul(exp(mul(-focus, softplus(towards))), softplus(neg(towards))), scope, mask);
  };
}

function classesOf(loss: string, logits: Tensor, index: Tensor): { readonly index: Tensor; readonly hot: Tensor } {
  if (index.size !== 1) throw misfit(loss, index, "one class index per row, [.., 1]");
  return { index, hot: oneHot(index, logits.size) };
}

function weightsOf(loss: string, logits: Tensor, weights: readonly number[] | undefined): Tensor | undefined {
  if (weights === undefined) return undefined;
  if (weights.length === logits.size && weights.every((weight) => weight >= 0)) return constants(logits, weights);
  throw new OptionError({
    where: `${loss}: classWeights`,
    given: weights.length === logits.size ? weights.join(", ") : `${weights.length} numbers`,
    expected: `${logits.size} numbers that are not negative`,
    mend: "give one weight for each class",
  });
}
