/** The antisymmetric network, a stable differential equation taken in steps. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, named, sub, tanh, transpose } from "../trace/operations.ts";

export interface AntisymmetricOptions {
  /** Size of a step, ε. Default 0.01. */
  readonly stepSize?: number;
  /** Strength of diffusion, γ. Default 0.01. */
  readonly diffusion?: number;
}

/**
 * Antisymmetric recurrent network: the eigenvalues of R − Rᵀ have no real part, so that nothing explodes or vanishes.
 *
 *     S  = R − Rᵀ
 *     h′ = h + ε·tanh(W·x + S·h − γ·h + b)
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Chang et al. 2019, arXiv:1902.09689, equation 10. Deviations: none.
 */
export function antisymmetricCell({ stepSize = 0.01, diffusion = 0.01 }: AntisymmetricOptions = {}): Cell {
  return defineCell({
    name: "antisymmetric",
    state: ["h"],
    blocks: ["h"],
    initialize: { R: "lecunNormal", W: "lecunNormal" },
    step: ({ x, h }, { W, R, b }) => {
      const turning = matmul(named("S", sub(R.h, transpose(R.h))), h);
      return { h: add(h, mul(stepSize, tanh(add(matmul(W.h, x), sub(turning, mul(diffusion, h)), b.h)))) };
    },
  });
}

export const antisymmetric: Cell = antisymmetricCell();
