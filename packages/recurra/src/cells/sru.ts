/** The simple recurrent unit. */
import { type Cell, defineCell, perUnit } from "../trace/cell.ts";
import { add, matmul, mul, named, sigmoid, sub } from "../trace/operations.ts";

/** √(1 + 2 exp(b_r)) with b_r = 0: keeps the variance of x through the highway connection. */
const highwayScale = Math.sqrt(3);

/**
 * Simple recurrent unit: no product with the state, and a highway connection around it.
 *
 *     f  = σ(W_f·x + v_f ⊙ c + b_f)
 *     r  = σ(W_r·x + v_r ⊙ c + b_r)
 *     c′ = f ⊙ c + (1 − f) ⊙ (W_c·x)
 *     h  = r ⊙ c′ + (1 − r) ⊙ (√3·x)
 *
 * Where x has not hiddenSize features, W_x·x takes its place in h. Shapes: x [batch, inputSize]; c, c′, h [batch, hiddenSize].
 * Equations are for one row of the batch.
 * Source: Lei et al. 2018, arXiv:1709.02755. Deviations: none.
 */
export const sru: Cell = defineCell({
  name: "sru",
  state: ["c"],
  results: ["h"],
  output: "h",
  blocks: ["f", "r", "c", "x"],
  families: { v: perUnit({ kind: "uniform", low: -0.1, high: 0.1 }) },
  step: ({ x, c }, { W, b, v }, { inputSize, hiddenSize }) => {
    const f = sigmoid(add(matmul(W.f, x), mul(v.f, c), b.f));
    const r = sigmoid(add(matmul(W.r, x), mul(v.r, c), b.r));
    const cell = add(mul(f, c), mul(sub(1, f), matmul(W.c, x)));
    const highway = named("s", mul(highwayScale, inputSize === hiddenSize ? x : matmul(W.x, x)));
    return { c: cell, h: add(mul(r, cell), mul(sub(1, r), highway)) };
  },
});
