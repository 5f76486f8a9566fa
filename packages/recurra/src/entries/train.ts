/** `recurra/train`: networks, optimizers and the training loop. */

export type { Footprint } from "../compile/executable.ts";
export { type BeamOptions, beamSearch, type Hypothesis } from "../train/beam.ts";
export type { Clipping } from "../train/clipping.ts";
export { type Chunk, type Continuous, type ContinuousOptions, continuous } from "../train/continuous.ts";
export { meanLoss, type Samples } from "../train/feed.ts";
export { type GenerateTokensOptions, generateTokens } from "../train/generate.ts";
export { measureSteps, type StepTimes } from "../train/measure.ts";
export {
  type Batch,
  type CarriedState,
  Model,
  type ModelOptions,
  type ModelPlan,
  type OptimizerState,
  type StepResult,
  type StochasticAverage,
  type Weights,
} from "../train/model.ts";
export { defineNetwork, type NetworkDefinition } from "../train/network.ts";
export { type AdamOptions, adam, adamW, amsGrad, nAdam } from "../train/optimizers/adam.ts";
export { adadelta, adagrad, type RmsPropOptions, rmsProp } from "../train/optimizers/adaptive.ts";
export { type OptimizerName, optimizerNames, parseOptimizer } from "../train/optimizers/named.ts";
export type { Optimizer, UpdateInputs } from "../train/optimizers/optimizer.ts";
export { type AveragedSgdOptions, averagedSgd, type LionOptions, lion, sgd } from "../train/optimizers/sgd.ts";
export type { TrainOptions } from "../train/options.ts";
export { bucketedOrder } from "../train/order.ts";
export type { Network } from "../train/programs.ts";
export { fitReadout, type ReadoutOptions } from "../train/readout.ts";
export { type ArraySamples, type SampleArrays, samplesOf } from "../train/samples.ts";
export {
  cosine,
  exponential,
  inTurn,
  type OneCycleOptions,
  oneCycle,
  type PlateauOptions,
  plateau,
  type Schedule,
  type ScheduleName,
  scheduleNames,
  stepwise,
  warmUp,
} from "../train/schedules.ts";
export { Stream, type StreamOptions } from "../train/stream.ts";
export type { WritingOptions, Written } from "../train/tokens.ts";
export { type TrainEvent, train, type WarningEvent } from "../train/train.ts";
export type { GradientWarning, GradientWatch } from "../train/warnings.ts";
