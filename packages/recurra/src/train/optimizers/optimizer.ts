/** What an optimizer is: equations that are traced into the training step and fused like everything else. */
import type { Tensor } from "../../trace/tensor.ts";

/** What one update reads besides gradient and weight. */
export interface UpdateInputs {
  readonly learningRate: Tensor;
  /** The optimizer's own numbers for this step, from `scalars`. */
  readonly scalars: Readonly<Record<string, Tensor>>;
}

export interface Optimizer {
  readonly name: string;
  readonly settings: Readonly<Record<string, number | boolean>>;
  /** Accumulators kept for each weight, of its shape, starting at 0. */
  readonly accumulators: readonly string[];
  /** The accumulator that holds the weights to validate and keep, where those are not the ones trained. */
  readonly evaluated?: string;
  /** Numbers of step 1, 2, 3, … computed outside in float64. */
  readonly scalars: (step: number) => Readonly<Record<string, number>>;
  readonly update: (
    weight: Tensor,
    gradient: Tensor,
    accumulators: Readonly<Record<string, Tensor>>,
    inputs: UpdateInputs,
  ) => { readonly weight: Tensor; readonly accumulators: Readonly<Record<string, Tensor>> };
}
