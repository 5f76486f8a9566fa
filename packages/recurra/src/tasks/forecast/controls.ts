/** How a forecaster is trained: optimizer, learning rate over the run, penalties, dropout and averages, from options to the training loop's terms. */
import { OptionError } from "../../base/errors.ts";
import type { Clipping } from "../../train/clipping.ts";
import type { ModelOptions } from "../../train/model.ts";
import { adamW } from "../../train/optimizers/adam.ts";
import { type OptimizerName, parseOptimizer } from "../../train/optimizers/named.ts";
import type { Optimizer } from "../../train/optimizers/optimizer.ts";
import { lion } from "../../train/optimizers/sgd.ts";
import type { TrainOptions } from "../../train/options.ts";
import { parseSchedule, type Schedule, type ScheduleName, warmUp } from "../../train/schedules.ts";
import type { ForecastOptions, WeightAverage } from "./types.ts";

/** Plain data, as in `ForecastOptions`; 0 where something is not asked for. */
export interface TrainingControls {
  readonly optimizer: OptimizerName;
  readonly weightDecay: number;
  readonly l1: number;
  readonly l2: number;
  readonly activationPenalty: number;
  readonly temporalActivationPenalty: number;
  readonly schedule: ScheduleName;
  readonly warmUpSteps: number;
  readonly plateau: number;
  readonly stopAtLoss: number;
  readonly accumulate: number;
  readonly average: WeightAverage;
  readonly averageDecay: number;
  readonly clipNorm: number;
  readonly clipParameterNorm: number;
  readonly clipValue: number;
  readonly inputDropout: number;
  readonly recurrentDropout: number;
}

/** Optimizers that decay weights by themselves, apart from the gradient, and how much where nothing is said. */
const decays: Partial<Record<OptimizerName, number>> = { adamW: 0.01, lion: 0 };

export function trainingControls(options: ForecastOptions): TrainingControls {
  const { optimizer = "adam", averageDecay = 0.99 } = options;
  const average = options.average ?? (averageDecay > 0 ? "ema" : "none");
  return {
    optimizer,
    weightDecay: options.weightDecay ?? decays[optimizer] ?? 0,
    l1: options.l1 ?? 0,
    l2: options.l2 ?? 0,
    activationPenalty: options.activationPenalty ?? 0,
    temporalActivationPenalty: options.temporalActivationPenalty ?? 0,
    schedule: options.schedule ?? "constant",
    warmUpSteps: options.warmUpSteps ?? 0,
    plateau: options.plateau ?? 0,
    stopAtLoss: options.stopAtLoss ?? 0,
    accumulate: options.accumulate ?? 1,
    average,
    averageDecay: average === "ema" ? averageDecay : 0,
    clipNorm: options.clipNorm ?? 1,
    clipParameterNorm: options.clipParameterNorm ?? 0,
    clipValue: options.clipValue ?? 0,
    inputDropout: options.inputDropout ?? 0,
    recurrentDropout: options.recurrentDropout ?? 0,
  };
}

/** @throws OptionError for a value outside its range, and for choices that contradict each other. */
export function checkControls(options: ForecastOptions): void {
  const { optimizer = "adam", average, averageDecay, weightDecay } = options;
  for (const name of ["clipNorm", "clipParameterNorm", "clipValue", "stopAtLoss"] as const)
    inRange(name, options[name], (x) => x > 0 && x < Number.POSITIVE_INFINITY, "a positive number");
  for (const name of ["weightDecay", "l1", "l2", "activationPenalty", "temporalActivationPenalty"] as const)
    inRange(name, options[name], (x) => x >= 0 && x < Number.POSITIVE_INFINITY, "0 or more");
  for (const name of ["averageDecay", "inputDropout", "recurrentDropout"] as const)
    inRange(name, options[name], (x) => x >= 0 && x < 1, "at least 0 and below 1");
  inRange("warmUpSteps", options.warmUpSteps, (x) => Number.isInteger(x) && x >= 0, "0, 1, 2, …");
  inRange("plateau", options.plateau, (x) => Number.isInteger(x) && x >= 1, "1, 2, 3, …");
  inRange("accumulate", options.accumulate, (x) => Number.isInteger(x) && x >= 1, "1, 2, 3, …");
  parseOptimizer(optimizer);
  parseSchedule(options.schedule ?? "constant");
  if (weightDecay !== undefined && weightDecay > 0 && decays[optimizer] === undefined) {
    throw new OptionError({
      where: "weightDecay",
      given: `${weightDecay} with the optimizer ${optimizer}`,
      expected: `one of the optimizers ${Object.keys(decays).join(", ")}`,
      mend: "choose one of them, or a penalty l2, which every optimizer takes",
    });
  }
  const asked = average === "ema" ? averageDecay !== 0 : average === undefined || !averageDecay;
  if (!asked) {
    throw new OptionError({
      where: "average",
      given: `${average} with averageDecay ${averageDecay}`,
      expected: "a decay above 0 with ema, and none with any other",
      mend: "leave one of the two out",
    });
  }
}

export function optimizerOf({ optimizer, weightDecay }: TrainingControls): Optimizer {
  if (optimizer === "adamW") return adamW({ weightDecay });
  return optimizer === "lion" ? lion({ weightDecay }) : parseOptimizer(optimizer);
}

export function scheduleOf({ schedule, warmUpSteps }: TrainingControls): Schedule {
  return warmUpSteps === 0 ? parseSchedule(schedule) : warmUp(warmUpSteps, parseSchedule(schedule));
}

export function clippingOf({ clipNorm, clipParameterNorm, clipValue }: TrainingControls): Clipping {
  return {
    norm: clipNorm,
    ...(clipParameterNorm === 0 ? {} : { parameterNorm: clipParameterNorm }),
    ...(clipValue === 0 ? {} : { value: clipValue }),
  };
}

/** When the training loop lowers the learning rate by itself, and when it stops. */
export function endingsOf({ plateau, stopAtLoss }: TrainingControls): Pick<TrainOptions, "plateau" | "stopAtLoss"> {
  return {
    ...(plateau === 0 ? {} : { plateau: { patience: plateau } }),
    ...(stopAtLoss === 0 ? {} : { stopAtLoss }),
  };
}

/** The average's options of a model that is trained for at most `steps` steps. */
export function averagingOf(
  { average, averageDecay }: TrainingControls,
  steps: number,
): Pick<ModelOptions, "averageDecay" | "stochasticAverage"> {
  if (average === "swa") return { stochasticAverage: { from: Math.max(1, Math.floor(0.75 * steps)) } };
  return average === "ema" ? { averageDecay } : {};
}

export function inRange(
  where: string,
  given: number | undefined,
  inside: (value: number) => boolean,
  expected: string,
): void {
  if (given === undefined || inside(given)) return;
  throw new OptionError({ where, given: String(given), expected, mend: "give a number in this range" });
}
