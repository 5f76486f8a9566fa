/** The learning rate over a run: a factor of the rate given, from progress 0 (first step) to 1 (end). */
import { lookup } from "../base/errors.ts";

export type Schedule = (progress: number, step: number) => number;
export type ScheduleName = "constant" | "cosine" | "linear" | "step" | "exponential" | "oneCycle" | "warmUp";

/** @throws OptionError for an unknown name. */
export function parseSchedule(schedule: Schedule | ScheduleName): Schedule {
  return typeof schedule === "string" ? lookup("schedule", schedule, named) : schedule;
}

/** Half a cosine from 1 to 0 (Loshchilov and Hutter 2017, without restarts). */
export const cosine: Schedule = (progress) => 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));

/** Rises from 0 over the first `steps` steps, then follows `schedule`. */
export function warmUp(steps: number, schedule: Schedule = constant): Schedule {
  return (progress, step) => Math.min(1, (step + 1) / steps) * schedule(progress, step);
}

/** Multiplies the rate by `factor` after every `share` of the run: stepwise(0.5, 0.1) halves it ten times. */
export function stepwise(factor: number, share: number): Schedule {
  return (progress) => factor ** Math.floor(progress / share);
}

/** Falls by the same factor at each step, to `last` at the end of the run: lastᵖʳᵒᵍʳᵉˢˢ. */
export function exponential(last = 0.01): Schedule {
  return (progress) => last ** Math.min(1, progress);
}

export interface OneCycleOptions {
  /** The share of the run after which the rate is highest. Default 0.3. */
  readonly peak?: number;
  /** Factors at the start and at the end. Default 1/25 and 1/250000. */
  readonly first?: number;
  readonly last?: number;
}

/** One cycle (Smith and Topin 2018, arXiv:1708.07120): half a cosine up to the rate given, half a cosine down. */
export function oneCycle({ peak = 0.3, first = 1 / 25, last = 4e-6 }: OneCycleOptions = {}): Schedule {
  const between = (from: number, to: number, share: number) => to + (from - to) * cosine(share, 0);
  return (progress) =>
    progress < peak
      ? between(first, 1, progress / peak)
      : between(1, last, Math.min(1, (progress - peak) / (1 - peak)));
}

/** One after the other: each schedule has its share of the run and sees it as a run of its own. Shares are scaled to a sum of 1. */
export function inTurn(...parts: readonly { readonly share: number; readonly schedule: Schedule }[]): Schedule {
  const whole = parts.reduce((sum, { share }) => sum + share, 0);
  return (progress, step) => {
    let start = 0;
    for (const [i, { share, schedule }] of parts.entries()) {
      const size = share / whole;
      if (progress < start + size || i === parts.length - 1) return schedule((progress - start) / size, step);
      start += size;
    }
    return 1;
  };
}

const constant: Schedule = () => 1;
const named: Readonly<Record<ScheduleName, Schedule>> = {
  constant,
  cosine,
  linear: (progress) => 1 - Math.min(1, progress),
  /** A tenth after each third of the run. */
  step: stepwise(0.1, 1 / 3),
  exponential: exponential(),
  oneCycle: oneCycle(),
  /** Up for a twentieth of the run, then down along half a cosine. */
  warmUp: inTurn({ share: 0.05, schedule: (progress) => progress }, { share: 0.95, schedule: cosine }),
};

export const scheduleNames = Object.keys(named) as readonly ScheduleName[]; // The keys are the type.

export interface PlateauOptions {
  /** Multiplies the rate. Default 0.1. */
  readonly factor?: number;
  /** Epochs without a better loss that are borne before the rate falls. Default 10. */
  readonly patience?: number;
  /** A loss is better when it is below best · (1 − threshold). Default 1e-4. */
  readonly threshold?: number;
  /** Epochs after a fall in which nothing is counted. Default 0. */
  readonly cooldown?: number;
  /** The smallest factor of all falls together. Default 0. */
  readonly least?: number;
}

/** The factor for the next epoch from the validation losses of all epochs so far, as PyTorch's ReduceLROnPlateau. */
export function plateau(
  losses: readonly number[],
  { factor = 0.1, patience = 10, threshold = 1e-4, cooldown = 0, least = 0 }: PlateauOptions = {},
): number {
  let best = Number.POSITIVE_INFINITY;
  let [rate, bad, cooling] = [1, 0, 0];
  for (const loss of losses) {
    if (loss < best * (1 - threshold)) [best, bad] = [loss, 0];
    else bad++;
    if (cooling > 0) [cooling, bad] = [cooling - 1, 0];
    if (bad > patience) [rate, cooling, bad] = [Math.max(rate * factor, least), cooldown, 0];
  }
  return rate;
}
