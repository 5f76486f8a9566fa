/** Networks that are fed back what they put out. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, named, tanh } from "../trace/operations.ts";
import type { Tensor } from "../trace/tensor.ts";

/**
 * Output feedback without a hidden layer: each output sees the one before it.
 *
 *     y′ = φ(W·x + R·y + b)
 *
 * Shapes: x [batch, inputSize]; y, y′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Jordan 1986, "Serial order: a parallel distributed processing approach", with the output as the only layer. Deviations: none.
 */
export function outputFeedbackCell(activation: (x: Tensor) => Tensor): Cell {
  return defineCell({
    name: "output-feedback",
    state: ["y"],
    blocks: ["y"],
    step: ({ x, y }, { W, R, b }) => ({ y: activation(add(matmul(W.y, x), matmul(R.y, y), b.y)) }),
  });
}

export const outputFeedback: Cell = outputFeedbackCell(tanh);

export interface JordanOptions {
  /** Features of the output that is fed back. Default: hiddenSize. */
  readonly outputSize?: number;
  /** φ of the output. Default tanh. */
  readonly activation?: (x: Tensor) => Tensor;
}

/**
 * Jordan network: the hidden layer sees the output of the step before instead of its own state.
 *
 *     h  = tanh(W·x + R·y + b)
 *     y′ = φ(V·h + c)
 *
 * Shapes: x [batch, inputSize]; h [batch, hiddenSize]; y, y′ [batch, outputSize]. Equations are for one row of the batch.
 * Source: Jordan 1986, "Serial order: a parallel distributed processing approach". Deviations: the state units keep no trace of
 * earlier outputs, as in Cruse 2006.
 */
export function jordanCell({ outputSize, activation = tanh }: JordanOptions = {}): Cell {
  const size = ({ hiddenSize }: { hiddenSize: number }) => outputSize ?? hiddenSize;
  return defineCell({
    name: "jordan",
    state: ["y"],
    stateSizes: { y: size },
    blocks: ["h"],
    shapes: { R: (sizes) => [sizes.hiddenSize, size(sizes)] },
    parameters: {
      V: { shape: (sizes) => [size(sizes), sizes.hiddenSize], initializer: "xavierUniform" },
      c: { shape: (sizes) => [size(sizes)], initializer: "zeros" },
    },
    step: ({ x, y }, { W, R, b, V, c }) => {
      const h = named("h", tanh(add(matmul(W.h, x), matmul(R.h, y), b.h)));
      return { y: activation(add(matmul(V, h), c)) };
    },
  });
}

export const jordan: Cell = jordanCell();
