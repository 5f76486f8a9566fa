/** How long training steps and evaluations of a model take, by doing a few and leaving no trace. */
import type { Batch, Model } from "./model.ts";

export interface StepTimes {
  /** Median milliseconds of a training step, with making its batch. */
  readonly trainMs: number;
  /** Training steps that were done, the first ones, which compile, included. */
  readonly steps: number;
}

/** Steps that are not counted: they compile the model and try numbers of threads. */
const warming = 7;

/**
 * Takes real training steps with these batches, for about `milliseconds` and at least two, and puts weights, averages and the
 * optimizer's state back as they were. Of steps that are slow, only the first, which compiles, is left out of the median.
 */
export async function measureSteps(model: Model, nextBatch: () => Batch, milliseconds = 500): Promise<StepTimes> {
  const [weights, state] = [model.weights(), model.optimizerState()];
  const times: number[] = [];
  try {
    const end = performance.now() + milliseconds;
    while (times.length < 2 || (performance.now() < end && times.length < 1000)) {
      const started = performance.now();
      model.trainStep(nextBatch(), 1e-6);
      times.push(performance.now() - started);
      // Workers compile meanwhile.
      if (times.length <= warming) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  } finally {
    model.setWeights(weights);
    model.setOptimizerState(state);
  }
  const counted = times.slice(times.length > 2 * warming ? warming : 1).sort((a, b) => a - b);
  return { trainMs: counted[counted.length >> 1]!, steps: times.length };
}
