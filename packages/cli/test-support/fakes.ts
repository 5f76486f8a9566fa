/** Stand-ins for the terminal and the library, so that the command line is tested without training anything. */
import type { Table } from "recurra/data";
import type { Machine, Rate } from "recurra/inspect";
import type {
  CellRun,
  CompareEvent,
  CompareOptions,
  Comparison,
  ErrorTable,
  ForecastEvent,
  Forecaster,
  ForecastOptions,
  ForecastPlan,
  Scores,
  WindowView,
} from "recurra/tasks";
import type { Io } from "../src/io.ts";
import type { Library } from "../src/library.ts";

export interface FakeIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
  /** Presses Ctrl-C. */
  readonly interrupt: () => void;
  readonly exits: readonly number[];
}

export function fakeIo({
  isTerminal = false,
  columns = 80,
}: {
  readonly isTerminal?: boolean;
  readonly columns?: number;
} = {}): FakeIo {
  let out = "";
  let err = "";
  let time = 0;
  const exits: number[] = [];
  const listeners = new Set<() => void>();
  const output = (write: (text: string) => void) => ({ write, isTerminal, columns: () => columns });
  return {
    stdout: output((text) => {
      out += text;
    }),
    stderr: output((text) => {
      err += text;
    }),
    now: () => {
      time += 20;
      return time;
    },
    onInterrupt: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    turn: async () => {},
    command: "recurra",
    exit: (code) => void exits.push(code),
    out: () => out,
    err: () => err,
    interrupt: () => listeners.forEach((listener) => void listener()),
    exits,
  };
}

const errors = (mae: number): ErrorTable => ({
  mse: mae ** 2 * 2,
  mae,
  rmse: mae * 1.4,
  smape: mae * 10,
  mase: mae / 2,
  rse: mae / 3,
  scaled: { mse: mae / 5, mae: mae / 4 },
});

export const fakeScores: Scores = {
  model: { ...errors(0.5), quantileLoss: 0.2, coverage: 0.8125 },
  seasonalNaive: errors(1),
  lastValue: errors(2),
};

export const fakeMachine: Machine = {
  engine: "Node 24.1.0",
  processor: "Engine No. 1",
  cores: 4,
  simd: true,
  relaxedSimd: true,
  sharedMemory: true,
  threads: 4,
  threadsAsked: undefined,
  backend: "native",
  kernels: "native avx512",
  whyNotNative: undefined,
};

export const fakeRates: readonly Rate[] = [
  { kernels: "native avx512", threads: 1, gflops: 143.04 },
  { kernels: "native avx512", threads: 4, gflops: 480.1 },
  { kernels: "plain", threads: 1, gflops: 24.5 },
  { kernels: "plain", threads: 4, gflops: 90 },
];

const fakePlan = (options: ForecastOptions): ForecastPlan => ({
  report: {
    seriesCount: 1,
    timesteps: 1000,
    intervalMs: 3_600_000,
    interval: "1 hour",
    season: 24,
    windows: { train: 700, validation: 100, test: 200 },
    notes: [],
  },
  settings: { horizon: options.horizon },
  sizes: { batch: 64, time: 10, steps: 1 },
  plan: {
    parameters: 12_345,
    weightBytes: 150_000,
    arenaBytes: 2_000_000,
    memoryBytes: 4_194_304,
    segments: undefined,
    kernels: "native avx512",
    threads: 4,
    multiplyAdds: { perTimestep: 10_000, predict: 6_400_000, train: 19_200_000 },
  },
  stepMs: 2.5,
  measuredSteps: 200,
  stepsPerEpoch: 11,
  epochMs: 27.5,
  epochs: 55,
});

export interface FakeLibrary extends Library {
  /** Tables and options that were given to it. */
  readonly tables: Table[];
  readonly trained: ForecastOptions[];
  readonly compared: CompareOptions[];
}

