/** Every choice of a forecasting run, spelled out: what the caller gave, and for the rest what suits the data. */
import { OptionError } from "../../base/errors.ts";
import { cellNamed } from "../../cells/registry.ts";
import { type CalendarFeature, chooseCalendar } from "../../data/calendar.ts";
import type { WindowNormalization } from "../../data/gather.ts";
import type { Interval } from "../../data/interval.ts";
import { defaultSeason } from "../../data/season.ts";
import { checkControls, inRange, type TrainingControls, trainingControls } from "./controls.ts";
import type { ForecastOptions, Residual } from "./types.ts";

/** Plain data: stored with the model, enough to build its network, feed and train it. */
export interface Settings extends TrainingControls {
  readonly horizon: number;
  readonly past: number;
  readonly season: number;
  /** Timesteps in one step of the recurrence: over the past, and over the horizon. */
  readonly segment: number;
  readonly outputSegment: number;
  readonly scale: "standard" | "log" | "none";
  readonly window: WindowNormalization;
  readonly residual: Residual;
  readonly quantiles: readonly number[];
  readonly calendar: readonly CalendarFeature[];
  /** Whether filled values are marked for the network and left out of the loss. */
  readonly masked: boolean;
  readonly cell: string;
  readonly hiddenSize: number;
  readonly depth: number;
  readonly dropout: number;
  readonly loss: "mse" | "mae" | "huber";
  readonly learningRate: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly patience: number;
  readonly windowsPerEpoch: number;
  /** Whether a learned vector tells the target columns apart in the decoder. */
  readonly channelEmbedding: boolean;
  readonly stride: number;
  readonly seed: number;
  readonly strict: boolean;
}

/** Refuses options outside their range, before any data is read. @throws OptionError */
export function checkOptions(options: ForecastOptions): void {
  for (const name of [
    "horizon",
    "past",
    "segment",
    "stride",
    "season",
    "hiddenSize",
    "depth",
    "batchSize",
    "epochs",
    "patience",
    "windowsPerEpoch",
  ] as const) {
    const given = options[name];
    if (given === undefined || (Number.isInteger(given) && given >= 1)) continue;
    throw new OptionError({ where: name, given: String(given), expected: "1, 2, 3, …", mend: "give a whole number" });
  }
  inRange("learningRate", options.learningRate, (x) => x > 0 && x < Number.POSITIVE_INFINITY, "a positive number");
  inRange("dropout", options.dropout, (x) => x >= 0 && x < 1, "at least 0 and below 1");
  inRange("seed", options.seed, (x) => Number.isSafeInteger(x) && x >= 0, "a whole number, 0 or more");
  if (options.cell !== undefined) cellNamed(options.cell);
  checkControls(options);
  const levels = options.quantiles ?? [];
  const ascending = levels.every((level, i) => level > 0 && level < 1 && (i === 0 || level > levels[i - 1]!));
  if (!ascending) {
    throw new OptionError({
      where: "quantiles",
      given: levels.join(", "),
      expected: "levels between 0 and 1, ascending",
      mend: "for example 0.1, 0.5, 0.9",
    });
  }
}

/** Completes the options. `window` is "last" where "auto" was asked for: `chooseWindow` replaces it. @throws OptionError when choices contradict each other. */
export function resolveSettings(options: ForecastOptions, interval: Interval, hasMissing: boolean): Settings {
  const season = options.season ?? defaultSeason(interval);
  const past = options.past ?? defaultPast(options.horizon, season);
  const segment = options.segment ?? defaultSegment(past, season);
  if (past % segment !== 0) {
    throw new OptionError({
      where: "segment",
      given: String(segment),
      expected: `a divisor of past, which is ${past}`,
      mend: `choose segment ${largestDivisor(past, segment)} or past ${Math.max(1, Math.round(past / segment)) * segment}`,
    });
  }
  const residual = options.residual ?? "none";
  const needed = { none: 0, lastValue: 1, seasonalNaive: season, seasonalBlend: 7 * season }[residual];
  if (past < needed) {
    throw new OptionError({
      where: "past",
      given: String(past),
      expected: `at least ${needed} for residual "${residual}"`,
      mend: "look back further, or forecast no residual",
    });
  }
  return {
    horizon: options.horizon,
    past,
    season,
    segment,
    outputSegment: largestDivisor(options.horizon, segment),
    scale: options.scale ?? "standard",
    window: options.window === undefined || options.window === "auto" ? "last" : options.window,
    residual,
    quantiles: options.quantiles ?? [],
    calendar: chooseCalendar(options.calendar ?? "none", interval),
    masked: hasMissing,
    cell: options.cell ?? "gru",
    hiddenSize: options.hiddenSize ?? 128,
    depth: options.depth ?? 1,
    dropout: options.dropout ?? 0.3,
    loss: options.loss ?? "mae",
    learningRate: options.learningRate ?? 2e-3,
    batchSize: options.batchSize ?? 64,
    epochs: options.epochs ?? 10,
    patience: options.patience ?? 3,
    windowsPerEpoch: options.windowsPerEpoch ?? 20_000,
    channelEmbedding: options.channelEmbedding ?? true,
    ...trainingControls(options),
    stride: options.stride ?? 1,
    seed: options.seed ?? 1,
    strict: options.strict ?? false,
  };
}

/** Four seasons, or twice the horizon where that is more, in whole seasons. */
function defaultPast(horizon: number, season: number): number {
  return Math.max(4 * season, Math.ceil((2 * horizon) / season) * season, 16);
}

/** A season where it divides the past into at least four steps, doubled while the recurrence would be longer than 20. */
function defaultSegment(past: number, season: number): number {
  let segment = largestDivisor(past, Math.max(1, Math.min(season, Math.floor(past / 4))));
  while (past / segment > 20 && past % (2 * segment) === 0 && season > 1) segment *= 2;
  return segment;
}

/** Small data needs more epochs for as many steps of the optimizer: at least 600, and 100 before patience ends. */
export function withEpochs(settings: Settings, options: ForecastOptions, trainingWindows: number): Settings {
  const stepsPerEpoch = stepsPerEpochOf(settings, trainingWindows);
  return {
    ...settings,
    epochs: options.epochs ?? Math.min(100, Math.max(10, Math.ceil(600 / stepsPerEpoch))),
    patience: options.patience ?? Math.min(30, Math.max(3, Math.ceil(100 / stepsPerEpoch))),
  };
}

export function stepsPerEpochOf(
  { windowsPerEpoch, batchSize, accumulate }: Settings,
  trainingWindows = Number.POSITIVE_INFINITY,
): number {
  return Math.ceil(Math.min(trainingWindows, windowsPerEpoch) / (batchSize * accumulate));
}

function largestDivisor(whole: number, limit: number): number {
  let divisor = Math.min(whole, limit);
  while (whole % divisor !== 0) divisor--;
  return divisor;
}
