/** The fast gated recurrent network. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, named, sigmoid, sub, tanh } from "../trace/operations.ts";

/** A number that starts at `value`. */
const scalar = (value: number) => ({ shape: () => [1], initializer: { kind: "constant", value } as const });

/**
 * FastGRNN: gate and candidate share their matrices, and two trained numbers weigh the residual connection.
 *
 *     p  = W·x + R·h
 *     z  = σ(p + b_z)
 *     h̃  = tanh(p + b_h)
 *     h′ = (σ(ζ)·(1 − z) + σ(ν)) ⊙ h̃ + z ⊙ h
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]; ζ, ν [1], starting at 1 and −4. Equations are for one row of the batch.
 * Source: Kusupati et al. 2018, arXiv:1901.02358. Deviations: matrices of full rank.
 */
export const fastgrnn: Cell = defineCell({
  name: "fastgrnn",
  state: ["h"],
  blocks: ["z", "h"],
  parameters: { zeta: scalar(1), nu: scalar(-4) },
  step: ({ x, h }, { W, R, b, zeta, nu }) => {
    const p = named("p", add(matmul(W.h, x), matmul(R.h, h)));
    const z = named("z", sigmoid(add(p, b.z)));
    const candidate = named("h̃", tanh(add(p, b.h)));
    return { h: add(mul(add(mul(sigmoid(zeta), sub(1, z)), sigmoid(nu)), candidate), mul(z, h)) };
  },
});
