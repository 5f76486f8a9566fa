/** The rectified network that begins at the identity. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, relu } from "../trace/operations.ts";

/**
 * Vanilla recurrent network of rectified units whose recurrent weights start at the identity, its input weights at 0.001 · normal:
 *
 *     h′ = relu(W·x + R·h + b)
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Le et al. 2015, arXiv:1504.00941. Deviations: none.
 */
export const irnn: Cell = defineCell({
  name: "irnn",
  state: ["h"],
  blocks: ["h"],
  initialize: { R: "identity", W: { kind: "normal", deviation: 0.001 } },
  step: ({ x, h }, { W, R, b }) => ({ h: relu(add(matmul(W.h, x), matmul(R.h, h), b.h)) }),
});
