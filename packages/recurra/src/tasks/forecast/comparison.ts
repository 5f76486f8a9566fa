/** Cells compared: what was measured of each, which one to take, and why in words. Plain data. */
import type { Finding } from "../../inspect/types.ts";
import { betterNaive, type NaiveForecaster } from "./scoring.ts";
import type { ErrorTable, PreparationReport, Scores } from "./types.ts";

/** One candidate trained with one seed. */
export interface CellRun {
  readonly cell: string;
  readonly seed: number;
  readonly metrics: { readonly validation: Scores; readonly test: Scores };
  readonly parameters: number;
  /** All memory of the model while training: weights, optimizer, temporaries. */
  readonly memoryBytes: number;
  readonly epochs: number;
  readonly bestEpoch: number;
  /** Median over the epochs, each with its validation. */
  readonly secondsPerEpoch: number;
  /** From reading the table to the last score. */
  readonly seconds: number;
  /** How far the gradient reaches back on windows of the validation part, with the first weights and with the best ones. */
  readonly gradient: { readonly steps: number; readonly before: Finding; readonly after: Finding };
}

export interface FailedRun {
  readonly cell: string;
  readonly seed: number;
  readonly message: string;
}

export interface MeanSpread {
  readonly mean: number;
  /** Standard deviation over the seeds (n − 1); undefined with one seed. */
  readonly spread: number | undefined;
}

export type Measure = "mae" | "rmse" | "smape" | "mase";

/** One candidate over its seeds. */
export interface Candidate {
  readonly cell: string;
  readonly seeds: readonly number[];
  readonly validation: Readonly<Record<Measure, MeanSpread>>;
  readonly test: Readonly<Record<Measure, MeanSpread>>;
  readonly parameters: number;
  readonly memoryBytes: number;
  readonly secondsPerEpoch: MeanSpread;
  readonly seconds: MeanSpread;
  /** Steps of the recurrence over which the gradient keeps a hundredth of itself, of `steps` in all. */
  readonly reach: { readonly steps: number; readonly before: MeanSpread; readonly after: MeanSpread };
}

/** A candidate by its cell's name, or a naive forecast that none of them beats. */
export type Choice =
  | { readonly kind: "cell"; readonly cell: string }
  | { readonly kind: "naive"; readonly forecaster: NaiveForecaster };

export interface Comparison {
  readonly source: string;
  readonly report: PreparationReport;
  /** Timesteps in one step of the recurrence. */
  readonly segment: number;
  /** In the order asked for; those that finished no run are left out. */
  readonly candidates: readonly Candidate[];
  readonly baselines: Readonly<Record<"validation" | "test", Readonly<Record<NaiveForecaster, ErrorTable>>>>;
  /** Every finished run, also those that the means leave out. */
  readonly runs: readonly CellRun[];
  readonly failed: readonly FailedRun[];
  /** Undefined when too little was finished to choose by. */
  readonly choice: Choice | undefined;
  readonly verdict: string;
}

export interface Finished {
  readonly source: string;
  readonly report: PreparationReport;
  readonly segment: number;
  readonly cells: readonly string[];
  /** At least one. */
  readonly runs: readonly CellRun[];
  readonly failed: readonly FailedRun[];
}

/**
 * Means are over the seeds that every candidate finished, so that an interrupted comparison stays a fair one; while there is no such
 * seed, over what each one finished, and nothing is chosen. A candidate that failed with any seed is not chosen and holds nobody up.
 */
export function compareRuns({ source, report, segment, cells, runs, failed }: Finished): Comparison {
  const sound = cells.filter((cell) => !failed.some((run) => run.cell === cell));
  const has = (cell: string, seed: number) => runs.some((run) => run.cell === cell && run.seed === seed);
  const shared = new Set(runs.map(({ seed }) => seed).filter((seed) => sound.every((cell) => has(cell, seed))));
  const complete = sound.length > 0 && shared.size > 0;
  const candidates = cells.flatMap((cell) => {
    const own = runs.filter((run) => run.cell === cell);
    const counted = complete && sound.includes(cell) ? own.filter(({ seed }) => shared.has(seed)) : own;
    return counted.length === 0 ? [] : [candidateOf(cell, counted)];
  });
  const { validation, test } = runs[0]!.metrics;
  const baselines = { validation: naiveOf(validation), test: naiveOf(test) };
  const eligible = complete ? candidates.filter(({ cell }) => sound.includes(cell)) : [];
  const { choice, verdict } = choose(eligible, baselines, report.season);
  return { source, report, segment, candidates, baselines, runs, failed, choice, verdict };
}

function naiveOf({ seasonalNaive, lastValue }: Scores): Readonly<Record<NaiveForecaster, ErrorTable>> {
  return { seasonalNaive, lastValue };
}

