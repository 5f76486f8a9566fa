/**
 * Recurrent layers written once more, as plain float64 loops over one row of the batch, forward and backward by hand. Nothing
 * here is shared with the library, so that a mistake in tracing or differentiation cannot agree with itself.
 */

export type Vector = number[];
export type Matrix = Vector[];
/** Weights by gate; every cell has W, R and b, the gru also rb of its candidate. */
export interface Weights {
  readonly W: Record<string, Matrix>;
  readonly R: Record<string, Matrix>;
  readonly b: Record<string, Vector>;
  readonly rb: Record<string, Vector>;
}
export interface Step {
  readonly h: Vector;
  readonly c: Vector;
  /** Gradients of x, h and c before the step, adding those of the weights to `into`. */
  readonly backward: (gradH: Vector, gradC: Vector, into: Weights) => { x: Vector; h: Vector; c: Vector };
}
export type CellStep = (weights: Weights, x: Vector, h: Vector, c: Vector) => Step;

const zeros = (n: number): Vector => Array.from({ length: n }, () => 0);
const times = (m: Matrix, v: Vector): Vector => m.map((row) => row.reduce((sum, w, i) => sum + w * v[i]!, 0));
const plus = (...vectors: Vector[]): Vector => vectors[0]!.map((_, i) => vectors.reduce((sum, v) => sum + v[i]!, 0));
const sigma = (x: number) => 1 / (1 + Math.exp(-x));

/** gradient of m·v: adds δ vᵀ to `gradM` and returns mᵀ δ. */
function back(m: Matrix, gradM: Matrix, v: Vector, delta: Vector): Vector {
  const result = zeros(v.length);
  for (let i = 0; i < delta.length; i++) {
    for (let j = 0; j < v.length; j++) {
      gradM[i]![j]! += delta[i]! * v[j]!;
      result[j]! += m[i]![j]! * delta[i]!;
    }
  }
  return result;
}
function addTo(target: Vector, delta: Vector): void {
  for (let i = 0; i < delta.length; i++) target[i]! += delta[i]!;
}

export const rnnStep: CellStep = ({ W, R, b }, x, h, c) => {
  const next = plus(times(W.h!, x), times(R.h!, h), b.h!).map(Math.tanh);
  return {
    h: next,
    c,
    backward(gradH, gradC, into) {
      const delta = gradH.map((g, i) => g * (1 - next[i]! ** 2));
      addTo(into.b.h!, delta);
      return { x: back(W.h!, into.W.h!, x, delta), h: back(R.h!, into.R.h!, h, delta), c: gradC };
    },
  };
};

export const lstmStep: CellStep = ({ W, R, b }, x, h, c) => {
  const before = (gate: string) => plus(times(W[gate]!, x), times(R[gate]!, h), b[gate]!);
  const [i, f, o] = [before("i").map(sigma), before("f").map(sigma), before("o").map(sigma)];
  const g = before("g").map(Math.tanh);
  const cell = c.map((value, k) => f[k]! * value + i[k]! * g[k]!);
  const next = cell.map((value, k) => o[k]! * Math.tanh(value));
  return {
    h: next,
    c: cell,
    backward(gradH, gradC, into) {
      const gradCell = gradC.map((value, k) => value + gradH[k]! * o[k]! * (1 - Math.tanh(cell[k]!) ** 2));
      const delta: Record<string, Vector> = {
        i: gradCell.map((d, k) => d * g[k]! * i[k]! * (1 - i[k]!)),
        f: gradCell.map((d, k) => d * c[k]! * f[k]! * (1 - f[k]!)),
        g: gradCell.map((d, k) => d * i[k]! * (1 - g[k]! ** 2)),
        o: gradH.map((d, k) => d * Math.tanh(cell[k]!) * o[k]! * (1 - o[k]!)),
      };
      const [gradX, gradBefore] = [zeros(x.length), zeros(h.length)];
      for (const gate of ["i", "f", "g", "o"]) {
        addTo(into.b[gate]!, delta[gate]!);
        addTo(gradX, back(W[gate]!, into.W[gate]!, x, delta[gate]!));
        addTo(gradBefore, back(R[gate]!, into.R[gate]!, h, delta[gate]!));
      }
      return { x: gradX, h: gradBefore, c: gradCell.map((d, k) => d * f[k]!) };
    },
  };
};

/** `resetBefore`: R·(r ⊙ h); otherwise r ⊙ (R·h + rb). */
function gruStep(resetBefore: boolean): CellStep {
  return ({ W, R, b, rb }, x, h, c) => {
    const z = plus(times(W.z!, x), times(R.z!, h), b.z!).map(sigma);
    const r = plus(times(W.r!, x), times(R.r!, h), b.r!).map(sigma);
    const held = h.map((value, k) => r[k]! * value);
    const recurrent = resetBefore ? times(R.h!, held) : plus(times(R.h!, h), rb.h!);
    const sum = plus(times(W.h!, x), b.h!).map((value, k) => value + (resetBefore ? 1 : r[k]!) * recurrent[k]!);
    const n = sum.map(Math.tanh);
    const next = h.map((value, k) => (1 - z[k]!) * n[k]! + z[k]! * value);
    return {
      h: next,
      c,
      backward(gradH, gradC, into) {
        const deltaN = gradH.map((d, k) => d * (1 - z[k]!) * (1 - n[k]! ** 2));
        const deltaZ = gradH.map((d, k) => d * (h[k]! - n[k]!) * z[k]! * (1 - z[k]!));
        const gradBefore = gradH.map((d, k) => d * z[k]!);
        const gradR = zeros(h.length);
        if (resetBefore) {
          const gradHeld = back(R.h!, into.R.h!, held, deltaN);
          for (let k = 0; k < h.length; k++) {
            gradBefore[k]! += gradHeld[k]! * r[k]!;
            gradR[k] = gradHeld[k]! * h[k]!;
          }
        } else {
          const inner = deltaN.map((d, k) => d * r[k]!);
          addTo(into.rb.h!, inner);
          addTo(gradBefore, back(R.h!, into.R.h!, h, inner));
          for (let k = 0; k < h.length; k++) gradR[k] = deltaN[k]! * recurrent[k]!;
        }
        const deltaR = gradR.map((d, k) => d * r[k]! * (1 - r[k]!));
        const gradX = back(W.h!, into.W.h!, x, deltaN);
        addTo(into.b.h!, deltaN);
        for (const [gate, delta] of [
          ["z", deltaZ],
          ["r", deltaR],
        ] as const) {
          addTo(into.b[gate]!, delta);
          addTo(gradX, back(W[gate]!, into.W[gate]!, x, delta));
          addTo(gradBefore, back(R[gate]!, into.R[gate]!, h, delta));
        }
        return { x: gradX, h: gradBefore, c: gradC };
      },
    };
  };
}

export const gruResetBeforeStep = gruStep(true);
export const gruResetAfterStep = gruStep(false);
