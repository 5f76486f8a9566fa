/** The gated recurrent unit, in both published forms. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, sigmoid, sub, tanh } from "../trace/operations.ts";

/**
 * Gated recurrent unit, the reset gate behind the recurrent product:
 *
 *     z  = σ(W_z·x + R_z·h + b_z)
 *     r  = σ(W_r·x + R_r·h + b_r)
 *     h̃  = tanh(W_h·x + b_h + r ⊙ (R_h·h + rb_h))
 *     h′ = (1 − z) ⊙ h̃ + z ⊙ h
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Cho et al. 2014, arXiv:1406.1078v1, as in cuDNN and PyTorch. Deviations: none.
 */
export const gru: Cell = defineCell({
  name: "gru",
  state: ["h"],
  blocks: ["z", "r", "h"],
  step: ({ x, h }, { W, R, b, rb }) => {
    const z = sigmoid(add(matmul(W.z, x), matmul(R.z, h), b.z));
    const r = sigmoid(add(matmul(W.r, x), matmul(R.r, h), b.r));
    const candidate = tanh(add(matmul(W.h, x), b.h, mul(r, add(matmul(R.h, h), rb.h))));
    return { h: add(mul(sub(1, z), candidate), mul(z, h)) };
  },
});

/**
 * Gated recurrent unit, the reset gate before the recurrent product:
 *
 *     z  = σ(W_z·x + R_z·h + b_z)
 *     r  = σ(W_r·x + R_r·h + b_r)
 *     h̃  = tanh(W_h·x + R_h·(r ⊙ h) + b_h)
 *     h′ = (1 − z) ⊙ h̃ + z ⊙ h
 *
 * Shapes as in `gru`. Source: Cho et al. 2014, arXiv:1406.1078v3. Deviations: none.
 */
export const gruResetBefore: Cell = defineCell({
  name: "gru-reset-before",
  state: ["h"],
  blocks: ["z", "r", "h"],
  step: ({ x, h }, { W, R, b }) => {
    const z = sigmoid(add(matmul(W.z, x), matmul(R.z, h), b.z));
    const r = sigmoid(add(matmul(W.r, x), matmul(R.r, h), b.r));
    const candidate = tanh(add(matmul(W.h, x), matmul(R.h, mul(r, h)), b.h));
    return { h: add(mul(sub(1, z), candidate), mul(z, h)) };
  },
});
