/** What the parts of model.json must look like, and where one does not: the border between a file and our types. */
import type { Categories } from "../../data/categories.ts";
import type { Interval } from "../../data/interval.ts";
import type { Scaler } from "../../data/scaler.ts";
import { optimizerNames } from "../../train/optimizers/named.ts";
import { scheduleNames } from "../../train/schedules.ts";
import type { FeatureCounts } from "./network.ts";
import type { Preparation, SeriesScale } from "./preparation.ts";
import type { Settings } from "./settings.ts";

/** The first value that is not what it should be: "settings.horizon" is "12" but must be "1, 2, 3, …". */
export interface Misfit {
  readonly path: string;
  readonly given: string;
  readonly expected: string;
}

type Shape = (value: unknown, path: string) => Misfit | undefined;

/** Looks through everything the network and its feeding are built from. */
export function findMisfit(file: object): Misfit | undefined {
  return object({ options: any, settings, features, preparation, record: any })(file, "");
}

const any: Shape = object({});
const count = numberThat("1, 2, 3, …", (x) => Number.isInteger(x) && x >= 1);
const countOrNone = numberThat("0, 1, 2, …", (x) => Number.isInteger(x) && x >= 0);
const finite = numberThat("a number", Number.isFinite);
const positive = numberThat("a positive number", (x) => x > 0);
const orNone = numberThat("0 or more", (x) => x >= 0);
const share = numberThat("at least 0 and below 1", (x) => x >= 0 && x < 1);
const text: Shape = kind("string", "a text");
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

const scaler = object({
  columns: list(text),
  mean: list(finite),
  deviation: list(positive),
  constant: list(text),
} satisfies Record<keyof Scaler, Shape>);

const categories = list(object({ column: text, values: list(text) } satisfies Record<keyof Categories, Shape>));

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
  pastScaler: scaler,
  futureScaler: scaler,
  staticScaler: scaler,
  pastCategories: categories,
  futureCategories: categories,
  staticCategories: categories,
} satisfies Record<keyof Preparation, Shape>);

function kind(name: "string" | "boolean", expected: string): Shape {
  return (value, path) => (typeof value === name ? undefined : { path, given: shown(value), expected });
}

function numberThat(expected: string, holds: (value: number) => boolean): Shape {
  return (value, path) =>
    typeof value === "number" && holds(value) ? undefined : { path, given: shown(value), expected };
}

function oneOf<T extends string>(...known: readonly T[]): Shape {
  return (value, path) =>
    known.some((name) => name === value)
      ? undefined
      : { path, given: shown(value), expected: `one of ${known.join(", ")}` };
}

function list(each: Shape): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) return { path, given: shown(value), expected: "a list" };
    for (const [k, one] of value.entries()) {
      const misfit = each(one, `${path}[${k}]`);
      if (misfit !== undefined) return misfit;
    }
    return undefined;
  };
}

function object(fields: Readonly<Record<string, Shape>>): Shape {
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return { path, given: shown(value), expected: "an object" };
    const entries = new Map<string, unknown>(Object.entries(value));
    for (const [name, shape] of Object.entries(fields)) {
      const misfit = shape(entries.get(name), path === "" ? name : `${path}.${name}`);
      if (misfit !== undefined) return misfit;
    }
    return undefined;
  };
}

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