/** Forecasts the last value. `beforeEpoch` runs between epochs, to press Ctrl-C or to fail. */
export function fakeLibrary(beforeEpoch: (epoch: number) => void = () => {}): FakeLibrary {
  const tables: Table[] = [];
  const trained: ForecastOptions[] = [];
  const compared: CompareOptions[] = [];
  return {
    compared,
    compareCells: (table, options, control) => {
      tables.push(table);
      compared.push(options);
      return { [Symbol.asyncIterator]: () => fakeComparing(table, options, beforeEpoch, control?.signal) };
    },
    tables,
    trained,
    planForecast: async (table, options) => {
      tables.push(table);
      return fakePlan(options);
    },
    notices: () => [],
    describeMachine: () => fakeMachine,
    measureMachine: async () => fakeRates,
    loadForecaster: (files) => {
      const content: unknown = JSON.parse(new TextDecoder().decode(files.get("model.json")));
      return fakeForecaster(content as ForecastOptions, tables); // written by toFiles below
    },
    trainForecaster: (table, options, control) => {
      tables.push(table);
      trained.push(options);
      return {
        forecaster: () => fakeForecaster(options, tables),
        [Symbol.asyncIterator]: () => fakeEvents(table, beforeEpoch, control?.signal),
      };
    },
  };
}

