/** The options of a forecast on the command line: one row per field of `ForecastOptions`, so that none is forgotten. */

import { OptionError } from "recurra";
import { cells } from "recurra/cells";
import type { CalendarFeature, ForecastOptions, WindowNormalization } from "recurra/tasks";
import { optimizerNames, scheduleNames } from "recurra/train";
import {
  autoNoneOr,
  choice,
  count,
  nameOrNames,
  names,
  type Parse,
  positive,
  quantiles,
  seed,
  share,
  split,
  text,
  yesOrNo,
  zeroOrMore,
} from "./values.ts";

type Row<T> =
  | { readonly flag: string; readonly value: string; readonly help: string; readonly parse: Parse<T> }
  /** Present or absent. */
  | { readonly flag: string; readonly value?: undefined; readonly help: string };

type Rows = { readonly [K in keyof ForecastOptions]-?: Row<Exclude<ForecastOptions[K], undefined>> };

const calendarFeatures: readonly CalendarFeature[] = ["hour", "weekday", "day", "month", "dayOfYear"];
const windows: readonly (WindowNormalization | "auto")[] = ["auto", "none", "last", "season", "mean", "standard"];

export const forecastRows: Rows = {
  target: {
    flag: "--target",
    value: "COLUMNS",
    help: "column to forecast, or several between commas",
    parse: nameOrNames,
  },
  horizon: { flag: "--horizon", value: "N", help: "timesteps to forecast", parse: count },
  past: {
    flag: "--past",
    value: "N",
    help: "timesteps the network looks back on (default: from season and horizon)",
    parse: count,
  },
  time: { flag: "--time", value: "COLUMN", help: "time column (default: the only column of times)", parse: text },
  series: {
    flag: "--series",
    value: "COLUMN",
    help: "column that names the series of a row (default: one series)",
    parse: text,
  },
  pastCovariates: { flag: "--past-covariates", value: "COLUMNS", help: "columns known only up to now", parse: names },
  futureCovariates: {
    flag: "--future-covariates",
    value: "COLUMNS",
    help: "columns known for the future too",
    parse: names,
  },
  staticCovariates: { flag: "--static", value: "COLUMNS", help: "columns constant within a series", parse: names },
  categorical: { flag: "--categorical", value: "COLUMNS", help: "covariates that are categories", parse: names },
  calendar: {
    flag: "--calendar",
    value: "FEATURES",
    help: "auto, none, or some of hour,weekday,day,month,dayOfYear (default: none)",
    parse: autoNoneOr(calendarFeatures),
  },
  missing: {
    flag: "--missing",
    value: "WAY",
    help: "interpolate, mask or error (default: interpolate)",
    parse: choice(["interpolate", "mask", "error"]),
  },
  scale: {
    flag: "--scale",
    value: "KIND",
    help: "standard, log (positive targets) or none (default: standard)",
    parse: choice(["standard", "log", "none"]),
  },
  window: {
    flag: "--window",
    value: "WAY",
    help: "normalisation per window: auto, none, last, season, mean, standard (default: auto, by a short trial)",
    parse: choice(windows),
  },
  residual: {
    flag: "--residual",
    value: "NAIVE",
    help: "forecast the difference to: none, lastValue, seasonalNaive, seasonalBlend (default: none)",
    parse: choice(["none", "lastValue", "seasonalNaive", "seasonalBlend"]),
  },
  segment: {
    flag: "--segment",
    value: "N",
    help: "timesteps cut into one step of the recurrence (default: from past and season)",
    parse: count,
  },
  stride: { flag: "--stride", value: "N", help: "timesteps between two training windows (default: 1)", parse: count },
  season: {
    flag: "--season",
    value: "N",
    help: "timesteps in a season (default: from the sampling interval)",
    parse: count,
  },
  quantiles: {
    flag: "--quantiles",
    value: "LEVELS",
    help: "quantiles to forecast, for example 0.1,0.5,0.9 (default: none)",
    parse: quantiles,
  },
  split: {
    flag: "--split",
    value: "PARTS",
    help: "training, validation, test: shares or timesteps (default: 0.7,0.1,0.2)",
    parse: split,
  },
  cell: {
    flag: "--cell",
    value: "NAME",
    help: `recurrent cell: ${Object.keys(cells).join(", ")} (default: gru)`,
    parse: choice(Object.keys(cells)),
  },
  hiddenSize: { flag: "--hidden", value: "N", help: "size of the hidden state (default: 128)", parse: count },
  depth: { flag: "--depth", value: "N", help: "recurrent layers on top of each other (default: 1)", parse: count },
  dropout: {
    flag: "--dropout",
    value: "P",
    help: "share of values dropped while training (default: 0.3)",
    parse: share,
  },
  loss: {
    flag: "--loss",
    value: "NAME",
    help: "mse, mae or huber (default: mae)",
    parse: choice(["mse", "mae", "huber"]),
  },
  learningRate: {
    flag: "--learning-rate",
    value: "X",
    help: "step size of the optimizer (default: 0.002)",
    parse: positive,
  },
  batchSize: { flag: "--batch-size", value: "N", help: "windows per training step (default: 64)", parse: count },
  epochs: {
    flag: "--epochs",
    value: "N",
    help: "passes over the training windows, at most (default: from their number)",
    parse: count,
  },
  patience: {
    flag: "--patience",
    value: "N",
    help: "epochs without a better validation loss before it stops (default: from the windows' number)",
    parse: count,
  },
  windowsPerEpoch: {
    flag: "--windows-per-epoch",
    value: "N",
    help: "training windows drawn for one epoch, at most (default: 20000)",
    parse: count,
  },
  channelEmbedding: {
    flag: "--channel-embedding",
    value: "YES",
    help: "whether a learned vector tells several target columns apart: yes or no (default: yes)",
    parse: yesOrNo,
  },
  inputDropout: {
    flag: "--input-dropout",
    value: "P",
    help: "share of the recurrence's inputs dropped, alike at every step of a window (default: 0)",
    parse: share,
  },
  recurrentDropout: {
    flag: "--recurrent-dropout",
    value: "P",
    help: "share of what enters the recurrent products dropped, alike at every step of a window (default: 0)",
    parse: share,
  },
  optimizer: {
    flag: "--optimizer",
    value: "NAME",
    help: `${optimizerNames.join(", ")} (default: adam)`,
    parse: choice(optimizerNames),
  },
  weightDecay: {
    flag: "--weight-decay",
    value: "X",
    help: "decay of the weights by adamW (default: 0.01) or lion (default: 0)",
    parse: zeroOrMore,
  },
  l1: { flag: "--l1", value: "X", help: "penalty on the sum of absolute weights (default: 0)", parse: zeroOrMore },
  l2: { flag: "--l2", value: "X", help: "penalty on half the sum of squared weights (default: 0)", parse: zeroOrMore },
  activationPenalty: {
    flag: "--activation-penalty",
    value: "X",
    help: "penalty on the mean of the recurrence's squared outputs (default: 0)",
    parse: zeroOrMore,
  },
  temporalActivationPenalty: {
    flag: "--temporal-activation-penalty",
    value: "X",
    help: "penalty on the mean of their squared changes from step to step (default: 0)",
    parse: zeroOrMore,
  },
  schedule: {
    flag: "--schedule",
    value: "NAME",
    help: `learning rate over the run: ${scheduleNames.join(", ")} (default: constant)`,
    parse: choice(scheduleNames),
  },
  warmUpSteps: {
    flag: "--warm-up",
    value: "N",
    help: "steps over which the learning rate rises from 0; none unless given",
    parse: count,
  },
  plateau: {
    flag: "--plateau",
    value: "N",
    help: "epochs without a better validation loss before the learning rate falls to a tenth; never unless given",
    parse: count,
  },
  stopAtLoss: {
    flag: "--stop-at-loss",
    value: "X",
    help: "validation loss, in the scale of the network, at which training stops; none unless given",
    parse: positive,
  },
  accumulate: {
    flag: "--accumulate",
    value: "N",
    help: "batches whose gradients make one step of the optimizer (default: 1)",
    parse: count,
  },
  average: {
    flag: "--average",
    value: "KIND",
    help: "weights to keep: ema (moving average), swa (equal average of the last quarter) or none (default: ema)",
    parse: choice(["none", "ema", "swa"]),
  },
  averageDecay: {
    flag: "--average-decay",
    value: "X",
    help: "decay of the moving average of the weights, 0 for none (default: 0.99)",
    parse: share,
  },
  clipNorm: {
    flag: "--clip-norm",
    value: "X",
    help: "largest norm of the whole gradient (default: 1)",
    parse: positive,
  },
  clipParameterNorm: {
    flag: "--clip-parameter-norm",
    value: "X",
    help: "largest norm of the gradient of each parameter by itself; any unless given",
    parse: positive,
  },
  clipValue: {
    flag: "--clip-value",
    value: "X",
    help: "largest absolute value of each element of the gradient; any unless given",
    parse: positive,
  },
  seed: { flag: "--seed", value: "N", help: "the same seed repeats the run exactly (default: 1)", parse: seed },
  strict: { flag: "--strict", help: "only plain multiply-adds: the same bits from the compiled code on every machine" },
};

