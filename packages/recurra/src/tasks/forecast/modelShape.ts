/** What the parts of model.json must look like, and where one does not: the border between a file and our types. */
import {
  any,
  count,
  countOrNone,
  finite,
  kind,
  list,
  type Misfit,
  numberThat,
  object,
  oneOf,
  type Shape,
  text,
} from "../../base/plainData.ts";
import type { Interval } from "../../data/interval.ts";
import { categoriesShape, scalerShape } from "../../data/stored.ts";
import { optimizerNames } from "../../train/optimizers/named.ts";
import { scheduleNames } from "../../train/schedules.ts";
import type { FeatureCounts } from "./network.ts";
import type { Preparation, SeriesScale } from "./preparation.ts";
import type { Settings } from "./settings.ts";

/** Looks through everything the network and its feeding are built from. */
export function findMisfit(file: object): Misfit | undefined {
  return object({ options: any, settings, features, preparation, record: any })(file, "");
}

const positive = numberThat("a positive number", (x) => x > 0);
const orNone = numberThat("0 or more", (x) => x >= 0);
const share = numberThat("at least 0 and below 1", (x) => x >= 0 && x < 1);
const flag: Shape = kind("boolean", "true or false");

// The keys are those of the types, so a new field without its row does not compile.
const settings = object({
  horizon: count,
  past: count,
  season: count,
  segment: count,
  outputSegment: count,
  scale: oneOf("standard", "log", "none"),
  window: oneOf("none", "last", "season", "mean", "standard"),
  residual: oneOf("none", "lastValue", "seasonalNaive", "seasonalBlend"),
  quantiles: list(share),
  calendar: list(oneOf("hour", "weekday", "day", "month", "dayOfYear")),
  masked: flag,
  cell: text,
  hiddenSize: count,
  depth: count,
  dropout: share,
  loss: oneOf("mse", "mae", "huber"),
  learningRate: positive,
  batchSize: count,
  epochs: count,
  patience: count,
  windowsPerEpoch: count,
  channelEmbedding: flag,
  optimizer: oneOf(...optimizerNames),
  weightDecay: orNone,
  l1: orNone,
  l2: orNone,
  activationPenalty: orNone,
  temporalActivationPenalty: orNone,
  schedule: oneOf(...scheduleNames),
  warmUpSteps: countOrNone,
  accumulate: count,
  average: oneOf("none", "ema", "swa"),
  averageDecay: share,
  clipNorm: positive,
  clipParameterNorm: orNone,
  clipValue: orNone,
  plateau: countOrNone,
  stopAtLoss: orNone,
  inputDropout: share,
  recurrentDropout: share,
  stride: count,
  seed: countOrNone,
  strict: flag,
} satisfies Record<keyof Settings, Shape>);

const features = object({
  targets: count,
  past: countOrNone,
  known: countOrNone,
  static: countOrNone,
} satisfies Record<keyof FeatureCounts, Shape>);

const preparation = object({
  interval: object({ kind: oneOf<Interval["kind"]>("index", "fixed", "months", "businessDays") }),
  targets: list(text),
  series: list(
    object({
      id: text,
      mean: list(finite),
      deviation: list(positive),
      naiveError: list((value, path) => (value === null ? undefined : finite(value, path))),
    } satisfies Record<keyof SeriesScale, Shape>),
  ),
  pastScaler: scalerShape,
  futureScaler: scalerShape,
  staticScaler: scalerShape,
  pastCategories: list(categoriesShape),
  futureCategories: list(categoriesShape),
  staticCategories: list(categoriesShape),
} satisfies Record<keyof Preparation, Shape>);
