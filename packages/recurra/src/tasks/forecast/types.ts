/** What goes into and comes out of a forecasting run. Plain data, shared by the library and the command line. */
import type { CalendarFeature } from "../../data/calendar.ts";
import type { WindowNormalization } from "../../data/gather.ts";
import type { Part } from "../../data/split.ts";
import type { Table } from "../../data/table.ts";
import type { ModelPlan } from "../../train/model.ts";
import type { OptimizerName } from "../../train/optimizers/named.ts";
import type { ScheduleName } from "../../train/schedules.ts";
import type { TrainEvent } from "../../train/train.ts";

export interface ForecastOptions {
  /** Column or columns to forecast. */
  readonly target: string | readonly string[];
  /** Timesteps to forecast. */
  readonly horizon: number;
  /** Timesteps the network looks back on. Default: chosen from the season and the horizon. */
  readonly past?: number;
  /** Time column. Default: the only column of times. */
  readonly time?: string;
  /** Column that names the series a row belongs to. Default: all rows are one series. */
  readonly series?: string;
  /** Columns known only up to now. */
  readonly pastCovariates?: readonly string[];
  /** Columns known for the future too (prices, holidays): the file given to `predict` must hold them. */
  readonly futureCovariates?: readonly string[];
  /** Columns constant within a series, numeric or text. */
  readonly staticCovariates?: readonly string[];
  /** Text (or number) columns to treat as categories, among the covariates above. */
  readonly categorical?: readonly string[];
  /** Calendar features made from the time column. Default "none". */
  readonly calendar?: "auto" | "none" | readonly CalendarFeature[];
  /** What is done to gaps and missing numbers. Default "interpolate". "error" refuses them. */
  readonly missing?: "interpolate" | "mask" | "error";
  /** The scale the network works in: each series standardised, logarithms (positive targets only), or raw. Default "standard". */
  readonly scale?: "standard" | "log" | "none";
  /**
   * Per-window normalisation: subtract the window's last value, the mean of its last season or its mean, or also divide by its
   * deviation. "auto", the default, tries each for a moment and keeps the best on validation.
   */
  readonly window?: WindowNormalization | "auto";
  /** Forecast the difference to a naive forecast. Default "none". */
  readonly residual?: Residual;
  /** Timesteps cut into one step of the recurrence. Default: chosen from past and horizon. */
  readonly segment?: number;
  /** Timesteps between two training windows. Default 1. */
  readonly stride?: number;
  /** Timesteps in a season, for the seasonal-naive baseline and MASE. Default: from the sampling interval. */
  readonly season?: number;
  /**
   * Quantiles to forecast, ascending. Default: the point forecast only. With 0.5 among them and the loss "mae", the default, the
   * point forecast is that median, so it always lies between the others; with another loss it is an output of its own.
   */
  readonly quantiles?: readonly number[];
  /** Parts of the time axis: fractions that sum to at most 1, or whole numbers of timesteps. Default 0.7 / 0.1 / 0.2. */
  readonly split?: { readonly train: number; readonly validation: number; readonly test: number };
  readonly cell?: string;
  readonly hiddenSize?: number;
  readonly depth?: number;
  /** Share of the decoder's outputs dropped while training. Default 0.3. */
  readonly dropout?: number;
  /** Share of the recurrence's inputs dropped while training, the same at every step of a window. Default 0. */
  readonly inputDropout?: number;
  /** Share of what enters the recurrent products dropped while training, the same at every step of a window. Default 0. */
  readonly recurrentDropout?: number;
  readonly loss?: "mse" | "mae" | "huber";
  readonly learningRate?: number;
  readonly batchSize?: number;
  readonly epochs?: number;
  /** Epochs without a better validation loss before training stops. */
  readonly patience?: number;
  /** Training stops when the validation loss, in the scale of the network, is at or below this. Default: never. */
  readonly stopAtLoss?: number;
  /** Training windows drawn for one epoch, at most. Default 20,000. */
  readonly windowsPerEpoch?: number;
  /** Whether a learned vector tells several target columns apart; without it they share everything. Default true. */
  readonly channelEmbedding?: boolean;
  /** Default "adam". */
  readonly optimizer?: OptimizerName;
  /** Share of each weight taken off per step and unit of the learning rate, by adamW (its default 0.01) and lion (0) only. */
  readonly weightDecay?: number;
  /** Factor of Σ |w| over the weight matrices, added to the training loss. Default 0. */
  readonly l1?: number;
  /** Factor of ½ Σ w² over the weight matrices, added to the training loss. Default 0. */
  readonly l2?: number;
  /** Factor of the mean of the squared outputs of the recurrence over the past, added to the training loss. Default 0. */
  readonly activationPenalty?: number;
  /** Factor of the mean of their squared changes from one step to the next, added to the training loss. Default 0. */
  readonly temporalActivationPenalty?: number;
  /** The learning rate over the run, of `epochs` epochs. Default "constant". */
  readonly schedule?: ScheduleName;
  /** Steps over which the learning rate rises from 0, before it follows the schedule. Default 0. */
  readonly warmUpSteps?: number;
  /** Epochs without a better validation loss, after the next of which the learning rate falls to a tenth. Default: it never does. */
  readonly plateau?: number;
  /** Batches whose gradients make one step of the optimizer. Default 1. */
  readonly accumulate?: number;
  /**
   * What of the weights is validated and kept: their moving average ("ema"), their equal average over the last quarter of all steps
   * ("swa"), or the weights themselves. Default "ema".
   */
  readonly average?: WeightAverage;
  /** Decay of the moving average of the weights, 0 for none. Default 0.99. */
  readonly averageDecay?: number;
  /** Largest norm of the whole gradient. Default 1. */
  readonly clipNorm?: number;
  /** Largest norm of the gradient of each parameter by itself, behind `clipNorm`. Default: any. */
  readonly clipParameterNorm?: number;
  /** Largest absolute value of each element of the gradient, behind both norms. Default: any. */
  readonly clipValue?: number;
  readonly seed?: number;
  /** Only plain multiply-adds: the same bits from the compiled code on every machine. */
  readonly strict?: boolean;
}

