/** Long short-term memory whose output is smaller than its cell state. */
import { type Cell, type CellSizes, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, sigmoid, tanh } from "../trace/operations.ts";

export interface ProjectionOptions {
  /** Features of h. Default: half of hiddenSize, rounded up. */
  readonly projectionSize?: number;
}

/**
 * Long short-term memory with a recurrent projection layer:
 *
 *     i  = σ(W_i·x + R_i·h + b_i)
 *     f  = σ(W_f·x + R_f·h + b_f)
 *     g  = tanh(W_g·x + R_g·h + b_g)
 *     o  = σ(W_o·x + R_o·h + b_o)
 *     c′ = f ⊙ c + i ⊙ g
 *     h′ = P·(o ⊙ tanh(c′))
 *
 * Shapes: x [batch, inputSize]; c, c′ [batch, hiddenSize]; h, h′ [batch, projectionSize]. Equations are for one row of the batch.
 * Source: Sak et al. 2014, arXiv:1402.1128. Deviations: no peepholes, as in PyTorch.
 */
export function lstmProjectedCell({ projectionSize }: ProjectionOptions = {}): Cell {
  const size = ({ hiddenSize }: CellSizes) => projectionSize ?? Math.ceil(hiddenSize / 2);
  return defineCell({
    name: "lstm-projected",
    state: ["h", "c"],
    stateSizes: { h: size },
    blocks: ["i", "f", "g", "o"],
    shapes: { R: (sizes) => [sizes.hiddenSize, size(sizes)] },
    parameters: { P: { shape: (sizes) => [size(sizes), sizes.hiddenSize], initializer: "xavierUniform" } },
    initialize: { "b.f": { kind: "constant", value: 1 } },
    step: ({ x, h, c }, { W, R, b, P }) => {
      const i = sigmoid(add(matmul(W.i, x), matmul(R.i, h), b.i));
      const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), b.f));
      const g = tanh(add(matmul(W.g, x), matmul(R.g, h), b.g));
      const o = sigmoid(add(matmul(W.o, x), matmul(R.o, h), b.o));
      const cell = add(mul(f, c), mul(i, g));
      return { h: matmul(P, mul(o, tanh(cell))), c: cell };
    },
  });
}

export const lstmProjected: Cell = lstmProjectedCell();
