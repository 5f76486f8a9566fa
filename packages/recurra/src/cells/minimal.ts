/** GRU and LSTM whose gates do not see the state: everything but a weighted sum is computed for all timesteps at once. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, div, matmul, mul, named, sigmoid, sub } from "../trace/operations.ts";

/**
 * Minimal gated recurrent unit:
 *
 *     z  = σ(W_z·x + b_z)
 *     h̃  = W_h·x + b_h
 *     h′ = (1 − z) ⊙ h + z ⊙ h̃
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Feng et al. 2024, arXiv:2410.01201. Deviations: none; this is the form without logarithms.
 */
export const minGru: Cell = defineCell({
  name: "min-gru",
  state: ["h"],
  blocks: ["z", "h"],
  step: ({ x, h }, { W, b }) => {
    const z = sigmoid(add(matmul(W.z, x), b.z));
    const candidate = named("h̃", add(matmul(W.h, x), b.h));
    return { h: add(mul(sub(1, z), h), mul(z, candidate)) };
  },
});

/**
 * Minimal long short-term memory, its two gates made to sum to 1:
 *
 *     f  = σ(W_f·x + b_f)
 *     i  = σ(W_i·x + b_i)
 *     h̃  = W_h·x + b_h
 *     h′ = f / (f + i) ⊙ h + i / (f + i) ⊙ h̃
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Feng et al. 2024, arXiv:2410.01201. Deviations: b_f starts at 1; this is the form without logarithms.
 */
export const minLstm: Cell = defineCell({
  name: "min-lstm",
  state: ["h"],
  blocks: ["f", "i", "h"],
  initialize: { "b.f": { kind: "constant", value: 1 } },
  step: ({ x, h }, { W, b }) => {
    const f = sigmoid(add(matmul(W.f, x), b.f));
    const i = sigmoid(add(matmul(W.i, x), b.i));
    const candidate = named("h̃", add(matmul(W.h, x), b.h));
    const sum = named("s", add(f, i));
    return { h: add(mul(div(f, sum), h), mul(div(i, sum), candidate)) };
  },
});
