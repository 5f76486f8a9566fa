/**
 * Penalties: terms to add to a loss that keep weights or states small. They act in training only, so that the validation loss
 * is that of the task alone.
 */
import { type Axis, product } from "../base/shapes.ts";
import { abs, add, less, mul, positions, select, square, sub, sumAll, sumFeatures } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import { mean } from "./losses/loss.ts";

export interface WeightPenaltyOptions {
  /** Factor of Σ |w|. */
  readonly l1?: number;
  /** Factor of ½ Σ w²; its gradient is l2 · w. */
  readonly l2?: number;
  /** Which parameters count, by name. Default: matrices, so no biases. */
  readonly of?: (name: string, shape: readonly number[]) => boolean;
}

/** l1 Σ |w| + ½ l2 Σ w² over the parameters declared so far in the whole network: [1]. Call it in `loss`. */
export function weightPenalty(
  scope: Scope,
  { l1 = 0, l2 = 0, of = (_, shape) => shape.length > 1 && product(shape) > 1 }: WeightPenaltyOptions,
): Tensor {
  if (!scope.training) return scope.trace.literal(0);
  const terms = scope.parameters
    .filter(({ name, shape, trainable }) => trainable && of(name, shape))
    .flatMap(({ name, shape }) => {
      const weight = scope.trace.param(name, shape);
      return [
        ...(l1 === 0 ? [] : [mul(l1, sumAll(abs(weight)))]),
        ...(l2 === 0 ? [] : [mul(0.5 * l2, sumAll(square(weight)))]),
      ];
    });
  return terms.reduce((sum, term) => add(sum, term), scope.trace.literal(0));
}

/** α · mean h², over features, and over timesteps within the lengths of the scope (Merity et al. 2017, arXiv:1708.01009). */
export function activationPenalty(sequence: Tensor, scope: Scope, strength: number): Tensor {
  if (!scope.training) return scope.trace.literal(0);
  return mul(strength / sequence.size, mean(sumFeatures(square(sequence)), scope, undefined));
}

/**
 * β · mean (h_t − h_{t−1})²: states that change slowly (Merity et al. 2017). Deviation: the sum over neighbours is divided by the
 * number of timesteps, not of neighbours, which is what the loss itself is divided by.
 */
export function temporalActivationPenalty(
  sequence: Tensor,
  scope: Scope,
  strength: number,
  axis: Axis = "time",
): Tensor {
  if (!scope.training) return scope.trace.literal(0);
  const before = sequence.trace.add({ kind: "shift", x: sequence.id, axis, by: 1 });
  const change = sumFeatures(square(sub(sequence, before)));
  const isPair = less(0, positions(sequence, axis));
  return mul(strength / sequence.size, mean(select(isPair, change, 0), scope, undefined));
}
