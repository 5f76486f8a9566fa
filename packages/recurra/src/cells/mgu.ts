/** The minimal gated unit. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, sigmoid, sub, tanh } from "../trace/operations.ts";

/**
 * Minimal gated unit: a single gate both forgets and writes.
 *
 *     f  = σ(W_f·x + R_f·h + b_f)
 *     h̃  = tanh(W_h·x + R_h·(f ⊙ h) + b_h)
 *     h′ = (1 − f) ⊙ h + f ⊙ h̃
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Zhou et al. 2016, arXiv:1603.09420. Deviations: none.
 */
export const mgu: Cell = defineCell({
  name: "mgu",
  state: ["h"],
  blocks: ["f", "h"],
  step: ({ x, h }, { W, R, b }) => {
    const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), b.f));
    const candidate = tanh(add(matmul(W.h, x), matmul(R.h, mul(f, h)), b.h));
    return { h: add(mul(sub(1, f), h), mul(f, candidate)) };
  },
});
