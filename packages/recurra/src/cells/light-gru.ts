/** The light gated recurrent unit. */
import { type Cell, defineCell, perUnit } from "../trace/cell.ts";
import { add, layerNorm, matmul, mul, relu, sigmoid, sub } from "../trace/operations.ts";

/**
 * Light gated recurrent unit: no reset gate, rectified candidate, normalised input products.
 *
 *     z  = σ(LN(W_z·x) + R_z·h + b_z)
 *     h̃  = relu(LN(W_h·x) + R_h·h + b_h)
 *     h′ = z ⊙ h + (1 − z) ⊙ h̃
 *
 * Each LN has a gain a of its own. Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Ravanelli et al. 2018, arXiv:1803.10225. Deviations: the normalisation is over the features of a row, not over the batch,
 * so that rows do not depend on each other.
 */
export const lightGru: Cell = defineCell({
  name: "light-gru",
  state: ["h"],
  blocks: ["z", "h"],
  families: { a: perUnit("ones") },
  step: ({ x, h }, { W, R, b, a }) => {
    const z = sigmoid(add(layerNorm(matmul(W.z, x), a.z), matmul(R.z, h), b.z));
    const candidate = relu(add(layerNorm(matmul(W.h, x), a.h), matmul(R.h, h), b.h));
    return { h: add(mul(z, h), mul(sub(1, z), candidate)) };
  },
});