/** The headings of the help, in order, and what stands below each; every field once. */
export const forecastGroups: Readonly<Record<string, readonly (keyof ForecastOptions)[]>> = {
  "What to forecast:": ["target", "horizon", "quantiles"],
  "Columns of the data:": [
    ...(["time", "series", "pastCovariates", "futureCovariates", "staticCovariates", "categorical"] as const),
  ],
  "Preparation:": ["split", "missing", "scale", "window", "residual", "season", "calendar"],
  "Network:": ["past", "segment", "cell", "hiddenSize", "depth", "channelEmbedding"],
  "Training:": [
    ...([
      "epochs",
      "patience",
      "stopAtLoss",
      "loss",
      "batchSize",
      "accumulate",
      "stride",
      "windowsPerEpoch",
      "seed",
      "strict",
    ] as const),
  ],
  "Optimizer:": [
    ...(["optimizer", "learningRate", "schedule", "warmUpSteps", "plateau"] as const),
    ...(["clipNorm", "clipParameterNorm", "clipValue", "average", "averageDecay"] as const),
  ],
  "Against overfitting:": [
    "dropout",
    "inputDropout",
    "recurrentDropout",
    "weightDecay",
    "l1",
    "l2",
    "activationPenalty",
    "temporalActivationPenalty",
  ],
};

