/** Skip RNN: a cell that learns which timesteps to leave out. */
import { OptionError } from "../base/errors.ts";
import type { Cell, CellSizes } from "../trace/cell.ts";
import {
  add,
  broadcast,
  div,
  less,
  matmul,
  minimum,
  mul,
  named,
  sigmoid,
  straightThrough,
  sub,
  sumAll,
} from "../trace/operations.ts";
import type { Tensor } from "../trace/tensor.ts";
import { gru } from "./gru.ts";
import { lstm } from "./lstm.ts";

/**
 * A cell that copies its state over the timesteps it skips. With S a step of `cell`, s its states and v what is missing to an
 * update (1 minus the paper's ũ, so that it starts at 0 and the first step is never skipped):
 *
 *     u  = 1 where 1 − v > ½, else 0; its gradient is passed on to 1 − v
 *     s′ = u·S(x, s) + (1 − u)·s
 *     d  = σ(w·h′ + e)
 *     v′ = u·(1 − d) + (1 − u)·(v − min(d, v))
 *
 * h is the cell's output. The step's result `u` [batch, 1] tells whether it was used: `updateBudget` makes a cost of it.
 * Source: Campos et al. 2018, arXiv:1708.06834. Deviations: d is read from the output, also of an LSTM.
 * @throws OptionError for a cell whose output is no state.
 */
export function skipping(cell: Cell, name = `skip-${cell.name}`): Cell {
  if (!cell.states.includes(cell.output)) {
    throw new OptionError({
      where: `skipping of ${cell.name}: output`,
      given: cell.output,
      expected: `one of the states ${cell.states.join(", ")}`,
      mend: "skip steps of a cell whose output is a state",
    });
  }
  return {
    name,
    states: [...cell.states, "v"],
    results: [...cell.results, "u"],
    output: cell.output,
    initialize: cell.initialize,
    stateSize: (state, sizes) => (state === "v" ? 1 : cell.stateSize(state, sizes)),
    bind(scope, sizes: CellSizes, initialize) {
      const step = cell.bind(scope, sizes, initialize);
      const size = cell.stateSize(cell.output, sizes);
      const w = scope.param("w", [1, size], initialize?.["w"] ?? "xavierUniform");
      const e = scope.param("e", [1], initialize?.["e"] ?? "ones");
      return (x, states) => {
        const v = states["v"]!;
        const ready = sub(1, v);
        const u = named("u", straightThrough(ready, less(0.5, ready)));
        const stepped = step(x, states);
        const next: Record<string, Tensor> = { ...stepped, u };
        for (const state of cell.states)
          next[state] = add(mul(u, named(`${state}°`, stepped[state]!)), mul(sub(1, u), states[state]!));
        const d = named("d", sigmoid(add(matmul(w, next[cell.output]!), e)));
        next["v"] = add(mul(u, sub(1, d)), mul(sub(1, u), sub(v, minimum(d, v))));
        return next;
      };
    },
  };
}

/**
 * The paper's budget loss: `weight` for each timestep that was used, summed over time, averaged over rows. `updates` is the result
 * `u` of a layer, [batch, time, 1]; padding counts as skipped. Add it to the loss of the task.
 */
export function updateBudget(updates: Tensor, weight: number): Tensor {
  const rows = updates.type.axes.filter((axis) => axis === "batch");
  const count = sumAll(broadcast(updates.trace.literal(1), { axes: rows, shape: [1] }));
  return div(mul(weight, sumAll(updates)), count);
}

export const skipGru: Cell = skipping(gru);
export const skipLstm: Cell = skipping(lstm);
