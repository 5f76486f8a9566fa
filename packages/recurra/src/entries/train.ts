/** `recurra/train`: networks, optimizers and the training loop. */
export {
  type Batch,
  Model,
  type ModelOptions,
  type OptimizerState,
  type StepResult,
  type Weights,
} from "../train/model.ts";
export { defineNetwork, type NetworkDefinition } from "../train/network.ts";
export { type AdamOptions, adam, adamW, type Clipping, type Optimizer, sgd } from "../train/optimizers.ts";
export type { Network } from "../train/programs.ts";
export { type Schedule, type ScheduleName, stepwise, warmUp } from "../train/schedules.ts";
export { meanLoss, type Samples, type TrainEvent, type TrainOptions, train } from "../train/train.ts";
