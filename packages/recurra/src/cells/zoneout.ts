/** Zoneout: dropout that keeps a unit's last value instead of setting it to 0. */
import { OptionError } from "../base/errors.ts";
import type { Cell } from "../trace/cell.ts";
import { add, less, mul, named, random, select } from "../trace/operations.ts";
import { lstm } from "./lstm.ts";

/** The probability that a unit of a state keeps its value, by state. States without one always change. */
export type ZoneoutRates = Readonly<Record<string, number>>;

/**
 * A cell whose states are zoned out: for each unit s of a state, with s° its value after a step of `cell`,
 *
 *     s′ = s with probability rate, else s°          while training
 *     s′ = rate · s + (1 − rate) · s°                at prediction: the expectation
 *
 * Every unit, row and timestep draws anew, as a function of seed and position.
 * Source: Krueger et al. 2017, arXiv:1606.01305. Deviations: none.
 * @throws OptionError for a state that the cell lacks, for a rate that is not at least 0 and at most 1, and for a cell whose
 * output is no state.
 */
export function zoneout(cell: Cell, rates: ZoneoutRates, name = `${cell.name}-zoneout`): Cell {
  for (const [state, rate] of Object.entries(rates)) {
    if (cell.states.includes(state) && rate >= 0 && rate <= 1) continue;
    throw new OptionError({
      where: `zoneout of ${cell.name}: ${state}`,
      given: String(rate),
      expected: `a rate from 0 to 1 for one of the states ${cell.states.join(", ")}`,
      mend: "0.05 for h and 0.5 for c are the paper's",
    });
  }
  if (!cell.states.includes(cell.output)) {
    throw new OptionError({
      where: `zoneout of ${cell.name}: output`,
      given: cell.output,
      expected: `one of the states ${cell.states.join(", ")}`,
      mend: "zone out a cell whose output is a state",
    });
  }
  return {
    ...cell,
    name,
    bind(scope, sizes, initialize) {
      const step = cell.bind(scope, sizes, initialize);
      const streams = Object.fromEntries(Object.keys(rates).map((state) => [state, scope.nextStream()]));
      return (x, states) => {
        const next = { ...step(x, states) };
        for (const [state, rate] of Object.entries(rates)) {
          const [before, after] = [states[state]!, named(`${state}°`, next[state]!)];
          next[state] = scope.training
            ? select(less(random(after.trace.adopt(scope.seed), streams[state]!, after.type), rate), before, after)
            : add(mul(rate, before), mul(1 - rate, after));
        }
        return next;
      };
    },
  };
}

/** The paper's rates for characters: 0.05 of h, 0.5 of c. */
export const lstmZoneout: Cell = zoneout(lstm, { h: 0.05, c: 0.5 });
