/** What the command line asks of the library. Passed in, so that its tests need no training. */
import type { describeMachine, measureMachine, notices } from "recurra/inspect";
import type { CompareCells, LoadForecaster, PlanForecast, TrainForecaster } from "recurra/tasks";
import type { Io } from "./io.ts";

export interface Library {
  readonly trainForecaster: TrainForecaster;
  readonly planForecast: PlanForecast;
  readonly loadForecaster: LoadForecaster;
  readonly compareCells: CompareCells;
  readonly notices: typeof notices;
  readonly describeMachine: typeof describeMachine;
  readonly measureMachine: typeof measureMachine;
}

/** What every command is given. */
export interface Context {
  readonly io: Io;
  readonly library: Library;
}

export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
