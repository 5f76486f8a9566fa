/** Long short-term memory whose only state is its output. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, sigmoid, tanh } from "../trace/operations.ts";

/**
 * Long short-term memory without cell state: three gates on the hidden state itself.
 *
 *     c  = tanh(W_c·x + R_c·h + b_c)
 *     u  = σ(W_u·x + R_u·h + b_u)
 *     f  = σ(W_f·x + R_f·h + b_f)
 *     o  = σ(W_o·x + R_o·h + b_o)
 *     h′ = o ⊙ (u ⊙ c + f ⊙ h)
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Hochreiter and Schmidhuber 1997, its cell state left out. Deviations: b_f starts at 1.
 */
export const lstmWithoutCell: Cell = defineCell({
  name: "lstm-without-cell",
  state: ["h"],
  blocks: ["c", "u", "f", "o"],
  initialize: { "b.f": { kind: "constant", value: 1 } },
  step: ({ x, h }, { W, R, b }) => {
    const c = tanh(add(matmul(W.c, x), matmul(R.c, h), b.c));
    const u = sigmoid(add(matmul(W.u, x), matmul(R.u, h), b.u));
    const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), b.f));
    const o = sigmoid(add(matmul(W.o, x), matmul(R.o, h), b.o));
    return { h: mul(o, add(mul(u, c), mul(f, h))) };
  },
});
