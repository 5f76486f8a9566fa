/** Cells compared on the caller's own data: each trained on the same split with the same seeds, and looked at. */
import { DataError, OptionError, ShapeError, TrainingError } from "../../base/errors.ts";
import type { Table } from "../../data/table.ts";
import { inspectGradients } from "../../inspect/flow.ts";
import type { GradientFlow } from "../../inspect/types.ts";
import type { Batch, Model } from "../../train/model.ts";
import { type CellRun, type Comparison, compareRuns, type FailedRun } from "./comparison.ts";
import { forecastEvents } from "./run.ts";
import { checkOptions } from "./settings.ts";
import type { ForecastEvent, ForecastOptions, PreparationReport } from "./types.ts";

/** Everything that a forecast is trained with, the same for all candidates. */
export interface CompareOptions extends Omit<ForecastOptions, "cell" | "seed"> {
  /** The candidates by name, each once. */
  readonly cells: readonly string[];
  /** Each candidate is trained once with each. Default 1, 2, 3. */
  readonly seeds?: readonly number[];
}

type During<Event> = Event & { readonly cell: string; readonly seed: number };

export type CompareEvent =
  | During<{ readonly event: "started"; readonly run: number; readonly runs: number }>
  | During<Exclude<ForecastEvent, { readonly event: "done" }>>
  | { readonly event: "trained"; readonly run: CellRun }
  | During<{ readonly event: "failed"; readonly message: string }>
  | { readonly event: "done"; readonly stopped: "finished" | "aborted"; readonly comparison: Comparison };

export type CompareCells = (
  table: Table,
  options: CompareOptions,
  control?: { readonly signal?: AbortSignal },
) => AsyncIterable<CompareEvent>;

/** Windows that gradients are looked at with. */
const inspectedWindows = 64;

/**
 * Trains every candidate with every seed, one after the other: seed by seed, so that a comparison that is aborted has treated all
 * alike. Each run is the one that `trainForecaster` makes with that cell and seed. An abort ends the run in progress; the last
 * event compares what was finished before, and is missing when that is nothing. A candidate whose training diverges, or whose
 * inputs are not those of this network, is told of and left out.
 *
 *     for await (const event of compareCells(table, { target: "OT", horizon: 24, cells: ["rnn", "gru", "lstm"] }))
 *       if (event.event === "done") console.log(event.comparison.verdict);
 *
 * @throws OptionError at once for options outside their range; while iterating DataError, also without windows for validation,
 * which decide, and the first failure when no candidate could be trained.
 */
export const compareCells: CompareCells = (table, options, control = {}) => {
  checkList("cells", options.cells, "rnn, gru, lstm");
  const seeds = options.seeds ?? [1, 2, 3];
  checkList("seeds", seeds, "1, 2, 3");
  const { cells, seeds: _, ...shared } = options;
  const plan = seeds.flatMap((seed) => cells.map((cell): ForecastOptions & Named => ({ ...shared, cell, seed })));
  plan.forEach(checkOptions);
  return { [Symbol.asyncIterator]: () => compare(table, plan, cells, control.signal) };
};

interface Named {
  readonly cell: string;
  readonly seed: number;
}

async function* compare(
  table: Table,
  plan: readonly (ForecastOptions & Named)[],
  cells: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CompareEvent, void, undefined> {
  const runs: CellRun[] = [];
  const failed: FailedRun[] = [];
  let prepared: { report: PreparationReport; segment: number } | undefined;
  let firstFailure: Error | undefined;
  let stopped: "finished" | "aborted" = "finished";
  for (const [number, options] of plan.entries()) {
    const { cell, seed } = options;
    if (failed.some((run) => run.cell === cell)) continue;
    if (signal?.aborted === true) {
      stopped = "aborted";
      break;
    }
    yield { event: "started", cell, seed, run: number + 1, runs: plan.length };
    const watch = new RunWatch();
    try {
      for await (const event of forecastEvents(table, options, signal, watch)) {
        if (event.event === "prepared") {
          checkValidation(event.report);
          prepared = { report: event.report, segment: Number(event.settings["segment"]) };
        }
        watch.see(event);
        if (event.event !== "done") yield { ...event, cell, seed };
        else if (event.stopped === "aborted") stopped = "aborted";
        else {
          const run: CellRun = { cell, seed, ...watch.result(event) };
          runs.push(run);
          yield { event: "trained", run };
        }
      }
    } catch (error) {
      if (!(error instanceof TrainingError || error instanceof ShapeError)) throw error;
      firstFailure ??= error;
      failed.push({ cell, seed, message: error.message });
      yield { event: "failed", cell, seed, message: error.message };
    }
  }
  if (prepared === undefined || runs.length === 0) {
    if (firstFailure !== undefined && signal?.aborted !== true) throw firstFailure;
    return;
  }
  const comparison = compareRuns({ source: table.source, ...prepared, cells, runs, failed });
  yield { event: "done", stopped, comparison };
}

type Done = Extract<ForecastEvent, { event: "done" }>;

/** What is measured of one run beside its errors. */
class RunWatch {
  readonly #epochSeconds: number[] = [];
  #parameters = 0;
  #look: { readonly model: Model; readonly batch: () => Batch; readonly before: GradientFlow } | undefined;
  /** Looking is no part of the run's time. */
  #lookSeconds = 0;

  begin(model: Model, windows: (most: number) => Batch): void {
    const started = performance.now();
    const batch = () => windows(inspectedWindows);
    this.#look = { model, batch, before: inspectGradients(model, batch()) };
    this.#lookSeconds = (performance.now() - started) / 1000;
  }

  see(event: ForecastEvent): void {
    if (event.event === "prepared") this.#parameters = event.parameters;
    if (event.event === "epoch") this.#epochSeconds.push(event.seconds);
  }

  result({ metrics, best, seconds }: Done): Omit<CellRun, "cell" | "seed"> {
    const { model, batch, before } = this.#look!; // a run that is done has begun
    const after = inspectGradients(model, batch());
    return {
      metrics,
      parameters: this.#parameters,
      memoryBytes: model.footprint.memoryBytes,
      epochs: this.#epochSeconds.length,
      bestEpoch: best.epoch,
      secondsPerEpoch: median(this.#epochSeconds),
      seconds: seconds - this.#lookSeconds,
      gradient: {
        steps: after.layers[0]!.steps, // the network of a forecast has one recurrence, whatever its depth
        before: before.findings[0]!,
        after: after.findings[0]!,
      },
    };
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

function checkList(where: string, given: readonly (string | number)[], example: string): void {
  const twice = given.find((one, i) => given.indexOf(one) !== i);
  if (given.length > 0 && twice === undefined) return;
  throw new OptionError({
    where,
    given: given.length === 0 ? "empty" : given.join(", "),
    expected: twice === undefined ? "at least one" : `each once, not ${twice} again`,
    mend: `for example ${example}`,
  });
}

/** Without validation windows nothing but the test part could decide, and that is kept for the last word. */
function checkValidation({ windows }: PreparationReport): void {
  if (windows.validation > 0) return;
  throw new DataError({
    where: "the validation part",
    given: "too short for a window",
    expected: "one or more windows, as they decide which cell is chosen",
    mend: "give validation a larger part of the split, or more data",
  });
}
