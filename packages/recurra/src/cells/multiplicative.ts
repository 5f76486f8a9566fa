/** Multiplicative long short-term memory. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, named, sigmoid, tanh } from "../trace/operations.ts";

/**
 * Multiplicative long short-term memory: each input has recurrent weights of its own, factored through m.
 *
 *     m  = (W_m·x) ⊙ (R_m·h)
 *     i  = σ(W_i·x + R_i·m + b_i)
 *     f  = σ(W_f·x + R_f·m + b_f)
 *     g  = tanh(W_g·x + R_g·m + b_g)
 *     o  = σ(W_o·x + R_o·m + b_o)
 *     c′ = f ⊙ c + i ⊙ g
 *     h′ = o ⊙ tanh(c′)
 *
 * Shapes: x [batch, inputSize]; h, c, h′, c′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Krause et al. 2016, arXiv:1609.07959. Deviations: b_f starts at 1, as in `lstm`.
 */
export const lstmMultiplicative: Cell = defineCell({
  name: "lstm-multiplicative",
  state: ["h", "c"],
  blocks: ["m", "i", "f", "g", "o"],
  initialize: { "b.f": { kind: "constant", value: 1 } },
  step: ({ x, h, c }, { W, R, b }) => {
    const m = named("m", mul(matmul(W.m, x), matmul(R.m, h)));
    const i = sigmoid(add(matmul(W.i, x), matmul(R.i, m), b.i));
    const f = sigmoid(add(matmul(W.f, x), matmul(R.f, m), b.f));
    const g = tanh(add(matmul(W.g, x), matmul(R.g, m), b.g));
    const o = sigmoid(add(matmul(W.o, x), matmul(R.o, m), b.o));
    const cell = add(mul(f, c), mul(i, g));
    return { h: mul(o, tanh(cell)), c: cell };
  },
});
