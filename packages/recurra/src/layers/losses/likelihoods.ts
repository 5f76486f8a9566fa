/**
 * Negative log-likelihoods, nats per target: what a network predicts is the parameters of a distribution. They lie side by side
 * for each target, [.., size · parameters]; positive ones are made so by softplus, log(1 + eˣ). A function beside each loss gives
 * the parameters themselves, for predictions.
 */
import { add, div, exp, log, mul, softplus, square, sub } from "../../trace/operations.ts";
import type { Tensor } from "../../trace/tensor.ts";
import { logGamma } from "./gamma.ts";
import { counted, type Loss, mean, parametersOf, same } from "./loss.ts";

/** Smallest scale: a likelihood without it rises without bound where a target is hit exactly. */
const smallestScale = 1e-6;

export interface Gaussian {
  readonly mean: Tensor;
  /** Standard deviation. */
  readonly scale: Tensor;
}

/** Prediction [.., 2 · size]: mean and raw scale of each target. */
export function gaussianParameters(prediction: Tensor, size: number): Gaussian {
  const [center, raw] = parametersOf("gaussian", prediction, size, ["mean", "scale"]);
  return { mean: center!, scale: positive(raw!) };
}

/** −log N(y; μ, σ) = log σ + ½ ((y − μ)/σ)² + ½ log 2π. */
export const gaussian: Loss = (prediction, target, scope, mask) => {
  const { mean: center, scale } = gaussianParameters(prediction, target.size);
  const error = div(sub(counted(target, scope, mask), center), scale);
  return mean(add(log(scale), mul(0.5, square(error)), 0.5 * Math.log(2 * Math.PI)), scope, mask);
};

export interface StudentT extends Gaussian {
  /** Degrees of freedom ν, above 2, so that the variance exists. */
  readonly freedom: Tensor;
}

/** Prediction [.., 3 · size]: mean, raw scale and raw degrees of freedom of each target. */
export function studentTParameters(prediction: Tensor, size: number): StudentT {
  const [center, raw, freedom] = parametersOf("studentT", prediction, size, ["mean", "scale", "degrees of freedom"]);
  return { mean: center!, scale: positive(raw!), freedom: add(2, softplus(freedom!)) };
}

/** −log t_ν((y − μ)/σ) = log Γ(ν/2) − log Γ((ν+1)/2) + ½ log(πν) + log σ + (ν+1)/2 · log(1 + ((y − μ)/σ)²/ν). For heavy tails. */
export const studentT: Loss = (prediction, target, scope, mask) => {
  const { mean: center, scale, freedom } = studentTParameters(prediction, target.size);
  const error = div(sub(counted(target, scope, mask), center), scale);
  const half = mul(0.5, freedom);
  const constant = sub(logGamma(half), logGamma(add(half, 0.5)));
  const tail = mul(add(half, 0.5), log(add(1, div(square(error), freedom))));
  return mean(add(constant, mul(0.5, log(mul(Math.PI, freedom))), log(scale), tail), scope, mask);
};

/** −log Poisson(y; e^η) = e^η − y η + log Γ(y + 1): prediction [.., size] is η, the logarithm of the rate; targets are counts. */
export const poisson: Loss = (prediction, target, scope, mask) => {
  same("poisson", prediction, target);
  const count = counted(target, scope, mask);
  return mean(add(sub(exp(prediction), mul(count, prediction)), logGamma(add(count, 1))), scope, mask);
};

export interface NegativeBinomial {
  readonly mean: Tensor;
  /** α: the variance is μ + α μ². */
  readonly dispersion: Tensor;
}

/** Below this the distribution is a Poisson distribution to float32, and log Γ(1/α) would lose what is left. */
const smallestDispersion = 1e-3;

/** Prediction [.., 2 · size]: raw mean and raw dispersion of each target. */
export function negativeBinomialParameters(prediction: Tensor, size: number): NegativeBinomial {
  const [raw, dispersion] = parametersOf("negativeBinomial", prediction, size, ["mean", "dispersion"]);
  return { mean: positive(raw!), dispersion: add(softplus(dispersion!), smallestDispersion) };
}

/**
 * Counts that vary more than a Poisson distribution's (Salinas et al. 2020, DeepAR). With r = 1/α:
 *
 *     −log NB(y; μ, α) = log Γ(r) + log Γ(y + 1) − log Γ(y + r) + (r + y) log(1 + α μ) − y log(α μ)
 */
export const negativeBinomial: Loss = (prediction, target, scope, mask) => {
  const { mean: center, dispersion } = negativeBinomialParameters(prediction, target.size);
  const count = counted(target, scope, mask);
  const shape = div(1, dispersion);
  const scaled = mul(dispersion, center);
  const constant = sub(add(logGamma(shape), logGamma(add(count, 1))), logGamma(add(count, shape)));
  return mean(sub(add(constant, mul(add(shape, count), log(add(1, scaled)))), mul(count, log(scaled))), scope, mask);
};

function positive(raw: Tensor): Tensor {
  return add(softplus(raw), smallestScale);
}
