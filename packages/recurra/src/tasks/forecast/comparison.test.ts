import { describe, expect, it } from "vitest";
import { type CellRun, compareRuns, type Finished } from "./comparison.ts";
import type { ErrorTable, PreparationReport } from "./types.ts";

const report: PreparationReport = {
  seriesCount: 1,
  timesteps: 100,
  intervalMs: undefined,
  interval: undefined,
  season: 12,
  windows: { train: 70, validation: 10, test: 20 },
  notes: [],
};

const table = (mae: number): ErrorTable => ({
  mae,
  mse: mae ** 2,
  rmse: mae,
  smape: mae,
  mase: mae,
  rse: mae,
  scaled: { mse: mae, mae },
});
const finding = {
  kind: "healthy",
  layer: "0.gru",
  reachSteps: 8,
  seen: "fine.",
  mend: "",
  sentence: "0.gru: fine.",
} as const;

interface Told {
  readonly parameters?: number;
  readonly test?: number;
  readonly secondsPerEpoch?: number;
}

/** Runs with seeds 1, 2, …, one for each validation error; the seasonal naive forecast has 10, the last value 20. */
function runsOf(cell: string, validation: readonly number[], told: Told = {}): CellRun[] {
  const { parameters = 100, test = 5, secondsPerEpoch = 1 } = told;
  const scores = (mae: number) => ({ model: table(mae), seasonalNaive: table(10), lastValue: table(20) });
  return validation.map((mae, k) => ({
    cell,
    seed: k + 1,
    metrics: { validation: scores(mae), test: scores(test) },
    parameters,
    memoryBytes: 1000,
    epochs: 3,
    bestEpoch: 2,
    secondsPerEpoch,
    seconds: 4,
    gradient: { steps: 8, before: finding, after: finding },
  }));
}

function comparison(runs: readonly CellRun[], more: Partial<Finished> = {}) {
  const cells = [...new Set(runs.map(({ cell }) => cell))];
  return compareRuns({ source: "x.csv", report, segment: 4, cells, runs, failed: [], ...more });
}

describe("the choice among cells", () => {
  it("is the smallest error on validation, whatever the test part says", () => {
    const { choice, verdict } = comparison([
      ...runsOf("rnn", [8, 8.2], { test: 1, parameters: 50 }),
      ...runsOf("lstm", [6, 6.2], { test: 9 }),
    ]);
    expect(choice).toEqual({ kind: "cell", cell: "lstm" });
    expect(verdict).toBe(
      "Use lstm: it has the smallest error on validation, mean absolute error 6.1 ± 0.14. On validation it beats seasonal naive, the better naive forecast, by 39.0 %. On the test part, which had no say, its mean absolute error is 9, 10.0 % below that of seasonal naive.",
    );
  });

  it("is the smaller of two within the spread of the seeds, and the faster of two of one size", () => {
    const lstm = runsOf("lstm", [5.8, 6.4], { parameters: 1400 });
    const near = comparison([...lstm, ...runsOf("gru", [6, 6.6], { parameters: 1000 })]);
    expect(near.choice).toEqual({ kind: "cell", cell: "gru" });
    expect(near.verdict).toContain(
      "Use gru: on validation its mean absolute error, 6.3 ± 0.42, is that of lstm, 6.1 ± 0.42, within the spread of the seeds, and it is smaller, with 1,000 parameters against 1,400.",
    );
    const far = comparison([...lstm, ...runsOf("gru", [6.6, 7.2], { parameters: 1000 })]);
    expect(far.choice).toEqual({ kind: "cell", cell: "lstm" });
    const fast = comparison([...lstm, ...runsOf("sru", [6, 6.6], { parameters: 1400, secondsPerEpoch: 0.5 })]);
    expect(fast.verdict).toContain("Use sru: ");
    expect(fast.verdict).toContain("as large and faster, with 0.5 s per epoch against 1 s.");
  });

  it("is the naive forecast when that beats them all on validation", () => {
    const { choice, verdict } = comparison([...runsOf("rnn", [12, 13]), ...runsOf("gru", [11, 12])]);
    expect(choice).toEqual({ kind: "naive", forecaster: "seasonalNaive" });
    expect(verdict).toBe(
      "Use seasonal naive: on validation no candidate beats it. Its mean absolute error is 10, that of gru, the best of them, 11.5. On the test part, which had no say, gru has 5 and seasonal naive 10.",
    );
  });

  it("never is a cell that the naive forecast beats for being within the spread", () => {
    const { choice } = comparison([
      ...runsOf("rnn", [9, 12], { parameters: 10 }),
      ...runsOf("gru", [8.5, 11], { parameters: 1000 }),
    ]);
    expect(choice).toEqual({ kind: "cell", cell: "gru" });
  });

  it("comes with a warning when the test part contradicts it, and when there was one seed only", () => {
    const { verdict } = comparison(runsOf("gru", [6], { test: 11 }));
    expect(verdict).toContain("Use gru: it is the only candidate, mean absolute error 6.");
    expect(verdict).toContain("is 11, but seasonal naive has 10: do not rely on it.");
    expect(verdict).toMatch(/With one seed nothing is known of what chance adds: give more than one\.$/);
  });

  it("is made over the seeds that all have finished, and not at all before there is one", () => {
    const runs = [...runsOf("rnn", [8, 1]), ...runsOf("gru", [7])];
    const { choice, candidates } = comparison(runs);
    expect(candidates.map(({ seeds }) => seeds)).toEqual([[1], [1]]);
    expect(choice).toEqual({ kind: "cell", cell: "gru" });
    const early = comparison(runsOf("rnn", [8]), { cells: ["rnn", "gru"] });
    expect([early.choice, early.candidates.length]).toEqual([undefined, 1]);
    expect(early.verdict).toBe("Too little was finished to choose by: nothing is chosen.");
  });

  it("leaves out a cell that failed, which holds nobody up", () => {
    const { choice, candidates } = comparison([...runsOf("rnn", [1]), ...runsOf("gru", [7, 8])], {
      failed: [{ cell: "rnn", seed: 2, message: "diverged" }],
    });
    expect(choice).toEqual({ kind: "cell", cell: "gru" });
    expect(candidates.map(({ cell, seeds }) => [cell, seeds])).toEqual([
      ["rnn", [1]],
      ["gru", [1, 2]],
    ]);
  });
});
