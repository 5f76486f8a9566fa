/** Gradient descent: plain, with momentum, averaged; and by the sign of the gradient. */
import { add, exp, log, mul, sign, sub } from "../../trace/operations.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 * Gradient descent, with momentum if asked for (Polyak 1964; Nesterov as in Sutskever et al. 2013, in PyTorch's form):
 *
 *     v ← μ v + g;   w ← w − η v   (Nesterov: w ← w − η (g + μ v))
 */
export function sgd({
  momentum = 0,
  nesterov = false,
}: {
  readonly momentum?: number;
  readonly nesterov?: boolean;
} = {}): Optimizer {
  return {
    name: "sgd",
    settings: { momentum, nesterov },
    accumulators: momentum === 0 ? [] : ["velocity"],
    scalars: () => ({}),
    update(weight, gradient, { velocity }, { learningRate }) {
      if (velocity === undefined) return { weight: sub(weight, mul(learningRate, gradient)), accumulators: {} };
      const next = add(mul(momentum, velocity), gradient);
      const direction = nesterov ? add(gradient, mul(momentum, next)) : next;
      return { weight: sub(weight, mul(learningRate, direction)), accumulators: { velocity: next } };
    },
  };
}

export interface AveragedSgdOptions {
  /** Decay λ of the weights and of the rate. Default 1e-4. */
  readonly decay?: number;
  /** Power α of the falling rate. Default 0.75. */
  readonly power?: number;
  /** Steps before averaging begins; until then the average is the weight itself. Default 1e6. */
  readonly averageFrom?: number;
}

/**
 * Averaged gradient descent (Polyak and Juditsky 1992), in PyTorch's form (Bottou's schedule):
 *
 *     η_t = η / (1 + λ η (t − 1))^α;   w ← (1 − λ η_t) w − η_t g;   a ← a + (w − a) / max(1, t − 1 − averageFrom)
 *
 * Validation and the weights kept are the average a. In the form of Merity et al. 2017 (NT-ASGD) λ is 0.
 */
export function averagedSgd({ decay = 1e-4, power = 0.75, averageFrom = 1e6 }: AveragedSgdOptions = {}): Optimizer {
  return {
    name: "averagedSgd",
    settings: { decay, power, averageFrom },
    accumulators: ["average"],
    evaluated: "average",
    scalars: (step) => ({ taken: step - 1, share: 1 / Math.max(1, step - 1 - averageFrom) }),
    update(weight, gradient, accumulators, { learningRate, scalars }) {
      const slowed = log(add(1, mul(decay, learningRate, scalars["taken"]!)));
      const rate = mul(learningRate, exp(mul(-power, slowed)));
      const next = sub(mul(weight, sub(1, mul(decay, rate))), mul(rate, gradient));
      const old = accumulators["average"]!;
      return { weight: next, accumulators: { average: add(old, mul(sub(next, old), scalars["share"]!)) } };
    },
  };
}

export interface LionOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly weightDecay?: number;
}

/**
 * Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2); rates are three to ten times smaller than Adam's:
 *
 *     u = sign(β₁ m + (1 − β₁) g);   w ← w − η (u + decay · w);   m ← β₂ m + (1 − β₂) g
 */
export function lion({ beta1 = 0.9, beta2 = 0.99, weightDecay = 0 }: LionOptions = {}): Optimizer {
  return {
    name: "lion",
    settings: { beta1, beta2, weightDecay },
    accumulators: ["mean"],
    scalars: () => ({}),
    update(weight, gradient, accumulators, { learningRate }) {
      const mean = accumulators["mean"]!;
      const direction = sign(add(mul(beta1, mean), mul(1 - beta1, gradient)));
      const change = weightDecay === 0 ? direction : add(direction, mul(weightDecay, weight));
      return {
        weight: sub(weight, mul(learningRate, change)),
        accumulators: { mean: add(mul(beta2, mean), mul(1 - beta2, gradient)) },
      };
    },
  };
}
