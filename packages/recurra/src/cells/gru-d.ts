/** The gated recurrent unit for missing values and gaps in time. */
import { ShapeError } from "../base/errors.ts";
import { type Cell, type CellSizes, defineCell } from "../trace/cell.ts";
import {
  add,
  exp,
  less,
  matmul,
  mul,
  named,
  neg,
  relu,
  select,
  sigmoid,
  slice,
  sub,
  tanh,
} from "../trace/operations.ts";

/**
 * GRU-D: missing inputs decay from the value last seen to the mean, and the state decays with the time since.
 * The input x holds, side by side, the values v (anything where missing), m (1 where observed, else 0) and the gaps d: the time since
 * each was last observed.
 *
 *     α  = exp(−relu(w ⊙ d + e))
 *     l′ = v where m > ½, else l
 *     v̂  = v where m > ½, else α ⊙ l
 *     β  = exp(−relu(D·d + b_d))
 *     ĥ  = β ⊙ h
 *     z  = σ(W_z·v̂ + V_z·m + R_z·ĥ + b_z)
 *     r  = σ(W_r·v̂ + V_r·m + R_r·ĥ + b_r)
 *     h̃  = tanh(W_h·v̂ + V_h·m + R_h·(r ⊙ ĥ) + b_h)
 *     h′ = (1 − z) ⊙ ĥ + z ⊙ h̃
 *
 * l is the value last seen. Shapes: x [batch, 3 · features]; v, m, d, l [batch, features]; h, h′ [batch, hiddenSize]. Equations are for
 * one row of the batch.
 * Source: Che et al. 2018, arXiv:1606.01865. Deviations: the mean to which values decay is 0: standardise the values.
 * @throws ShapeError when x cannot be divided into three.
 */
export const gruD: Cell = defineCell({
  name: "gru-d",
  state: ["h", "l"],
  stateSizes: { l: featuresOf },
  blocks: ["z", "r", "h", "d"],
  shapes: { W: (sizes) => [sizes.hiddenSize, featuresOf(sizes)] },
  families: {
    V: { shape: (sizes) => [sizes.hiddenSize, featuresOf(sizes)], initializer: "xavierUniform" },
  },
  parameters: {
    w: { shape: (sizes) => [featuresOf(sizes)], initializer: { kind: "uniform", low: 0, high: 0.1 } },
    e: { shape: (sizes) => [featuresOf(sizes)], initializer: "zeros" },
    D: {
      shape: (sizes) => [sizes.hiddenSize, featuresOf(sizes)],
      initializer: { kind: "uniform", low: 0, high: 0.1 },
    },
  },
  step: ({ x, h, l }, { W, R, b, V, w, e, D }, sizes) => {
    const features = featuresOf(sizes);
    const [v, m, d] = [
      named("v", slice(x, 0, features)),
      named("m", slice(x, features, features)),
      named("d", slice(x, 2 * features, features)),
    ];
    const seen = less(0.5, m);
    const inputDecay = named("α", exp(neg(relu(add(mul(w, d), e)))));
    const filled = named("v̂", select(seen, v, mul(inputDecay, l)));
    const stateDecay = named("β", exp(neg(relu(add(matmul(D, d), b.d)))));
    const decayed = named("ĥ", mul(stateDecay, h));
    const z = sigmoid(add(matmul(W.z, filled), matmul(V.z, m), matmul(R.z, decayed), b.z));
    const r = sigmoid(add(matmul(W.r, filled), matmul(V.r, m), matmul(R.r, decayed), b.r));
    const candidate = tanh(add(matmul(W.h, filled), matmul(V.h, m), matmul(R.h, mul(r, decayed)), b.h));
    return { h: add(mul(sub(1, z), decayed), mul(z, candidate)), l: select(seen, v, l) };
  },
});

function featuresOf({ inputSize }: CellSizes): number {
  if (inputSize % 3 === 0) return inputSize / 3;
  throw new ShapeError({
    where: "gru-d: input x",
    given: `${inputSize} features`,
    expected: "3 · features: values, observed, gaps",
    mend: "give concat(values, observed, gaps), each of the same size; stack other cells on top of this one",
  });
}
