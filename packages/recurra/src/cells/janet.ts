/** The network that is only a forget gate. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, named, sigmoid, sub, tanh } from "../trace/operations.ts";

export interface JanetOptions {
  /** The longest dependency in timesteps; b_f starts at log u with u uniform from 1 to it less 1 (chrono). Default 100. */
  readonly longest?: number;
  /** Taken from the forget gate where it lets the input in. Default 1. */
  readonly beta?: number;
}

/**
 * JANET, just another network: long short-term memory with the forget gate alone.
 *
 *     s  = W_f·x + R_f·h + b_f
 *     h̃  = tanh(W_h·x + R_h·h + b_h)
 *     h′ = σ(s) ⊙ h + (1 − σ(s − β)) ⊙ h̃
 *
 * Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: van der Westhuizen and Lasenby 2018, arXiv:1804.04849. Deviations: none.
 */
export function janetCell({ longest = 100, beta = 1 }: JanetOptions = {}): Cell {
  return defineCell({
    name: "janet",
    state: ["h"],
    blocks: ["f", "h"],
    initialize: { "b.f": { kind: "chrono", longest, gate: "forget" } },
    step: ({ x, h }, { W, R, b }) => {
      const s = named("s", add(matmul(W.f, x), matmul(R.f, h), b.f));
      const candidate = tanh(add(matmul(W.h, x), matmul(R.h, h), b.h));
      return { h: add(mul(sigmoid(s), h), mul(sub(1, sigmoid(sub(s, beta))), candidate)) };
    },
  });
}

export const janet: Cell = janetCell();
