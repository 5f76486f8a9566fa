/** Mixture density networks: several normal distributions for each target, and how much each counts. */
import {
  add,
  div,
  log,
  logSoftmax,
  logSumExp,
  mul,
  reshape,
  slice,
  softplus,
  square,
  sub,
} from "../../trace/operations.ts";
import type { Tensor } from "../../trace/tensor.ts";
import { counted, type Loss, mean, misfit } from "./loss.ts";

export interface Mixture {
  /** Each [.., size, components]; the weights as logarithms, normalised. */
  readonly logWeights: Tensor;
  readonly means: Tensor;
  readonly scales: Tensor;
}

/** Prediction [.., size · 3 · components]: for each target the logits, the means and the raw scales of its components. */
export function mixtureParameters(prediction: Tensor, size: number, components: number): Mixture {
  if (prediction.size !== size * 3 * components) {
    throw misfit(
      "mixtureDensity",
      prediction,
      `${size * 3 * components} features: logit, mean and scale of ${components} components for each of ${size} targets`,
    );
  }
  const all = reshape(prediction, size, 3 * components);
  return {
    logWeights: logSoftmax(slice(all, 0, components)),
    means: slice(all, components, components),
    scales: add(softplus(slice(all, 2 * components, components)), 1e-6),
  };
}

/** −log Σ_k π_k N(y; μ_k, σ_k), summed in logarithms (Bishop 1994). Nats per target. */
export function mixtureDensity(components: number): Loss {
  return (prediction, target, scope, mask) => {
    const { logWeights, means, scales } = mixtureParameters(prediction, target.size, components);
    const truth = reshape(counted(target, scope, mask), target.size, 1);
    const errors = div(sub(truth, means), scales);
    const logs = sub(logWeights, add(log(scales), mul(0.5, square(errors)), 0.5 * Math.log(2 * Math.PI)));
    return mean(mul(-1, reshape(logSumExp(logs), target.size)), scope, mask);
  };
}
