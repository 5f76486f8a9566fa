/** The closed-form continuous-time network. */
import { type Cell, type CellSizes, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, named, sigmoid, slice, sub, tanh } from "../trace/operations.ts";

export interface CfcOptions {
  /** Units of the layer that the four heads share. Default 128. */
  readonly backboneSize?: number;
  /** Whether the last feature of x is the time since the step before. Default false: 1. */
  readonly timed?: boolean;
}

/**
 * Closed-form continuous-time network: how far the state has gone from one head to the other depends on the time τ since the step
 * before.
 *
 *     s  = 1.7159·tanh(0.666·(W_s·x + R_s·h + b_s))
 *     g  = tanh(A_g·s + b_g)
 *     k  = tanh(A_k·s + b_k)
 *     t  = σ((A_v·s + b_v)·τ + A_w·s + b_w)
 *     h′ = (1 − t) ⊙ g + t ⊙ k
 *
 * Shapes: x [batch, inputSize], with τ in its last feature where `timed`; s [batch, backboneSize]; h, h′ [batch, hiddenSize].
 * Equations are for one row of the batch.
 * Source: Hasani et al. 2022, "Closed-form continuous-time neural networks", Nature Machine Intelligence 4. Deviations: one shared
 * layer, as in the authors' code.
 */
export function cfcCell({ backboneSize = 128, timed = false }: CfcOptions = {}): Cell {
  const inputs = ({ inputSize }: CellSizes) => (timed ? inputSize - 1 : inputSize);
  return defineCell({
    name: "cfc",
    state: ["h"],
    blocks: ["g", "k", "v", "w"],
    parameters: {
      W_s: { shape: (sizes) => [backboneSize, inputs(sizes)], initializer: "xavierUniform" },
      R_s: { shape: (sizes) => [backboneSize, sizes.hiddenSize], initializer: "xavierUniform" },
      b_s: { shape: () => [backboneSize], initializer: "zeros" },
    },
    families: {
      A: { shape: ({ hiddenSize }) => [hiddenSize, backboneSize], initializer: "xavierUniform" },
    },
    step: ({ x, h }, { A, b, W_s, R_s, b_s }, sizes) => {
      const values = timed ? slice(x, 0, inputs(sizes)) : x;
      const sum = add(matmul(W_s, values), matmul(R_s, h), b_s);
      const s = named("s", mul(1.7159, tanh(mul(0.666, sum))));
      const g = tanh(add(matmul(A.g, s), b.g));
      const k = tanh(add(matmul(A.k, s), b.k));
      const speed = add(matmul(A.v, s), b.v);
      const elapsed = timed ? mul(speed, named("τ", slice(x, inputs(sizes), 1))) : speed;
      const t = named("t", sigmoid(add(elapsed, matmul(A.w, s), b.w)));
      return { h: add(mul(sub(1, t), g), mul(t, k)) };
    },
  });
}

export const cfc: Cell = cfcCell();
