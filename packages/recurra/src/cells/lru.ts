/** The linear recurrent unit. */
import type { Initializer } from "../init/initializers.ts";
import { type Cell, defineCell, type ExtraParameter } from "../trace/cell.ts";
import { add, cos, exp, matmul, mul, named, neg, sin, sqrt, sub } from "../trace/operations.ts";

export interface LruOptions {
  /** |λ| starts between these two. Default 0.9 and 0.999. */
  readonly smallest?: number;
  readonly largest?: number;
  /** The angle of λ starts between 0 and this. Default 2π. */
  readonly largestPhase?: number;
}

/**
 * Linear recurrent unit: a diagonal recurrence of complex numbers λ = exp(−exp(ν) + i·exp(θ)), which cannot leave the unit disc.
 * In real and imaginary parts p and q:
 *
 *     γ  = √(1 − |λ|²)
 *     p′ = Re(λ) ⊙ p − Im(λ) ⊙ q + γ ⊙ (B_p·x)
 *     q′ = Re(λ) ⊙ q + Im(λ) ⊙ p + γ ⊙ (B_q·x)
 *     y  = C_p·p′ − C_q·q′ + D·x
 *
 * λ starts uniform on the ring smallest ≤ |λ| ≤ largest. Shapes: x [batch, inputSize]; p, q, y [batch, hiddenSize]. Equations are for
 * one row of the batch.
 * Source: Orvieto et al. 2023, arXiv:2303.06349. Deviations: γ follows λ instead of being trained apart; D is a matrix, so that x and
 * y may differ in size.
 */
export function lruCell({ smallest = 0.9, largest = 0.999, largestPhase = 2 * Math.PI }: LruOptions = {}): Cell {
  const ring: Initializer = ([size], random) =>
    Array.from({ length: size! }, () => {
      const square = smallest ** 2 + (largest ** 2 - smallest ** 2) * random.uniform();
      return Math.log(-0.5 * Math.log(square));
    });
  const phase: Initializer = ([size], random) =>
    Array.from({ length: size! }, () => Math.log(largestPhase * (1 - random.uniform())));
  const matrix = (inner: "inputSize" | "hiddenSize", parts: 1 | 2): ExtraParameter => ({
    shape: (sizes) => [sizes.hiddenSize, sizes[inner]],
    initializer: ([rows, columns], random) =>
      Array.from({ length: rows! * columns! }, () => random.normal() / Math.sqrt(parts * columns!)),
  });
  const unit = (initializer: Initializer): ExtraParameter => ({
    shape: ({ hiddenSize }) => [hiddenSize],
    initializer,
  });
  return defineCell({
    name: "lru",
    state: ["p", "q"],
    results: ["y"],
    output: "y",
    blocks: ["p", "q"],
    parameters: { nu: unit(ring), theta: unit(phase), D: matrix("inputSize", 1) },
    families: { B: matrix("inputSize", 2), C: matrix("hiddenSize", 1) },
    step: ({ x, p, q }, { nu, theta, B, C, D }) => {
      const radius = named("|λ|", exp(neg(exp(nu))));
      const [real, imaginary] = [
        named("Re(λ)", mul(radius, cos(exp(theta)))),
        named("Im(λ)", mul(radius, sin(exp(theta)))),
      ];
      const gamma = named("γ", sqrt(sub(1, mul(radius, radius))));
      const nextP = add(sub(mul(real, p), mul(imaginary, q)), mul(gamma, matmul(B.p, x)));
      const nextQ = add(mul(real, q), mul(imaginary, p), mul(gamma, matmul(B.q, x)));
      return { p: nextP, q: nextQ, y: add(sub(matmul(C.p, nextP), matmul(C.q, nextQ)), matmul(D, x)) };
    },
  });
}

export const lru: Cell = lruCell();
