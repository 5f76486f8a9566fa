/** Adam and its relatives. */
import { add, div, maximum, mul, sqrt, sub } from "../../trace/operations.ts";
import type { Tensor } from "../../trace/tensor.ts";
import type { Optimizer } from "./optimizer.ts";

export interface AdamOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/**
 * Adam (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1):
 *
 *     m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²
 *     w ← w − η · m̂ / (√v̂ + ε)   with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamFamily("adam", options, {});
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019): w shrinks by η · decay · w at each step. */
export function adamW({
  weightDecay = 0.01,
  ...options
}: AdamOptions & { readonly weightDecay?: number } = {}): Optimizer {
  return adamFamily("adamW", options, { weightDecay });
}

/** Adam that divides by the largest v so far (Reddi et al. 2018, arXiv:1904.09237), in PyTorch's form: the largest before bias correction. */
export function amsGrad(options: AdamOptions = {}): Optimizer {
  return adamFamily("amsGrad", options, { keepLargest: true });
}

function adamFamily(
  name: string,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions,
  { weightDecay = 0, keepLargest = false }: { readonly weightDecay?: number; readonly keepLargest?: boolean },
): Optimizer {
  return {
    name,
    settings: { beta1, beta2, epsilon, weightDecay },
    accumulators: ["mean", "square", ...(keepLargest ? ["largest"] : [])],
    // In float32 1 − 0.999ᵗ would lose half its digits.
    scalars: (step) => ({ meanScale: 1 / (1 - beta1 ** step), squareScale: 1 / (1 - beta2 ** step) }),
    update(weight, gradient, accumulators, { learningRate, scalars }) {
      const { mean, square } = moments(gradient, accumulators, beta1, beta2);
      const largest = keepLargest ? maximum(accumulators["largest"]!, square) : undefined;
      const divisor = add(sqrt(mul(largest ?? square, scalars["squareScale"]!)), epsilon);
      const step = div(mul(mean, scalars["meanScale"]!), divisor);
      const decayed = weightDecay === 0 ? weight : mul(weight, sub(1, mul(learningRate, weightDecay)));
      return {
        weight: sub(decayed, mul(learningRate, step)),
        accumulators: { mean, square, ...(largest === undefined ? {} : { largest }) },
      };
    },
  };
}

/**
 * Adam with Nesterov momentum (Dozat 2016), in the form of PyTorch 2:
 *
 *     μ_t = β₁ (1 − ½ · 0.96^(t ψ));   P_t = μ₁ μ₂ … μ_t
 *     w ← w − η (μ_{t+1} m / (1 − P_{t+1}) + (1 − μ_t) g / (1 − P_t)) / (√v̂ + ε)
 */
export function nAdam({
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
  momentumDecay = 4e-3,
}: AdamOptions & { readonly momentumDecay?: number } = {}): Optimizer {
  const momentum = (step: number) => beta1 * (1 - 0.5 * 0.96 ** (step * momentumDecay));
  return {
    name: "nAdam",
    settings: { beta1, beta2, epsilon, momentumDecay },
    accumulators: ["mean", "square"],
    scalars(step) {
      let product = 1;
      // Below 1e-30 the product no longer moves 1 − product, and the loop stays short however long the run.
      for (let t = 1; t <= step && product > 1e-30; t++) product *= momentum(t);
      const next = momentum(step + 1);
      return {
        gradientScale: (1 - momentum(step)) / (1 - product),
        meanScale: next / (1 - product * next),
        squareScale: 1 / (1 - beta2 ** step),
      };
    },
    update(weight, gradient, accumulators, { learningRate, scalars }) {
      const { mean, square } = moments(gradient, accumulators, beta1, beta2);
      const divisor = add(sqrt(mul(square, scalars["squareScale"]!)), epsilon);
      const direction = add(mul(scalars["meanScale"]!, mean), mul(scalars["gradientScale"]!, gradient));
      return { weight: sub(weight, mul(learningRate, div(direction, divisor))), accumulators: { mean, square } };
    },
  };
}

function moments(
  gradient: Tensor,
  accumulators: Readonly<Record<string, Tensor>>,
  beta1: number,
  beta2: number,
): { readonly mean: Tensor; readonly square: Tensor } {
  return {
    mean: add(mul(beta1, accumulators["mean"]!), mul(1 - beta1, gradient)),
    square: add(mul(beta2, accumulators["square"]!), mul(1 - beta2, gradient, gradient)),
  };
}
