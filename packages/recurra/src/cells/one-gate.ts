/** Gated recurrent units with an update gate only. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, less, matmul, mul, named, sigmoid, straightThrough, sub, tanh } from "../trace/operations.ts";

/**
 * Gated recurrent unit with one gate, which writes where it is 1 and keeps where it is 0:
 *
 *     c  = tanh(W_c·x + R_c·h + b_c)
 *     u  = σ(W_u·x + R_u·h + b_u)
 *     h′ = u ⊙ c + (1 − u) ⊙ h
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Cho et al. 2014, arXiv:1406.1078, its reset gate left out. Deviations: none.
 */
export const gruOneGate: Cell = defineCell({
  name: "gru-one-gate",
  state: ["h"],
  blocks: ["c", "u"],
  step: ({ x, h }, { W, R, b }) => {
    const c = tanh(add(matmul(W.c, x), matmul(R.c, h), b.c));
    const u = sigmoid(add(matmul(W.u, x), matmul(R.u, h), b.u));
    return { h: add(mul(u, c), mul(sub(1, u), h)) };
  },
});

/**
 * The same with a gate that is zero or one:
 *
 *     c  = tanh(W_c·x + R_c·h + b_c)
 *     p  = σ(W_u·x + R_u·h + b_u)
 *     u  = 1 where p > ½, else 0; its gradient is passed on to p
 *     h′ = u ⊙ c + (1 − u) ⊙ h
 *
 * Shapes as in `gruOneGate`. Source: Bengio et al. 2013, arXiv:1308.3432, for the straight-through gradient. Deviations: none.
 */
export const gruBinaryGate: Cell = defineCell({
  name: "gru-binary-gate",
  state: ["h"],
  blocks: ["c", "u"],
  step: ({ x, h }, { W, R, b }) => {
    const c = tanh(add(matmul(W.c, x), matmul(R.c, h), b.c));
    const p = named("p", sigmoid(add(matmul(W.u, x), matmul(R.u, h), b.u)));
    const u = named("u", straightThrough(p, less(0.5, p)));
    return { h: add(mul(u, c), mul(sub(1, u), h)) };
  },
});
