/** Dropout (Srivastava et al. 2014), inverted: survivors are scaled up, so prediction needs no change. */
import { OptionError } from "../base/errors.ts";
import type { Axis, TensorType } from "../base/shapes.ts";
import { less, mul, random, select } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import type { Layer } from "./layer.ts";

/**
 * Sets each feature to 0 with probability `rate` while training. The mask is a function of (seed, step of training, row,
 * timestep, feature), never of call order.
 * @throws OptionError unless 0 ≤ rate < 1.
 */
export function dropout(rate: number): Layer {
  // The seed as seen from x: in the step of a scan every step draws anew.
  return masked("dropout", rate, (x, seed) => ({ seed: x.trace.adopt(seed), type: x.type }));
}

/**
 * Variational dropout of a sequence (Gal and Ghahramani 2016, arXiv:1512.05287): one mask for all timesteps of a row. Between
 * layers, before the first or behind the last.
 * @throws OptionError unless 0 ≤ rate < 1.
 */
export function variationalDropout(rate: number, axis: Axis = "time"): Layer {
  return masked("variationalDropout", rate, (x, seed) => ({
    seed,
    type: { axes: x.type.axes.filter((other) => other !== axis), shape: x.type.shape },
  }));
}

/** 0 with probability `rate`, else 1 / (1 − rate): a factor of the given type. Draws a stream of its own from the scope. */
export function dropoutMask(scope: Scope, rate: number, type: TensorType): Tensor {
  const dropped = less(random(scope.seed, scope.nextStream(), type), rate);
  return select(dropped, 0, 1 / (1 - rate));
}

/** @throws OptionError unless 0 ≤ rate < 1. */
export function checkRate(where: string, rate: number): void {
  if (rate >= 0 && rate < 1) return;
  throw new OptionError({
    where: `${where}: rate`,
    given: String(rate),
    expected: "at least 0 and below 1",
    mend: "0.1 to 0.5 are usual",
  });
}

type Mask = (x: Tensor, seed: Tensor) => { readonly seed: Tensor; readonly type: TensorType };

function masked(name: string, rate: number, maskOf: Mask): Layer {
  checkRate(name, rate);
  return {
    name,
    apply(x, scope) {
      if (rate === 0 || !scope.training) return x;
      const { seed, type } = maskOf(x, scope.seed);
      const dropped = less(random(seed, scope.nextStream(), type), rate);
      return select(dropped, 0, mul(x, 1 / (1 - rate)));
    },
  };
}
