/** What a training run is asked for. */
import { OptionError } from "../base/errors.ts";
import type { Continuous } from "./continuous.ts";
import type { Samples } from "./feed.ts";
import type { PlateauOptions, Schedule, ScheduleName } from "./schedules.ts";
import type { GradientWatch } from "./warnings.ts";

export interface TrainOptions {
  /** Samples in any order, or streams whose states are carried from step to step. */
  readonly data: Samples | Continuous;
  /** Decides early stopping and the best weights; without it the training loss does. */
  readonly validation?: Samples | Continuous;
  readonly epochs: number;
  readonly batchSize?: number;
  /** Lengths of the samples: batches then hold samples of like length. Default: any together. */
  readonly lengths?: ArrayLike<number>;
  /** Batches whose gradients make one step of the optimizer; needs a model with `accumulation`. Default 1. */
  readonly accumulate?: number;
  readonly learningRate?: number;
  readonly schedule?: Schedule | ScheduleName;
  /** Lower the rate when the loss that decides gets no better; it multiplies the schedule. Default: never. */
  readonly plateau?: PlateauOptions;
  /** Epochs without a better loss before training stops. Default: never. */
  readonly patience?: number;
  /** Training stops when the loss that decides is at or below this. */
  readonly stopAtLoss?: number;
  /** At most this many batches an epoch, drawn anew each time. Default: all. */
  readonly stepsPerEpoch?: number;
  /** Ends the run after the current step; the best weights so far are restored. */
  readonly signal?: AbortSignal | undefined;
  /** Looks at gradients after a step, and may warn: `watchGradients` of `recurra/inspect` sees them vanish through time. Default: none. */
  readonly watch?: GradientWatch;
  /** Milliseconds between progress events and turns of the event loop. Default 100. */
  readonly progressEveryMs?: number;
}

/** @throws OptionError */
export function checkOptions(options: TrainOptions, batchSize: number, learningRate: number): void {
  const { accumulate = 1 } = options;
  const whole = { epochs: options.epochs, batchSize, accumulate, samples: options.data.count };
  for (const [name, given] of Object.entries(whole)) {
    if (Number.isInteger(given) && given >= 1) continue;
    throw new OptionError({
      where: `train: ${name}`,
      given: String(given),
      expected: "1, 2, 3, …",
      mend: name === "samples" ? "give at least one sample" : "give a positive whole number",
    });
  }
  if (!(learningRate > 0 && learningRate < Number.POSITIVE_INFINITY)) {
    throw new OptionError({
      where: "train: learningRate",
      given: String(learningRate),
      expected: "a positive number",
      mend: "1e-3 is a good start for Adam",
    });
  }
}
