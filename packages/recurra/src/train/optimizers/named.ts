/** Optimizers by name, each with the settings of its paper. */
import { lookup } from "../../base/errors.ts";
import { adam, adamW, amsGrad, nAdam } from "./adam.ts";
import { adadelta, adagrad, rmsProp } from "./adaptive.ts";
import type { Optimizer } from "./optimizer.ts";
import { averagedSgd, lion, sgd } from "./sgd.ts";

export type OptimizerName = keyof typeof named;

const named = {
  sgd: () => sgd(),
  momentum: () => sgd({ momentum: 0.9 }),
  nesterov: () => sgd({ momentum: 0.9, nesterov: true }),
  averagedSgd: () => averagedSgd(),
  rmsProp: () => rmsProp(),
  adagrad: () => adagrad(),
  adadelta: () => adadelta(),
  adam: () => adam(),
  adamW: () => adamW(),
  nAdam: () => nAdam(),
  amsGrad: () => amsGrad(),
  lion: () => lion(),
} satisfies Readonly<Record<string, () => Optimizer>>;

export const optimizerNames = Object.keys(named) as readonly OptimizerName[]; // The keys are the type.

/** @throws OptionError for an unknown name. */
export function parseOptimizer(optimizer: Optimizer | OptimizerName): Optimizer {
  return typeof optimizer === "string" ? lookup<() => Optimizer>("optimizer", optimizer, named)() : optimizer;
}
