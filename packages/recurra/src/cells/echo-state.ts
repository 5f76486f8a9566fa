/** The echo state network: a fixed random reservoir. */
import { OptionError } from "../base/errors.ts";
import { reservoir } from "../init/reservoir.ts";
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, tanh } from "../trace/operations.ts";

export interface EchoStateOptions {
  /** Largest absolute eigenvalue of R. Default 0.9. */
  readonly spectralRadius?: number;
  /** Recurrent connections of each unit, on average. Default 10. */
  readonly connections?: number;
  /** How much of the state is replaced at each step, α, above 0 and at most 1. Default 1. */
  readonly leak?: number;
  /** W is uniform between −inputScale and inputScale. Default 1. */
  readonly inputScale?: number;
  /** b likewise. Default 0. */
  readonly biasScale?: number;
}

/**
 * Echo state network, leaky; training leaves W, R and b as they began, and a readout is fitted to the states (`fitReadout`).
 *
 *     h′ = (1 − α) ⊙ h + α ⊙ tanh(W·x + R·h + b)
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch. Deep: `recurrent` with this cell, a
 * depth and the output "layers" gives the states of all reservoirs to the readout.
 * Source: Jaeger 2001, GMD Report 148; leaky units of Jaeger et al. 2007. Deviations: none.
 * @throws OptionError for options outside their ranges.
 */
export function echoStateCell({
  spectralRadius = 0.9,
  connections = 10,
  leak = 1,
  inputScale = 1,
  biasScale = 0,
}: EchoStateOptions = {}): Cell {
  if (!(leak > 0 && leak <= 1)) {
    throw new OptionError({
      where: "echo-state: leak",
      given: String(leak),
      expected: "above 0 and at most 1",
      mend: "1 replaces the whole state at each step",
    });
  }
  return defineCell({
    name: "echo-state",
    state: ["h"],
    blocks: ["h"],
    fixed: ["W", "R", "b"],
    initialize: {
      W: { kind: "uniform", low: -inputScale, high: inputScale },
      R: reservoir({ spectralRadius, connections }),
      b: { kind: "uniform", low: -biasScale, high: biasScale },
    },
    step: ({ x, h }, { W, R, b }) => {
      const stepped = tanh(add(matmul(W.h, x), matmul(R.h, h), b.h));
      return { h: leak === 1 ? stepped : add(mul(1 - leak, h), mul(leak, stepped)) };
    },
  });
}

export const echoState: Cell = echoStateCell();
