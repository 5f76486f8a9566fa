/** The vanilla recurrent network (Elman 1990) with any activation. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, leakyRelu, matmul, relu, sigmoid, tanh } from "../trace/operations.ts";
import type { Tensor } from "../trace/tensor.ts";

/**
 * Elman network:
 *
 *     h′ = f(W·x + R·h + b)
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Elman 1990, "Finding structure in time". Deviations: none; the output layer is a dense layer of its own.
 */
export function rnnCell(name: string, activation: (x: Tensor) => Tensor): Cell {
  return defineCell({
    name,
    state: ["h"],
    blocks: ["h"],
    step: ({ x, h }, { W, R, b }) => ({ h: activation(add(matmul(W.h, x), matmul(R.h, h), b.h)) }),
  });
}

export const rnn: Cell = rnnCell("rnn", tanh);
export const rnnRelu: Cell = rnnCell("rnn-relu", relu);
/** Slope 0.01 below 0. */
export const rnnLeakyRelu: Cell = rnnCell("rnn-leaky-relu", (x) => leakyRelu(x));
export const rnnSigmoid: Cell = rnnCell("rnn-sigmoid", sigmoid);
