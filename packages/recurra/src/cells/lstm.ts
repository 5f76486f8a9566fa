/** Long short-term memory. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, sigmoid, tanh } from "../trace/operations.ts";

/**
 * Long short-term memory with forget gate, its bias starting at `forgetBias`:
 *
 *     i  = σ(W_i·x + R_i·h + b_i)
 *     f  = σ(W_f·x + R_f·h + b_f)
 *     g  = tanh(W_g·x + R_g·h + b_g)
 *     o  = σ(W_o·x + R_o·h + b_o)
 *     c′ = f ⊙ c + i ⊙ g
 *     h′ = o ⊙ tanh(c′)
 *
 * Shapes: x [batch, inputSize]; h, c, h′, c′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000; forget bias 1 of Jozefowicz et al. 2015.
 * Deviations: none.
 */
export function lstmCell(forgetBias: number): Cell {
  return defineCell({
    name: "lstm",
    state: ["h", "c"],
    blocks: ["i", "f", "g", "o"],
    initialize: { "b.f": { kind: "constant", value: forgetBias } },
    step: ({ x, h, c }, { W, R, b }) => {
      const i = sigmoid(add(matmul(W.i, x), matmul(R.i, h), b.i));
      const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), b.f));
      const g = tanh(add(matmul(W.g, x), matmul(R.g, h), b.g));
      const o = sigmoid(add(matmul(W.o, x), matmul(R.o, h), b.o));
      const cell = add(mul(f, c), mul(i, g));
      return { h: mul(o, tanh(cell)), c: cell };
    },
  });
}

export const lstm: Cell = lstmCell(1);