function candidateOf(cell: string, runs: readonly CellRun[]): Candidate {
  const over = (of: (run: CellRun) => number) => meanSpread(runs.map(of));
  const errors = (part: "validation" | "test"): Readonly<Record<Measure, MeanSpread>> => ({
    mae: over(({ metrics }) => metrics[part].model.mae),
    rmse: over(({ metrics }) => metrics[part].model.rmse),
    smape: over(({ metrics }) => metrics[part].model.smape),
    mase: over(({ metrics }) => metrics[part].model.mase),
  });
  const { parameters, gradient } = runs[0]!;
  return {
    cell,
    seeds: runs.map(({ seed }) => seed),
    validation: errors("validation"),
    test: errors("test"),
    parameters,
    memoryBytes: Math.max(...runs.map(({ memoryBytes }) => memoryBytes)),
    secondsPerEpoch: over(({ secondsPerEpoch }) => secondsPerEpoch),
    seconds: over(({ seconds }) => seconds),
    reach: {
      steps: gradient.steps,
      before: over((run) => run.gradient.before.reachSteps),
      after: over((run) => run.gradient.after.reachSteps),
    },
  };
}

function meanSpread(values: readonly number[]): MeanSpread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length < 2) return { mean, spread: undefined };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, spread: Math.sqrt(squares / (values.length - 1)) };
}

type Chosen = Pick<Comparison, "choice" | "verdict">;

/** By validation alone: what has been chosen by the test part says nothing about new data. */
function choose(
  candidates: readonly Candidate[],
  { validation, test }: Comparison["baselines"],
  season: number,
): Chosen {
  const error = (candidate: Candidate) => candidate.validation.mae.mean;
  const best = candidates.filter((one) => !Number.isNaN(error(one))).sort((a, b) => error(a) - error(b))[0];
  if (best === undefined)
    return { choice: undefined, verdict: "Too little was finished to choose by: nothing is chosen." };
  const naive = betterNaive(validation, season);
  const naiveOnTest = betterNaive(test, season);
  if (!(error(best) < naive.mae)) {
    const onTest = ` On the test part, which had no say, ${best.cell} has ${short(best.test.mae.mean)} and ${naiveOnTest.name} ${short(naiveOnTest.mae)}.`;
    return {
      choice: { kind: "naive", forecaster: naive.forecaster },
      verdict: `Use ${naive.name}: on validation no candidate beats it. Its mean absolute error is ${short(naive.mae)}, that of ${best.cell}, the best of them, ${short(error(best))}.${Number.isNaN(naiveOnTest.mae) ? "" : onTest}`,
    };
  }
  const tied = candidates.filter(
    (one) => error(one) - error(best) <= sharedSpread(one, best) && error(one) < naive.mae,
  );
  const chosen = tied.sort(
    (a, b) => a.parameters - b.parameters || a.secondsPerEpoch.mean - b.secondsPerEpoch.mean,
  )[0]!;
  const sentences = [
    reason(chosen, best, candidates.length),
    `On validation it beats ${naive.name}, the better naive forecast, by ${percent(1 - error(chosen) / naive.mae)}.`,
    ...onTestPart(chosen, naiveOnTest),
    ...(chosen.seeds.length > 1 ? [] : ["With one seed nothing is known of what chance adds: give more than one."]),
  ];
  return { choice: { kind: "cell", cell: chosen.cell }, verdict: sentences.join(" ") };
}

/** Root mean square of the spreads of two candidates; 0 with one seed, when only equal errors tie. */
function sharedSpread(a: Candidate, b: Candidate): number {
  const [first, second] = [a.validation.mae.spread ?? 0, b.validation.mae.spread ?? 0];
  return Math.sqrt((first ** 2 + second ** 2) / 2);
}

function reason(chosen: Candidate, best: Candidate, candidates: number): string {
  const errorOf = ({ validation: { mae } }: Candidate) =>
    mae.spread === undefined
      ? short(mae.mean)
      : `${short(mae.mean)} ± ${mae.spread.toLocaleString("en-US", { maximumSignificantDigits: 2 })}`;
  if (chosen === best) {
    const among = candidates === 1 ? "it is the only candidate" : "it has the smallest error on validation";
    return `Use ${chosen.cell}: ${among}, mean absolute error ${errorOf(chosen)}.`;
  }
  const gain =
    chosen.parameters < best.parameters
      ? `smaller, with ${whole(chosen.parameters)} parameters against ${whole(best.parameters)}`
      : `as large and faster, with ${short(chosen.secondsPerEpoch.mean)} s per epoch against ${short(best.secondsPerEpoch.mean)} s`;
  return `Use ${chosen.cell}: on validation its mean absolute error, ${errorOf(chosen)}, is that of ${best.cell}, ${errorOf(best)}, within the spread of the seeds, and it is ${gain}.`;
}

function onTestPart(chosen: Candidate, naive: { readonly name: string; readonly mae: number }): string[] {
  const { mean } = chosen.test.mae;
  if (Number.isNaN(mean) || Number.isNaN(naive.mae)) return [];
  const intro = `On the test part, which had no say, its mean absolute error is ${short(mean)}`;
  return mean < naive.mae
    ? [`${intro}, ${percent(1 - mean / naive.mae)} below that of ${naive.name}.`]
    : [`${intro}, but ${naive.name} has ${short(naive.mae)}: do not rely on it.`];
}

function short(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

function whole(value: number): string {
  return value.toLocaleString("en-US");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