export type { CalendarFeature, OptimizerName, Part, ScheduleName, WindowNormalization };

/** None, a moving average (exponential) or an equal one (stochastic weight averaging). */
export type WeightAverage = "none" | "ema" | "swa";

/**
 * What the network's output is added to, all from the window itself: nothing, the last value, the value one season ago, or
 * the mean of the values one season and seven seasons ago (a day and a week, for hourly data).
 */
export type Residual = "none" | "lastValue" | "seasonalNaive" | "seasonalBlend";

/** Errors of one forecaster over one part. Original units; `scaled` in units of the training standard deviation. */
export interface ErrorTable {
  readonly mse: number;
  readonly mae: number;
  readonly rmse: number;
  /** Percent: mean of 200·|y − ŷ| / (|y| + |ŷ|). */
  readonly smape: number;
  /** Mean absolute error in units of the seasonal-naive error on the training part (Hyndman and Koehler 2006). */
  readonly mase: number;
  /** Root of the squared error in units of the targets' deviation about their mean (RSE, Lai et al. 2018). */
  readonly rse: number;
  /** Mean pinball loss over the forecast quantiles; absent without quantiles. */
  readonly quantileLoss?: number;
  /** Share of targets between the lowest and highest quantile; absent with fewer than two quantiles. */
  readonly coverage?: number;
  readonly scaled: { readonly mse: number; readonly mae: number };
  /** The last timestep of the horizon alone, as some papers score it. */
  readonly lastStep?: { readonly mse: number; readonly mae: number; readonly rse: number };
}

export type Forecasters = "model" | "seasonalNaive" | "lastValue";
export type Scores = Readonly<Record<Forecasters, ErrorTable>>;

/** What the preparation found and did, for people: "OT: 12 missing values interpolated". */
export interface PreparationReport {
  readonly seriesCount: number;
  readonly timesteps: number;
  /** Milliseconds between two timesteps; undefined without a time column. */
  readonly intervalMs: number | undefined;
  /** In words: "1 hour", "1 month", "1 business day"; undefined without a time column. */
  readonly interval: string | undefined;
  readonly season: number;
  readonly windows: Readonly<Record<Part, number>>;
  readonly notes: readonly string[];
}

export type ForecastEvent =
  | {
      readonly event: "prepared";
      readonly report: PreparationReport;
      readonly parameters: number;
      readonly settings: Readonly<Record<string, unknown>>;
    }
  | Extract<TrainEvent, { readonly event: "progress" | "epoch" | "warning" }>
  | {
      readonly event: "done";
      readonly metrics: { readonly validation: Scores; readonly test: Scores };
      readonly best: { readonly epoch: number; readonly validationLoss: number };
      readonly stopped: "epochs" | "patience" | "loss" | "aborted";
      readonly seconds: number;
      readonly verdict: string;
    };

