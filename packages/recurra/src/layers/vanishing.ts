/** The penalty of Pascanu et al. 2013 that keeps gradients from vanishing, or exploding, on their way back through time. */
import { gradients } from "../autodiff/gradient.ts";
import type { Axis } from "../base/shapes.ts";
import type { Cell, CellInitializers } from "../trace/cell.ts";
import {
  abs,
  add,
  broadcast,
  concat,
  div,
  less,
  maxFeatures,
  mul,
  positions,
  select,
  slice,
  sqrt,
  square,
  stopGradient,
  sub,
  sumAll,
  sumFeatures,
} from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import { mean } from "./losses/loss.ts";

export interface WatchedOptions {
  readonly cell: Cell;
  readonly hiddenSize: number;
  readonly initialize?: CellInitializers;
  readonly axis?: Axis;
}

export interface Watched {
  /** The cell's output at every timestep: [batch, time, hiddenSize]. */
  readonly sequence: Tensor;
  /** All states side by side: [batch, time, states · hiddenSize]. */
  readonly states: Tensor;
  /** 0, added to the states: what the gradient that arrives at each timestep is taken of. */
  readonly probe: Tensor;
}

export interface WatchedLayer {
  /** A recurrence forward in time, with the parameter names of `recurrent`. */
  run(x: Tensor, scope: Scope): Watched;
  /** strength · Ω, to be added to the loss; 0 outside training. `x` and `scope` as in `run`. */
  penalty(loss: Tensor, x: Tensor, watched: Pick<Watched, "states" | "probe">, scope: Scope, strength: number): Tensor;
}

/**
 * A recurrence whose gradients can be held at their length. With h all states of the cell, for each row
 *
 *     Ω = mean over t of ( ‖(∂L/∂h_{t+1}) ∂h_{t+1}/∂h_t‖ / ‖∂L/∂h_{t+1}‖ − 1 )²
 *
 * where, as in the paper, only the immediate derivative is taken: ∂L/∂h_{t+1} and h_t count as constants when Ω is differentiated.
 * Timesteps that no gradient reaches are left out of the sum. The length of ∂L/∂h is measured after division by its largest
 * element, so that it may be as small as a float32 number can be.
 *
 * Source: Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063, equations 9 and 10. Deviation: the mean over all timesteps instead of
 * their sum. A step then holds a second backward pass, and the rows of a batch are not cut into shards.
 */
export function watchedRecurrent({ cell, hiddenSize, initialize, axis = "time" }: WatchedOptions): WatchedLayer {
  const count = cell.states.length;
  const split = (all: Tensor) =>
    Object.fromEntries(cell.states.map((state, i) => [state, slice(all, i * hiddenSize, hiddenSize)]));
  const join = (states: Readonly<Record<string, Tensor>>) =>
    count === 1 ? states[cell.states[0]!]! : concat(...cell.states.map((state) => states[state]!));
  const bind = (x: Tensor, scope: Scope) =>
    cell.bind(scope.in("0.forward"), { inputSize: x.size, hiddenSize }, initialize);
  return {
    run(x, scope) {
      const step = bind(x, scope);
      const rows = { axes: x.type.axes.filter((other) => other !== axis), shape: [count * hiddenSize] };
      const zero = x.trace.literal(0);
      const probe = broadcast(zero, { axes: x.type.axes, shape: rows.shape });
      const { outputs } = scan({
        axis,
        lengths: scope.lengths(axis),
        initial: { states: broadcast(zero, rows) },
        sequences: { x, probe },
        step: ({ states }, { x: element, probe: nothing }) => {
          const next = add(join(step(element, split(states))), nothing);
          return { next: { states: next }, outputs: { states: next } };
        },
      });
      return { sequence: split(outputs.states)[cell.output]!, states: outputs.states, probe };
    },
    penalty(loss, x, { states, probe }, scope, strength) {
      if (!scope.training) return scope.trace.literal(0);
      const { trace } = loss;
      const arriving = trace.tensor(gradients(trace.builder, loss.id, [probe.id])[0]!);
      const largest = maxFeatures(abs(arriving));
      const arrives = less(0, largest);
      const scaled = stopGradient(div(arriving, select(arrives, largest, 1)));
      // One step of all timesteps at once, from states that are constants.
      const before = stopGradient(trace.add({ kind: "shift", x: states.id, axis, by: 1 }));
      const after = join(bind(x, scope)(x, split(before)));
      const passed = trace.tensor(gradients(trace.builder, sumAll(mul(scaled, after)).id, [before.id])[0]!);
      const length = (of: Tensor) => sqrt(add(sumFeatures(square(of)), 1e-12));
      const ratio = div(length(passed), length(scaled));
      const counts = mul(arrives, less(0, positions(x, axis)));
      return mul(strength, mean(select(counts, square(sub(ratio, 1)), 0), scope, undefined));
    },
  };
}
