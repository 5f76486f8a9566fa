/** The update gate network. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, sigmoid, sub, tanh } from "../trace/operations.ts";

/**
 * Update gate network: a vanilla step, mixed with the state by one gate.
 *
 *     c  = tanh(W_c·x + R_c·h + b_c)
 *     g  = σ(W_g·x + R_g·h + b_g)
 *     h′ = g ⊙ h + (1 − g) ⊙ c
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Collins et al. 2017, arXiv:1611.09913. Deviations: the constant added inside g is where b_g starts, at 1.
 */
export const ugrnn: Cell = defineCell({
  name: "ugrnn",
  state: ["h"],
  blocks: ["c", "g"],
  initialize: { "b.g": { kind: "constant", value: 1 } },
  step: ({ x, h }, { W, R, b }) => {
    const c = tanh(add(matmul(W.c, x), matmul(R.c, h), b.c));
    const g = sigmoid(add(matmul(W.g, x), matmul(R.g, h), b.g));
    return { h: add(mul(g, h), mul(sub(1, g), c)) };
  },
});