/** One forecast timestep of one series and target. */
export interface ForecastRow {
  readonly series: string;
  /** Milliseconds UTC, or the index of the timestep when there is no time column. */
  readonly time: number;
  readonly target: string;
  readonly forecast: number;
  /** In the order of the model's quantiles. */
  readonly quantiles: readonly number[];
}

export interface ForecastResult {
  readonly rows: readonly ForecastRow[];
  readonly quantiles: readonly number[];
  /** Whether `time` is a time or an index. */
  readonly timed: boolean;
  /** What was found and done, for people: "not seen in training, scaled by their own history: new". */
  readonly notes: readonly string[];
}

export interface EvaluationResult {
  readonly scores: Scores;
  /** What was found and done, for people; also how many windows forecast times of the training part. */
  readonly notes: readonly string[];
}

/** The timestep from which the forecasts of all series start, counted back from the end of each. */
export interface BacktestOrigin {
  /** Timesteps from the origin to the end of the series; at least the horizon. */
  readonly stepsBeforeEnd: number;
  /** Milliseconds UTC, or the index of the timestep; undefined where it differs because the series end at different times. */
  readonly time: number | undefined;
  readonly scores: Scores;
}

export interface BacktestResult {
  /** In order of time. */
  readonly origins: readonly BacktestOrigin[];
  readonly overall: Scores;
  /** Whether the origins' `time` is a time or an index. */
  readonly timed: boolean;
  /** As those of an evaluation. */
  readonly notes: readonly string[];
}

/** Actual values and forecasts of one window, in original units, for charts. */
export interface WindowView {
  readonly series: string;
  readonly target: string;
  readonly pastTimes: readonly number[];
  readonly past: readonly number[];
  readonly futureTimes: readonly number[];
  /** Empty when the future is not known. */
  readonly actual: readonly number[];
  readonly forecast: readonly number[];
  readonly seasonalNaive: readonly number[];
  readonly quantiles: readonly { readonly level: number; readonly values: readonly number[] }[];
  readonly timed: boolean;
}

/** A trained forecaster: network, weights, preparation and training record. */
export interface Forecaster {
  readonly options: ForecastOptions;
  /** Forecast the `horizon` timesteps after the end of each series in the table. */
  predict(table: Table): ForecastResult;
  /** Errors on every window of the table whose future is known. */
  evaluate(table: Table): EvaluationResult;
  /** Rolling origin: forecasts from `origins` timesteps, `step` apart, the last one a horizon before the end of each series. */
  backtest(table: Table, options?: { readonly origins?: number; readonly step?: number }): BacktestResult;
  /** Example windows of a part of the data it was trained on, or of the table's end, for a chart. */
  views(table: Table, count?: number): readonly WindowView[];
  /** The files of the model folder, by name: model.json, weights.safetensors, README.md. */
  toFiles(): ReadonlyMap<string, Uint8Array>;
}

/**
 * A run in progress: iterate over it for events; `forecaster()` gives the best model so far, also after an abort. A run that is
 * aborted before its first epoch is finished ends without the event "done": there is nothing to score or to save.
 *
 *     const run = trainForecaster(table, { target: "OT", horizon: 24, past: 96 });
 *     for await (const event of run) console.log(event);
 *     const forecaster = run.forecaster();
 */
export interface ForecastRun extends AsyncIterable<ForecastEvent> {
  forecaster(): Forecaster;
}

/** What a run would be. */
export interface ForecastPlan {
  /** Without the note of the trial that chooses a window normalisation. */
  readonly report: PreparationReport;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Of a batch: a row for each window and target, steps of the recurrence, steps of the decoder. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly plan: ModelPlan;
  /** Median of real training steps, with making their batches. */
  readonly stepMs: number;
  /** How many of them were done. */
  readonly measuredSteps: number;
  readonly stepsPerEpoch: number;
  /** Of the training steps; validation comes on top. */
  readonly epochMs: number;
  /** At most: patience may end the run before. */
  readonly epochs: number;
}

export type PlanForecast = (table: Table, options: ForecastOptions) => Promise<ForecastPlan>;
export type TrainForecaster = (
  table: Table,
  options: ForecastOptions,
  control?: { readonly signal?: AbortSignal },
) => ForecastRun;
export type LoadForecaster = (files: ReadonlyMap<string, Uint8Array>) => Forecaster;
