/** The learning rate over a run: a factor of the rate given, from progress 0 (first step) to 1 (end). */
import { lookup } from "../base/errors.ts";

export type Schedule = (progress: number, step: number) => number;
export type ScheduleName = "constant" | "cosine" | "linear";

const named: Readonly<Record<ScheduleName, Schedule>> = {
  constant: () => 1,
  /** Half a cosine from 1 to 0 (Loshchilov and Hutter 2017, without restarts). */
  cosine: (progress) => 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress))),
  linear: (progress) => 1 - Math.min(1, progress),
};

/** @throws OptionError for an unknown name. */
export function parseSchedule(schedule: Schedule | ScheduleName): Schedule {
  return typeof schedule === "string" ? lookup("schedule", schedule, named) : schedule;
}

/** Rises from 0 over the first `steps` steps, then follows `schedule`. */
export function warmUp(steps: number, schedule: Schedule = named.constant): Schedule {
  return (progress, step) => Math.min(1, (step + 1) / steps) * schedule(progress, step);
}

/** Multiplies the rate by `factor` after every `share` of the run: stepwise(0.5, 0.1) halves it ten times. */
export function stepwise(factor: number, share: number): Schedule {
  return (progress) => factor ** Math.floor(progress / share);
}
