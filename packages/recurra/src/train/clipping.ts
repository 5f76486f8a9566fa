/** Clipping: a gradient too long or too large is made smaller before the optimizer sees it. */
import { add, div, maximum, minimum, mul, sqrt, square, sumAll } from "../trace/operations.ts";
import type { Tensor } from "../trace/tensor.ts";

/** Several may be given: the whole norm comes first, then the norms of the parameters, then the values. */
export interface Clipping {
  /** Largest norm of the whole gradient; a longer one is scaled down (Pascanu et al. 2013). */
  readonly norm?: number;
  /** Largest norm of the gradient of each parameter by itself. */
  readonly parameterNorm?: number;
  /** Largest absolute value of each element. */
  readonly value?: number;
}

/** Clips each gradient; `norm` is the norm of the whole before clipping. */
export function clip(
  gradients: readonly Tensor[],
  norm: Tensor,
  { norm: largest, parameterNorm, value }: Clipping,
): readonly Tensor[] {
  const scale = largest === undefined ? undefined : scaleTo(largest, norm);
  return gradients.map((gradient) => {
    const scaled = scale === undefined ? gradient : mul(gradient, scale);
    const each =
      parameterNorm === undefined ? scaled : mul(scaled, scaleTo(parameterNorm, sqrt(sumAll(square(scaled)))));
    return value === undefined ? each : maximum(minimum(each, value), -value);
  });
}

/** PyTorch's epsilon, which keeps a gradient of zeros from a division by zero. */
function scaleTo(largest: number, norm: Tensor): Tensor {
  return minimum(1, div(largest, add(norm, 1e-6)));
}
