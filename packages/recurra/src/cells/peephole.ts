/** Long short-term memory whose gates see the cell state. */
import { type Cell, defineCell, perUnit } from "../trace/cell.ts";
import { add, matmul, mul, sigmoid, tanh } from "../trace/operations.ts";

/**
 * Long short-term memory with peephole connections, diagonal weights p from the cell state to the gates:
 *
 *     i  = σ(W_i·x + R_i·h + p_i ⊙ c + b_i)
 *     f  = σ(W_f·x + R_f·h + p_f ⊙ c + b_f)
 *     g  = tanh(W_g·x + R_g·h + b_g)
 *     c′ = f ⊙ c + i ⊙ g
 *     o  = σ(W_o·x + R_o·h + p_o ⊙ c′ + b_o)
 *     h′ = o ⊙ tanh(c′)
 *
 * Shapes: x [batch, inputSize]; h, c, h′, c′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Gers et al. 2002, "Learning precise timing with LSTM recurrent networks". Deviations: b_f starts at 1, as in `lstm`.
 */
export const lstmPeephole: Cell = defineCell({
  name: "lstm-peephole",
  state: ["h", "c"],
  blocks: ["i", "f", "g", "o"],
  families: { p: perUnit("zeros") },
  initialize: { "b.f": { kind: "constant", value: 1 } },
  step: ({ x, h, c }, { W, R, b, p }) => {
    const i = sigmoid(add(matmul(W.i, x), matmul(R.i, h), mul(p.i, c), b.i));
    const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), mul(p.f, c), b.f));
    const g = tanh(add(matmul(W.g, x), matmul(R.g, h), b.g));
    const cell = add(mul(f, c), mul(i, g));
    const o = sigmoid(add(matmul(W.o, x), matmul(R.o, h), mul(p.o, cell), b.o));
    return { h: mul(o, tanh(cell)), c: cell };
  },
});
