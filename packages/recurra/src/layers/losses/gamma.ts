/** The logarithm of the gamma function, composed of operations that exist: its gradient, digamma, follows by itself. */
import { add, div, log, mul, square, sub } from "../../trace/operations.ts";
import type { Tensor } from "../../trace/tensor.ts";

/**
 * log Γ(x) for 0 < x < 1e9: Stirling's series four steps up, where its first term left out is below 4e-9, and back down by
 * Γ(x + 1) = x Γ(x):
 *
 *     log Γ(x) = (z − ½) log z − z + ½ log 2π + 1/(12 z) − 1/(360 z³) + 1/(1260 z⁵) − 1/(1680 z⁷) − log(x (x+1) (x+2) (x+3))
 *
 * with z = x + 4 (Abramowitz and Stegun 6.1.41). In float32 the error is that of rounding, about 1e-7 · max(1, x log x).
 */
export function logGamma(x: Tensor): Tensor {
  const z = add(x, 4);
  const inverse = div(1, z);
  const squared = square(inverse);
  const series = mul(
    inverse,
    sub(1 / 12, mul(squared, sub(1 / 360, mul(squared, sub(1 / 1260, mul(squared, 1 / 1680)))))),
  );
  const stirling = add(sub(mul(sub(z, 0.5), log(z)), z), 0.5 * Math.log(2 * Math.PI), series);
  return sub(stirling, log(mul(x, add(x, 1), add(x, 2), add(x, 3))));
}
