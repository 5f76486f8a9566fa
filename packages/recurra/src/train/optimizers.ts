/** Optimizers as equations: they are traced into the training step and fused like everything else. */
import { add, div, maximum, minimum, mul, sqrt, sub } from "../trace/operations.ts";
import type { Tensor } from "../trace/tensor.ts";

/** What one update reads besides gradient and weight. */
export interface UpdateInputs {
  readonly learningRate: Tensor;
  /** The optimizer's own numbers for this step, from `scalars`. */
  readonly scalars: Readonly<Record<string, Tensor>>;
}

export interface Optimizer {
  readonly name: string;
  readonly settings: Readonly<Record<string, number | boolean>>;
  /** Accumulators kept for each weight, of its shape, starting at 0. */
  readonly accumulators: readonly string[];
  /** Numbers of step 1, 2, 3, … computed outside in float64. */
  readonly scalars: (step: number) => Readonly<Record<string, number>>;
  readonly update: (
    weight: Tensor,
    gradient: Tensor,
    accumulators: Readonly<Record<string, Tensor>>,
    inputs: UpdateInputs,
  ) => { readonly weight: Tensor; readonly accumulators: Readonly<Record<string, Tensor>> };
}

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
  return adamFamily("adam", options, 0);
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019): w shrinks by η · decay · w at each step. */
export function adamW({
  weightDecay = 0.01,
  ...options
}: AdamOptions & { readonly weightDecay?: number } = {}): Optimizer {
  return adamFamily("adamW", options, weightDecay);
}

function adamFamily(
  name: string,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions,
  weightDecay: number,
): Optimizer {
  return {
    name,
    settings: { beta1, beta2, epsilon, weightDecay },
    accumulators: ["mean", "square"],
    // In float32 1 − 0.999ᵗ would lose half its digits.
    scalars: (step) => ({ meanScale: 1 / (1 - beta1 ** step), squareScale: 1 / (1 - beta2 ** step) }),
    update(weight, gradient, accumulators, { learningRate, scalars }) {
      const mean = add(mul(beta1, accumulators["mean"]!), mul(1 - beta1, gradient));
      const square = add(mul(beta2, accumulators["square"]!), mul(1 - beta2, gradient, gradient));
      const step = div(mul(mean, scalars["meanScale"]!), add(sqrt(mul(square, scalars["squareScale"]!)), epsilon));
      const decayed = weightDecay === 0 ? weight : mul(weight, sub(1, mul(learningRate, weightDecay)));
      return { weight: sub(decayed, mul(learningRate, step)), accumulators: { mean, square } };
    },
  };
}

export interface Clipping {
  /** Largest norm of the whole gradient; a longer one is scaled down (Pascanu et al. 2013). */
  readonly norm?: number;
  /** Largest absolute value of each element. */
  readonly value?: number;
}

/** Clips each gradient; `norm` is the norm of the whole before clipping. */
export function clip(
  gradients: readonly Tensor[],
  norm: Tensor,
  { norm: largest, value }: Clipping,
): readonly Tensor[] {
  const scale = largest === undefined ? undefined : minimum(1, div(largest, add(norm, 1e-6)));
  return gradients.map((gradient) => {
    const scaled = scale === undefined ? gradient : mul(gradient, scale);
    return value === undefined ? scaled : maximum(minimum(scaled, value), -value);
  });
}
