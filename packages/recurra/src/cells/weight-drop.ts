/** Weight-dropped recurrence: DropConnect on the recurrent matrices. */
import { OptionError } from "../base/errors.ts";
import type { Cell } from "../trace/cell.ts";
import { less, mul, named, random, select } from "../trace/operations.ts";
import { lstm } from "./lstm.ts";

/**
 * A cell whose recurrent weights are dropped while training: each element of every R is 0 with probability `rate`, else divided by
 * 1 − rate. One mask holds for all timesteps and rows of a call, so that what is dropped stays dropped.
 *
 *     R° = mask ⊙ R / (1 − rate)
 *
 * Source: Merity et al. 2018, arXiv:1708.02182. Deviations: one mask for all rows of a batch, as in the authors' code.
 * @throws OptionError unless 0 ≤ rate < 1.
 */
export function weightDrop(cell: Cell, rate: number, name = `${cell.name}-weight-drop`): Cell {
  if (!(rate >= 0 && rate < 1)) {
    throw new OptionError({
      where: `weightDrop of ${cell.name}: rate`,
      given: String(rate),
      expected: "at least 0 and below 1",
      mend: "0.5 is the paper's",
    });
  }
  return {
    ...cell,
    name,
    bind(scope, sizes, initialize) {
      const dropping = scope.reading((weight, parameter) => {
        if (rate === 0 || !parameter.startsWith("R.") || !scope.training) return weight;
        const dropped = less(random(scope.seed, scope.nextStream(), weight.type), rate);
        return named(`${parameter.replace(".", "°_")}`, select(dropped, 0, mul(weight, 1 / (1 - rate))));
      });
      return cell.bind(dropping, sizes, initialize);
    },
  };
}

/** Half of the recurrent weights dropped, as in the paper. */
export const lstmWeightDrop: Cell = weightDrop(lstm, 0.5);
