/** Dropout (Srivastava et al. 2014), inverted: survivors are scaled up, so prediction needs no change. */
import { OptionError } from "../base/errors.ts";
import { less, mul, random, select } from "../trace/operations.ts";
import type { Layer } from "./layer.ts";

/**
 * Sets each feature to 0 with probability `rate` while training. The mask is a function of (seed, step of training, row,
 * timestep, feature), never of call order.
 * @throws OptionError unless 0 ≤ rate < 1.
 */
export function dropout(rate: number): Layer {
  if (!(rate >= 0 && rate < 1)) {
    throw new OptionError({
      where: "dropout: rate",
      given: String(rate),
      expected: "at least 0 and below 1",
      mend: "0.1 to 0.5 are usual",
    });
  }
  return {
    name: "dropout",
    apply(x, scope) {
      if (!scope.training || rate === 0) return x;
      const dropped = less(random(scope.seed, scope.nextStream(), x.type), rate);
      return select(dropped, 0, mul(x, 1 / (1 - rate)));
    },
  };
}
