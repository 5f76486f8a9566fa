/** Clipping: a gradient too long or too large is made smaller before the optimizer sees it. */
import { joined, type Together, viewOf } from "../optimize/together.ts";
import { add, broadcast, div, maximum, minimum, mul, sqrt, square, sumAll } from "../trace/operations.ts";
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

/**
 * Clips each gradient; `norm` is the norm of the whole before clipping. With `together` there is one gradient of all parameters, or none
 * where there is nothing to train.
 */
export function clip(
  gradients: readonly Tensor[],
  norm: Tensor,
  { norm: largest, parameterNorm, value }: Clipping,
  together?: Together,
): readonly Tensor[] {
  const scale = largest === undefined ? undefined : scaleTo(largest, norm);
  return gradients.map((gradient) => {
    const scaled = scale === undefined ? gradient : mul(gradient, scale);
    const each = parameterNorm === undefined ? scaled : mul(scaled, scalesTo(parameterNorm, scaled, together));
    return value === undefined ? each : maximum(minimum(each, value), -value);
  });
}

/** By how much a gradient is made shorter: a number, or of all parameters together one for each element. */
function scalesTo(largest: number, gradient: Tensor, together: Together | undefined): Tensor {
  const scaleOf = (one: Tensor) => scaleTo(largest, sqrt(sumAll(square(one))));
  if (together === undefined) return scaleOf(gradient);
  const { trace } = gradient;
  const scales = [...together.places].map(([name, { offset, shape }]) => {
    const own = trace.tensor(viewOf(trace.builder, gradient.id, offset, shape));
    return [name, broadcast(scaleOf(own), own.type).id] as const;
  });
  return trace.tensor(joined(trace.builder, new Map(scales), together));
}

/** PyTorch's epsilon, which keeps a gradient of zeros from a division by zero. */
function scaleTo(largest: number, norm: Tensor): Tensor {
  return minimum(1, div(largest, add(norm, 1e-6)));
}
