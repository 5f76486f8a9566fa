/** Small seeded series and short trainings for the tests of forecasting. */
import { createRandom } from "recurra";
import type { Table } from "recurra/data";
import {
  type ForecastEvent,
  type Forecaster,
  type ForecastOptions,
  type ForecastResult,
  trainForecaster,
} from "recurra/tasks";

export type Done = Extract<ForecastEvent, { event: "done" }>;
export type Columns = Record<string, unknown[]>;

export const hourMs = 3_600_000;
export const firstTime = Date.UTC(2024, 0, 1);
export const hours = (count: number) => Array.from({ length: count }, (_, t) => new Date(firstTime + t * hourMs));
export const first = (columns: Columns, count: number): Columns =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(0, count)]));
export const last = (columns: Columns, count: number): Columns =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(values.length - count)]));

/** A daily wave with noise, hour by hour. */
export function wave(count: number, seed = 1, noise = 0.3): Columns {
  const random = createRandom(seed);
  const y = Array.from(
    { length: count },
    (_, t) => 20 + 5 * Math.sin((2 * Math.PI * t) / 24) + noise * random.normal(),
  );
  return { date: hours(count), y };
}

/** A training that takes a moment, with the moving average of a long one. */
export const quick = {
  target: "y",
  horizon: 6,
  past: 24,
  season: 24,
  window: "last",
  hiddenSize: 16,
  dropout: 0,
  epochs: 2,
  windowsPerEpoch: 320,
  batchSize: 32,
  learningRate: 0.01,
} as const satisfies ForecastOptions;

/** The same with a moving average that so short a training can use. */
export const small = { ...quick, averageDecay: 0.9 } as const satisfies ForecastOptions;

export interface Trained {
  readonly forecaster: Forecaster;
  readonly done: Done;
  readonly events: readonly ForecastEvent[];
}

export async function trained(
  table: Table,
  options: ForecastOptions,
  control?: { signal: AbortSignal },
): Promise<Trained> {
  const run = trainForecaster(table, options, control);
  const events: ForecastEvent[] = [];
  for await (const event of run) events.push(event);
  return { forecaster: run.forecaster(), done: events.at(-1) as Done, events }; // the last event is always "done"
}

export const weightsOf = (forecaster: Forecaster) => Buffer.from(forecaster.toFiles().get("weights.safetensors")!);

export async function refusal(table: Table, options: ForecastOptions): Promise<string> {
  try {
    await trained(table, options);
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`; // everything thrown here is an Error
  }
  return "no error";
}

export function quantilesAscend({ rows }: Pick<ForecastResult, "rows">): boolean {
  return rows.every(({ quantiles }) => quantiles.every((value, q) => q === 0 || value >= quantiles[q - 1]!));
}
