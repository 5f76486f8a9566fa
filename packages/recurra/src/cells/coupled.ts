/** Long short-term memory whose forget gate is what its input gate leaves. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, named, sigmoid, sub, tanh } from "../trace/operations.ts";

/**
 * Long short-term memory with coupled input and forget gate (CIFG):
 *
 *     f  = σ(W_f·x + R_f·h + b_f)
 *     i  = 1 − f
 *     g  = tanh(W_g·x + R_g·h + b_g)
 *     o  = σ(W_o·x + R_o·h + b_o)
 *     c′ = f ⊙ c + i ⊙ g
 *     h′ = o ⊙ tanh(c′)
 *
 * Shapes: x [batch, inputSize]; h, c, h′, c′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Greff et al. 2017, arXiv:1503.04069. Deviations: no peepholes; b_f starts at 1, as in `lstm`.
 */
export const lstmCoupled: Cell = defineCell({
  name: "lstm-coupled",
  state: ["h", "c"],
  blocks: ["f", "g", "o"],
  initialize: { "b.f": { kind: "constant", value: 1 } },
  step: ({ x, h, c }, { W, R, b }) => {
    const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), b.f));
    const i = named("i", sub(1, f));
    const g = tanh(add(matmul(W.g, x), matmul(R.g, h), b.g));
    const o = sigmoid(add(matmul(W.o, x), matmul(R.o, h), b.o));
    const cell = add(mul(f, c), mul(i, g));
    return { h: mul(o, tanh(cell)), c: cell };
  },
});
