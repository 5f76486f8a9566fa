/** LSTM and GRU with layer normalisation. */
import { type Cell, type CellSizes, defineCell } from "../trace/cell.ts";
import { add, layerNorm, matmul, mul, named, sigmoid, slice, stack, sub, tanh } from "../trace/operations.ts";

/** Gains of one normalisation over the features of `blocks` gates together. */
const gains = (blocks: number) => ({
  shape: ({ hiddenSize }: CellSizes) => [blocks * hiddenSize],
  initializer: "ones" as const,
});

/**
 * Long short-term memory with layer normalisation, over all four gates together:
 *
 *     s          = LN([W_i; W_f; W_g; W_o]·x) + LN([R_i; R_f; R_g; R_o]·h) + b
 *     i, f, g, o = σ(s_i), σ(s_f), tanh(s_g), σ(s_o)
 *     c′         = f ⊙ c + i ⊙ g
 *     h′         = o ⊙ tanh(LN(c′))
 *
 * Each LN has a gain a of its own, the last also a bias e. Shapes: x [batch, inputSize]; h, c, h′, c′ [batch, hiddenSize].
 * Equations are for one row of the batch.
 * Source: Ba et al. 2016, arXiv:1607.06450, equations 20 to 22. Deviations: the biases of the first two normalisations are one, b.
 */
export const lstmLayerNorm: Cell = defineCell({
  name: "lstm-layer-norm",
  state: ["h", "c"],
  blocks: ["i", "f", "g", "o"],
  parameters: {
    a_x: gains(4),
    a_h: gains(4),
    a_c: gains(1),
    e: { shape: ({ hiddenSize }) => [hiddenSize], initializer: "zeros" },
  },
  initialize: { "b.f": { kind: "constant", value: 1 } },
  step: ({ x, h, c }, { W, R, b, a_x, a_h, a_c, e }, { hiddenSize }) => {
    const input = layerNorm(matmul(stack(W.i, W.f, W.g, W.o), x), a_x);
    const recurrent = layerNorm(matmul(stack(R.i, R.f, R.g, R.o), h), a_h);
    const s = named("s", add(input, recurrent));
    const part = (k: number) => slice(s, k * hiddenSize, hiddenSize);
    const i = named("i", sigmoid(add(part(0), b.i)));
    const f = named("f", sigmoid(add(part(1), b.f)));
    const g = named("g", tanh(add(part(2), b.g)));
    const o = named("o", sigmoid(add(part(3), b.o)));
    const cell = add(mul(f, c), mul(i, g));
    return { h: mul(o, tanh(layerNorm(cell, a_c, e))), c: cell };
  },
});

/**
 * Gated recurrent unit with layer normalisation, over both gates together and over the candidate:
 *
 *     s    = LN([W_z; W_r]·x) + LN([R_z; R_r]·h) + b
 *     z, r = σ(s_z), σ(s_r)
 *     h̃    = tanh(LN(W_h·x) + r ⊙ LN(R_h·h) + b_h)
 *     h′   = (1 − z) ⊙ h + z ⊙ h̃
 *
 * Each LN has a gain a of its own. Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Ba et al. 2016, arXiv:1607.06450, equations 27 to 29. Deviations: the biases of the normalisations are one for each gate, b.
 */
export const gruLayerNorm: Cell = defineCell({
  name: "gru-layer-norm",
  state: ["h"],
  blocks: ["z", "r", "h"],
  parameters: { a_x: gains(2), a_h: gains(2), a_xh: gains(1), a_hh: gains(1) },
  step: ({ x, h }, { W, R, b, a_x, a_h, a_xh, a_hh }, { hiddenSize }) => {
    const s = named("s", add(layerNorm(matmul(stack(W.z, W.r), x), a_x), layerNorm(matmul(stack(R.z, R.r), h), a_h)));
    const z = named("z", sigmoid(add(slice(s, 0, hiddenSize), b.z)));
    const r = named("r", sigmoid(add(slice(s, hiddenSize, hiddenSize), b.r)));
    const normalized = layerNorm(matmul(R.h, h), a_hh);
    const candidate = tanh(add(layerNorm(matmul(W.h, x), a_xh), mul(r, normalized), b.h));
    return { h: add(mul(sub(1, z), h), mul(z, candidate)) };
  },
});