export const forecastFields = Object.keys(forecastRows) as readonly (keyof ForecastOptions)[]; // the keys of the table above

/**
 * Options from the texts that were given, by field. Checks each value and how they fit together; touches nothing else.
 * @throws OptionError naming the flag.
 */
export function parseForecastOptions(
  given: Readonly<Partial<Record<keyof ForecastOptions, string | true>>>,
): ForecastOptions {
  const parsed: Partial<Record<keyof ForecastOptions, unknown>> = {};
  for (const field of forecastFields) {
    const value = given[field];
    if (value === undefined) continue;
    const row: Row<unknown> = forecastRows[field];
    parsed[field] = row.value === undefined ? true : row.parse(row.flag, String(value));
  }
  const { target, horizon } = parsed;
  if (target === undefined) throw required("target", "a column to forecast", "--target OT, or --target HUFL,HULL,OT");
  if (horizon === undefined) throw required("horizon", "timesteps to forecast", "--horizon 24");
  const options = parsed as unknown as ForecastOptions; // each field was made by the parser of its own row
  checkFit(options);
  return options;
}

function required(field: "target" | "horizon", expected: string, example: string): OptionError {
  return new OptionError({ where: forecastRows[field].flag, given: "missing", expected, mend: `add ${example}` });
}

function checkFit(options: ForecastOptions): void {
  const uses: [string, string][] = []; // column and the flag that asks for it
  const use = (field: "target" | "time" | "series" | "pastCovariates" | "futureCovariates" | "staticCovariates") => {
    for (const column of list(options[field])) uses.push([column, forecastRows[field].flag]);
  };
  for (const field of ["target", "time", "series", "pastCovariates", "futureCovariates", "staticCovariates"] as const)
    use(field);
  for (const [k, [column, flag]] of uses.entries()) {
    const earlier = uses.slice(0, k).find(([name]) => name === column);
    if (earlier === undefined) continue;
    throw new OptionError({
      where: `${flag}: column "${column}"`,
      given: `named by ${earlier[1]} too`,
      expected: "one use for each column",
      mend: `leave "${column}" out of one of the two; the past of a target is always seen`,
    });
  }
  const covariates = [
    ...list(options.pastCovariates),
    ...list(options.futureCovariates),
    ...list(options.staticCovariates),
  ];
  const stray = list(options.categorical).find((column) => !covariates.includes(column));
  if (stray !== undefined) {
    throw new OptionError({
      where: `--categorical: column "${stray}"`,
      given: "no covariate",
      expected: "a column named by --past-covariates, --future-covariates or --static",
      mend: "name the column there too",
    });
  }
}

export function list(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}
