/** Long short-term memory with exponential gates. */
import { type Cell, defineCell } from "../trace/cell.ts";
import {
  add,
  div,
  exp,
  less,
  matmul,
  maximum,
  mul,
  named,
  neg,
  select,
  sigmoid,
  softplus,
  sub,
  tanh,
} from "../trace/operations.ts";

/**
 * Scalar memory of xLSTM: exponential input gate, normalised by n, kept in range by m, the largest exponent so far.
 *
 *     ĩ  = W_i·x + R_i·h + b_i
 *     f̃  = log σ(W_f·x + R_f·h + b_f)
 *     z  = tanh(W_z·x + R_z·h + b_z)
 *     o  = σ(W_o·x + R_o·h + b_o)
 *     m′ = max(f̃ + m, ĩ), at the first step ĩ
 *     i  = exp(ĩ − m′)
 *     f  = exp(f̃ + m − m′)
 *     c′ = f ⊙ c + i ⊙ z
 *     n′ = f ⊙ n + i
 *     h′ = o ⊙ c′ / n′
 *
 * From the first step on n is at least 1: the larger of f and i is always 1. Shapes: x [batch, inputSize]; h, c, n, m
 * [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Beck et al. 2024, arXiv:2405.04517, equations 8 to 17, the forget gate a sigmoid. Deviations: one head; b_f starts at 1.
 */
export const slstm: Cell = defineCell({
  name: "slstm",
  state: ["h", "c", "n", "m"],
  blocks: ["i", "f", "z", "o"],
  initialize: { "b.f": { kind: "constant", value: 1 } },
  step: ({ x, h, c, n, m }, { W, R, b }) => {
    const logInput = named("ĩ", add(matmul(W.i, x), matmul(R.i, h), b.i));
    // log σ(s) = −softplus(−s), which does not overflow.
    const logForget = named("f̃", neg(softplus(neg(add(matmul(W.f, x), matmul(R.f, h), b.f)))));
    const z = tanh(add(matmul(W.z, x), matmul(R.z, h), b.z));
    const o = sigmoid(add(matmul(W.o, x), matmul(R.o, h), b.o));
    const carried = add(logForget, m);
    const largest = select(less(0, n), maximum(carried, logInput), logInput);
    const i = named("i", exp(sub(logInput, largest)));
    const f = named("f", exp(sub(carried, largest)));
    const cell = add(mul(f, c), mul(i, z));
    const normalizer = add(mul(f, n), i);
    return { h: div(mul(o, cell), normalizer), c: cell, n: normalizer, m: largest };
  },
});