async function* fakeEvents(
  table: Table,
  beforeEpoch: (epoch: number) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<ForecastEvent, undefined> {
  const windows = { train: 700, validation: 100, test: 200 };
  yield {
    event: "prepared",
    report: {
      seriesCount: 1,
      timesteps: table.rowCount,
      intervalMs: 3_600_000,
      interval: "1 hour",
      season: 24,
      windows,
      notes: ["OT: 2 missing values interpolated"],
    },
    parameters: 12_345,
    settings: {},
  };
  const epochs = 2;
  let epoch = 0;
  for (;;) {
    beforeEpoch(epoch + 1);
    if (signal?.aborted === true || epoch === epochs) break;
    epoch++;
    yield {
      event: "progress",
      epoch,
      epochs,
      step: 1,
      steps: 2,
      loss: 1 / epoch,
      gradientNorm: 0.5,
      sequencesPerSecond: 1000,
      secondsLeft: 65,
    };
    yield {
      event: "epoch",
      epoch,
      epochs,
      loss: 0.9 / epoch,
      validationLoss: 0.8 / epoch,
      best: true,
      gradientNorm: { mean: 0.5, largest: 2 },
      seconds: 2,
      sequencesPerSecond: 1234,
    };
  }
  yield {
    event: "done",
    metrics: { validation: fakeScores, test: fakeScores },
    best: { epoch, validationLoss: 0.8 / Math.max(1, epoch) },
    stopped: signal?.aborted === true ? "aborted" : "epochs",
    seconds: 4,
    verdict: "On the test the model beats both naive forecasts.",
  };
  return undefined;
}

/** Every run reaches the same errors; `beforeEpoch` runs before each, with its number. The second cell is chosen. */
async function* fakeComparing(
  table: Table,
  { cells, seeds = [] }: CompareOptions,
  beforeEpoch: (run: number) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<CompareEvent, undefined> {
  const plan = seeds.flatMap((seed) => cells.map((cell) => ({ cell, seed })));
  const runs: CellRun[] = [];
  let report: Comparison["report"] | undefined;
  for (const [k, place] of plan.entries()) {
    beforeEpoch(k + 1);
    if (signal?.aborted === true) break;
    yield { event: "started", ...place, run: k + 1, runs: plan.length };
    for await (const event of fakeEvents(table, () => {}, undefined)) {
      if (event.event === "prepared") report = event.report;
      if (event.event !== "done") yield { ...event, ...place };
    }
    const run = fakeCellRun(place.cell, place.seed);
    runs.push(run);
    yield { event: "trained", run };
  }
  if (report === undefined) return undefined;
  const stopped = signal?.aborted === true ? "aborted" : "finished";
  yield { event: "done", stopped, comparison: fakeComparison(report, cells, runs) };
  return undefined;
}

function fakeCellRun(cell: string, seed: number): CellRun {
  const seen = "it reaches all 4 steps.";
  const finding = { kind: "healthy", layer: "0", reachSteps: 4, seen, mend: "", sentence: `0: ${seen}` } as const;
  return {
    cell,
    seed,
    metrics: { validation: fakeScores, test: fakeScores },
    parameters: 12_345,
    memoryBytes: 2 ** 21,
    epochs: 2,
    bestEpoch: 2,
    secondsPerEpoch: 2,
    seconds: 4,
    gradient: { steps: 4, before: { ...finding, kind: "vanishing", reachSteps: 2 }, after: finding },
  };
}

function fakeComparison(report: Comparison["report"], cells: readonly string[], runs: readonly CellRun[]): Comparison {
  const { seasonalNaive, lastValue } = fakeScores;
  const spread = { mean: 0.5, spread: 0.0123 };
  const errors = { mae: spread, rmse: spread, smape: spread, mase: { mean: 0.25, spread: undefined } };
  return {
    source: "data.csv",
    report,
    segment: 6,
    candidates: cells.map((cell) => ({
      cell,
      seeds: runs.filter((run) => run.cell === cell).map(({ seed }) => seed),
      validation: errors,
      test: errors,
      parameters: 12_345,
      memoryBytes: 2 ** 21,
      secondsPerEpoch: { mean: 2, spread: 0 },
      seconds: { mean: 4, spread: 0 },
      reach: { steps: 4, before: { mean: 2.333, spread: 0.5 }, after: { mean: 4, spread: 0 } },
    })),
    baselines: { validation: { seasonalNaive, lastValue }, test: { seasonalNaive, lastValue } },
    runs,
    failed: [],
    choice: { kind: "cell", cell: cells[1]! },
    verdict: `Use ${cells[1]}: it has the smallest error on validation.`,
  };
}

function fakeForecaster(options: ForecastOptions, tables: Table[]): Forecaster {
  const target = typeof options.target === "string" ? options.target : options.target[0]!;
  return {
    options,
    predict: (table) => {
      tables.push(table);
      const column = table.columns.find(({ name }) => name === target);
      const last = column?.kind === "number" ? column.values.at(-1)! : 0;
      const start = Date.UTC(2020, 0, 1);
      return {
        rows: Array.from({ length: options.horizon }, (_, k) => ({
          series: "",
          time: start + k * 3_600_000,
          target,
          forecast: last,
          quantiles: [last - 1, last + 1],
        })),
        quantiles: [0.1, 0.9],
        timed: true,
        notes: ["not seen in training, scaled by their own history: b"],
      };
    },
    evaluate: (table) => {
      tables.push(table);
      return { scores: fakeScores, notes: ["OT: 1 missing value interpolated"] };
    },
    backtest: (table, { origins = 2, step = 24 } = {}) => {
      tables.push(table);
      return {
        origins: Array.from({ length: origins }, (_, k) => ({
          stepsBeforeEnd: options.horizon + (origins - 1 - k) * step,
          time: Date.UTC(2020, 0, 1) + k * step * 3_600_000,
          scores: fakeScores,
        })),
        overall: fakeScores,
        timed: true,
        notes: ["OT: 1 missing value interpolated"],
      };
    },
    views: () => [fakeView({ target, horizon: options.horizon })],
    toFiles: () =>
      new Map([
        ["model.json", new TextEncoder().encode(JSON.stringify(options))],
        ["weights.safetensors", new Uint8Array([1, 2, 3])],
        ["README.md", new TextEncoder().encode("# A forecaster\n\nOne gated recurrent unit.\n")],
      ]),
  };
}

/** A daily wave, hour by hour. */
export function fakeView({ target = "OT", series = "a", horizon = 24, timed = true, withBand = true }): WindowView {
  const times = (from: number, count: number) =>
    Array.from({ length: count }, (_, k) => (timed ? Date.UTC(2018, 5, 1) + (from + k) * 3_600_000 : from + k));
  const wave = (from: number, count: number, shift: number) =>
    Array.from(
      { length: count },
      (_, k) => 10 + 5 * Math.sin((2 * Math.PI * (from + k)) / 24) + shift + Math.cos(from + k),
    );
  const forecast = wave(96, horizon, 0.4);
  return {
    series,
    target,
    timed,
    pastTimes: times(0, 96),
    past: wave(0, 96, 0),
    futureTimes: times(96, horizon),
    actual: wave(96, horizon, 0),
    forecast,
    seasonalNaive: wave(72, horizon, 0),
    quantiles: withBand
      ? [
          { level: 0.1, values: forecast.map((value) => value - 2) },
          { level: 0.5, values: forecast },
          { level: 0.9, values: forecast.map((value) => value + 2) },
        ]
      : [],
  };
}
