/** Optimizers that give each weight a rate of its own from the squares of its gradients alone. */
import { add, div, mul, sqrt, square, sub } from "../../trace/operations.ts";
import type { Optimizer } from "./optimizer.ts";

export interface RmsPropOptions {
  /** Decay α of the mean square. Default 0.99. */
  readonly decay?: number;
  readonly epsilon?: number;
  readonly momentum?: number;
  /** Divide by the deviation instead of the root mean square (Graves 2013). Default false. */
  readonly centered?: boolean;
}

/**
 * RMSProp (Tieleman and Hinton 2012), in PyTorch's form:
 *
 *     v ← α v + (1 − α) g²;   w ← w − η g / (√v + ε)
 *
 * centred: √(v − m²) with m ← α m + (1 − α) g; with momentum: b ← μ b + g / (…), w ← w − η b.
 */
export function rmsProp({
  decay = 0.99,
  epsilon = 1e-8,
  momentum = 0,
  centered = false,
}: RmsPropOptions = {}): Optimizer {
  return {
    name: "rmsProp",
    settings: { decay, epsilon, momentum, centered },
    accumulators: ["square", ...(centered ? ["mean"] : []), ...(momentum === 0 ? [] : ["velocity"])],
    scalars: () => ({}),
    update(weight, gradient, { square: oldSquare, mean: oldMean, velocity: oldVelocity }, { learningRate }) {
      const squares = add(mul(decay, oldSquare!), mul(1 - decay, square(gradient)));
      const mean = oldMean === undefined ? undefined : add(mul(decay, oldMean), mul(1 - decay, gradient));
      const spread = mean === undefined ? squares : sub(squares, square(mean));
      const direction = div(gradient, add(sqrt(spread), epsilon));
      const velocity = oldVelocity === undefined ? undefined : add(mul(momentum, oldVelocity), direction);
      return {
        weight: sub(weight, mul(learningRate, velocity ?? direction)),
        accumulators: {
          square: squares,
          ...(mean === undefined ? {} : { mean }),
          ...(velocity === undefined ? {} : { velocity }),
        },
      };
    },
  };
}

/** Adagrad (Duchi et al. 2011): v ← v + g²;  w ← w − η g / (√v + ε). */
export function adagrad({ epsilon = 1e-10 }: { readonly epsilon?: number } = {}): Optimizer {
  return {
    name: "adagrad",
    settings: { epsilon },
    accumulators: ["square"],
    scalars: () => ({}),
    update(weight, gradient, accumulators, { learningRate }) {
      const squares = add(accumulators["square"]!, square(gradient));
      const step = div(gradient, add(sqrt(squares), epsilon));
      return { weight: sub(weight, mul(learningRate, step)), accumulators: { square: squares } };
    },
  };
}

/**
 * Adadelta (Zeiler 2012, arXiv:1212.5701); the usual rate is 1:
 *
 *     v ← ρ v + (1 − ρ) g²;   δ = √(d + ε) / √(v + ε) · g;   d ← ρ d + (1 − ρ) δ²;   w ← w − η δ
 */
export function adadelta({
  decay = 0.9,
  epsilon = 1e-6,
}: {
  /** ρ. Default 0.9. */
  readonly decay?: number;
  readonly epsilon?: number;
} = {}): Optimizer {
  return {
    name: "adadelta",
    settings: { decay, epsilon },
    accumulators: ["square", "change"],
    scalars: () => ({}),
    update(weight, gradient, accumulators, { learningRate }) {
      const squares = add(mul(decay, accumulators["square"]!), mul(1 - decay, square(gradient)));
      const ratio = div(sqrt(add(accumulators["change"]!, epsilon)), sqrt(add(squares, epsilon)));
      const step = mul(ratio, gradient);
      return {
        weight: sub(weight, mul(learningRate, step)),
        accumulators: {
          square: squares,
          change: add(mul(decay, accumulators["change"]!), mul(1 - decay, square(step))),
        },
      };
    },
  };
}
