/** Variational recurrent dropout: one mask for a whole sequence on what enters the recurrent products. */
import { OptionError } from "../base/errors.ts";
import type { Cell } from "../trace/cell.ts";
import { less, mul, named, random, select } from "../trace/operations.ts";
import { Tensor } from "../trace/tensor.ts";
import { lstm } from "./lstm.ts";

/**
 * A cell whose recurrent products lose units while training: wherever a weight R multiplies a vector v (h, or r ⊙ h),
 *
 *     R·(m ⊙ v),    m = 0 with probability rate, else 1 / (1 − rate)
 *
 * and nowhere else: what a gate passes on of h stays whole. Each row has a mask of its own, which all gates share and which holds for
 * every timestep of a call; layers and directions draw their own. `variationalDropout` is its twin for the input.
 * Source: Gal and Ghahramani 2016, arXiv:1512.05287, eq. 7 (tied weights). Deviations: masks are scaled while training, so that prediction
 * needs no change.
 * @throws OptionError unless 0 ≤ rate < 1, and, where it is traced, for a cell that multiplies nothing by a matrix R.
 */
export function recurrentDropout(cell: Cell, rate: number, name = `${cell.name}-recurrent-dropout`): Cell {
  if (!(rate >= 0 && rate < 1)) {
    throw new OptionError({
      where: `recurrentDropout of ${cell.name}: rate`,
      given: String(rate),
      expected: "at least 0 and below 1",
      mend: "0.25 to 0.5 are the paper's",
    });
  }
  return {
    ...cell,
    name,
    bind(scope, sizes, initialize) {
      if (rate === 0 || !scope.training) return cell.bind(scope, sizes, initialize);
      const stream = scope.nextStream();
      let products = 0;
      const masked = (vector: Tensor) => {
        products++;
        // Drawn where the seed stands, outside the scan: once for all timesteps.
        const mask = select(less(random(scope.seed, stream, vector.type), rate), 0, 1 / (1 - rate));
        return named("v°", mul(mask, vector));
      };
      const dropping = scope.reading((weight, parameter) =>
        parameter.startsWith("R.") ? new Tensor(weight.trace, weight.id, masked) : weight,
      );
      const step = cell.bind(dropping, sizes, initialize);
      return (x, states) => {
        const next = step(x, states);
        if (products > 0) return next;
        throw new OptionError({
          where: `recurrentDropout of ${cell.name}: cell`,
          given: "no product of a matrix R with a vector",
          expected: "a cell with products R·h",
          mend: "wrap lstm or gru, or use zoneout, which suits any cell whose output is a state",
        });
      };
    },
  };
}

/** A quarter of what enters the recurrent products dropped. */
export const lstmRecurrentDropout: Cell = recurrentDropout(lstm, 0.25);
