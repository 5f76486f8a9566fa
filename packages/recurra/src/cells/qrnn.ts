/** The quasi-recurrent network. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, sigmoid, sub, tanh } from "../trace/operations.ts";

/**
 * Quasi-recurrent network with fo-pooling; its gates are a convolution over this timestep and the one before:
 *
 *     z  = tanh(W_z·x + q + b_z)
 *     f  = σ(W_f·x + p + b_f)
 *     o  = σ(W_o·x + s + b_o)
 *     c′ = f ⊙ c + (1 − f) ⊙ z
 *     h  = o ⊙ c′
 *     q′, p′, s′ = V_z·x, V_f·x, V_o·x
 *
 * q, p and s carry the older half of the convolution, so that no product waits for the state. Shapes: x [batch, inputSize];
 * c, q, p, s, h [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Bradbury et al. 2017, arXiv:1611.01576, filter width 2. Deviations: none.
 */
export const qrnn: Cell = defineCell({
  name: "qrnn",
  state: ["c", "q", "p", "s"],
  results: ["h"],
  output: "h",
  blocks: ["z", "f", "o"],
  families: {
    V: { shape: ({ inputSize, hiddenSize }) => [hiddenSize, inputSize], initializer: "xavierUniform" },
  },
  step: ({ x, c, q, p, s }, { W, V, b }) => {
    const z = tanh(add(matmul(W.z, x), q, b.z));
    const f = sigmoid(add(matmul(W.f, x), p, b.f));
    const o = sigmoid(add(matmul(W.o, x), s, b.o));
    const cell = add(mul(f, c), mul(sub(1, f), z));
    return { c: cell, h: mul(o, cell), q: matmul(V.z, x), p: matmul(V.f, x), s: matmul(V.o, x) };
  },
});
