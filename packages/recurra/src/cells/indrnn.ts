/** The independently recurrent network. */
import { type Cell, defineCell, perUnit } from "../trace/cell.ts";
import { add, matmul, mul, relu } from "../trace/operations.ts";

/**
 * Independently recurrent network: each unit sees its own last value only.
 *
 *     h′ = relu(W·x + u ⊙ h + b)
 *
 * u starts uniform between 0 and 1. Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Li et al. 2018, arXiv:1803.04831. Deviations: u is not held below the T-th root of 2; clip or choose it for long sequences.
 */
export const indrnn: Cell = defineCell({
  name: "indrnn",
  state: ["h"],
  blocks: ["h"],
  families: { u: perUnit({ kind: "uniform", low: 0, high: 1 }) },
  initialize: { W: "heUniform" },
  step: ({ x, h }, { W, u, b }) => ({ h: relu(add(matmul(W.h, x), mul(u.h, h), b.h)) }),
});
