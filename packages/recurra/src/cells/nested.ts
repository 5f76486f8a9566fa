/** Long short-term memory whose cell state is kept by another one. */
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, named, sigmoid, tanh } from "../trace/operations.ts";

/**
 * Nested long short-term memory: what the outer cell would add up is given to an inner LSTM with cell state n, as its input and its
 * last output.
 *
 *     i, f, o = σ(W·x + R·h + b) of their own weights
 *     g  = tanh(W_g·x + R_g·h + b_g)
 *     u  = i ⊙ g
 *     v  = f ⊙ c
 *     î, f̂, ô = σ(V·u + S·v + d) of their own weights
 *     ĝ  = tanh(V_g·u + S_g·v + d_g)
 *     n′ = f̂ ⊙ n + î ⊙ ĝ
 *     c′ = ô ⊙ tanh(n′)
 *     h′ = o ⊙ tanh(c′)
 *
 * Shapes: x [batch, inputSize]; h, c, n [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Moniz and Krueger 2018, arXiv:1801.10308. Deviations: b_f and d_f start at 1.
 */
export const lstmNested: Cell = defineCell({
  name: "lstm-nested",
  state: ["h", "c", "n"],
  blocks: ["i", "f", "g", "o"],
  families: {
    V: { shape: ({ hiddenSize }) => [hiddenSize, hiddenSize], initializer: "xavierUniform" },
    S: { shape: ({ hiddenSize }) => [hiddenSize, hiddenSize], initializer: "orthogonal" },
    d: { shape: ({ hiddenSize }) => [hiddenSize], initializer: "zeros" },
  },
  initialize: { "b.f": { kind: "constant", value: 1 }, "d.f": { kind: "constant", value: 1 } },
  step: ({ x, h, c, n }, { W, R, b, V, S, d }) => {
    const i = sigmoid(add(matmul(W.i, x), matmul(R.i, h), b.i));
    const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), b.f));
    const g = tanh(add(matmul(W.g, x), matmul(R.g, h), b.g));
    const o = sigmoid(add(matmul(W.o, x), matmul(R.o, h), b.o));
    const u = named("u", mul(i, g));
    const v = named("v", mul(f, c));
    const innerI = named("î", sigmoid(add(matmul(V.i, u), matmul(S.i, v), d.i)));
    const innerF = named("f̂", sigmoid(add(matmul(V.f, u), matmul(S.f, v), d.f)));
    const innerG = named("ĝ", tanh(add(matmul(V.g, u), matmul(S.g, v), d.g)));
    const innerO = named("ô", sigmoid(add(matmul(V.o, u), matmul(S.o, v), d.o)));
    const inner = add(mul(innerF, n), mul(innerI, innerG));
    const cell = mul(innerO, tanh(inner));
    return { h: mul(o, tanh(cell)), c: cell, n: inner };
  },
});
