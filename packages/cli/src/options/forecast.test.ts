import { describe, expect, it } from "vitest";
import { messageOf } from "../../test-support/files.ts";
import { forecastFields, forecastGroups, forecastRows, parseForecastOptions } from "./forecast.ts";
import { parseSource, rolesOf } from "./reading.ts";

const needed = { target: "OT", horizon: "24" };

function refusal(given: Parameters<typeof parseForecastOptions>[0]): Promise<string> {
  return messageOf("", () => parseForecastOptions({ ...needed, ...given }));
}

describe("parseForecastOptions", () => {
  it("gives every field its value", () => {
    const all = {
      target: "OT,HUFL",
      horizon: "24",
      past: "96",
      time: "date",
      series: "id",
      pastCovariates: "a",
      futureCovariates: "b,c",
      staticCovariates: "d",
      categorical: "c,d",
      calendar: "hour,weekday",
      missing: "mask",
      window: "last",
      residual: "seasonalNaive",
      segment: "4",
      stride: "2",
      season: "24",
      quantiles: "0.1,0.5,0.9",
      split: "8640,2880,2880",
      cell: "gru",
      hiddenSize: "64",
      depth: "2",
      dropout: "0",
      loss: "mae",
      learningRate: "1e-3",
      batchSize: "32",
      epochs: "10",
      patience: "3",
      windowsPerEpoch: "5000",
      channelEmbedding: "no",
      inputDropout: "0.1",
      recurrentDropout: "0.25",
      optimizer: "adamW",
      weightDecay: "0.02",
      l1: "1e-6",
      l2: "0",
      activationPenalty: "2",
      temporalActivationPenalty: "0.5",
      schedule: "cosine",
      warmUpSteps: "100",
      plateau: "4",
      stopAtLoss: "0.1",
      accumulate: "2",
      average: "ema",
      averageDecay: "0.995",
      scale: "log",
      clipNorm: "1",
      clipParameterNorm: "0.25",
      clipValue: "0.5",
      seed: "0",
      strict: true,
    } as const;
    expect(Object.keys(all).sort()).toEqual(Object.keys(forecastRows).sort());
    expect(parseForecastOptions(all)).toEqual({
      target: ["OT", "HUFL"],
      horizon: 24,
      past: 96,
      time: "date",
      series: "id",
      pastCovariates: ["a"],
      futureCovariates: ["b", "c"],
      staticCovariates: ["d"],
      categorical: ["c", "d"],
      calendar: ["hour", "weekday"],
      missing: "mask",
      window: "last",
      residual: "seasonalNaive",
      segment: 4,
      stride: 2,
      season: 24,
      quantiles: [0.1, 0.5, 0.9],
      split: { train: 8640, validation: 2880, test: 2880 },
      cell: "gru",
      hiddenSize: 64,
      depth: 2,
      dropout: 0,
      loss: "mae",
      learningRate: 0.001,
      batchSize: 32,
      epochs: 10,
      patience: 3,
      windowsPerEpoch: 5000,
      channelEmbedding: false,
      inputDropout: 0.1,
      recurrentDropout: 0.25,
      optimizer: "adamW",
      weightDecay: 0.02,
      l1: 1e-6,
      l2: 0,
      activationPenalty: 2,
      temporalActivationPenalty: 0.5,
      schedule: "cosine",
      warmUpSteps: 100,
      plateau: 4,
      stopAtLoss: 0.1,
      accumulate: 2,
      average: "ema",
      averageDecay: 0.995,
      scale: "log",
      clipNorm: 1,
      clipParameterNorm: 0.25,
      clipValue: 0.5,
      seed: 0,
      strict: true,
    });
  });

  it("leaves out what was not given, for the library to choose", () => {
    expect(parseForecastOptions(needed)).toEqual({ target: "OT", horizon: 24 });
  });

  it.each([
    ["0.8,0.2,0", { train: 0.8, validation: 0.2, test: 0 }],
    ["0.8,0,0.2", { train: 0.8, validation: 0, test: 0.2 }],
    ["1,0,0", { train: 1, validation: 0, test: 0 }],
    ["500,100,0", { train: 500, validation: 100, test: 0 }],
  ])("takes the split %s: validation and test may be left out", (text, split) => {
    expect(parseForecastOptions({ ...needed, split: text })).toMatchObject({ split });
  });

  it.each(["0,0.5,0.5", "0.8,0.2,-0.1", "0.8,0.2", "500.5,100,0", "0.8,,0.2"])("refuses the split %s", async (text) => {
    expect(await refusal({ split: text })).toMatch(/^OptionError: --split is /);
  });

  it("has every option below one heading of the help", () => {
    expect(Object.values(forecastGroups).flat().sort()).toEqual([...forecastFields].sort());
  });

  it.each([
    [
      { horizon: "0" },
      "OptionError: --horizon is 0, expected 1, 2, 3, ….\nGive --horizon a whole number of at least 1.",
    ],
    [
      { horizon: "-3" },
      "OptionError: --horizon is -3, expected 1, 2, 3, ….\nGive --horizon a whole number of at least 1.",
    ],
    [{ past: "9.5" }, "OptionError: --past is 9.5, expected 1, 2, 3, ….\nGive --past a whole number of at least 1."],
    [{ past: "NaN" }, "OptionError: --past is NaN, expected 1, 2, 3, ….\nGive --past a whole number of at least 1."],
    [{ epochs: "" }, 'OptionError: --epochs is "", expected 1, 2, 3, ….\nGive --epochs a whole number of at least 1.'],
    [
      { learningRate: "-1" },
      "OptionError: --learning-rate is -1, expected a number above 0.\nGive --learning-rate a positive number such as 0.001 or 1.",
    ],
    [
      { l2: "-1" },
      "OptionError: --l2 is -1, expected 0 or a number above it.\nGive --l2 a small number such as 0.0001, or 0 for none.",
    ],
    [
      { activationPenalty: "-2" },
      "OptionError: --activation-penalty is -2, expected 0 or a number above it.\nGive --activation-penalty a small number such as 0.0001, or 0 for none.",
    ],
    [
      { temporalActivationPenalty: "x" },
      "OptionError: --temporal-activation-penalty is x, expected 0 or a number above it.\nGive --temporal-activation-penalty a small number such as 0.0001, or 0 for none.",
    ],
    [
      { clipParameterNorm: "0" },
      "OptionError: --clip-parameter-norm is 0, expected a number above 0.\nGive --clip-parameter-norm a positive number such as 0.001 or 1.",
    ],
    [
      { optimizer: "adamw" },
      'OptionError: --optimizer is unknown: "adamw", expected one of sgd, momentum, nesterov, averagedSgd, rmsProp, adagrad, adadelta, adam, adamW, nAdam, amsGrad, lion.\nDid you mean "adamW"?',
    ],
    [
      { dropout: "1" },
      "OptionError: --dropout is 1, expected a number from 0 up to, not including, 1.\n0.1 drops one value in ten, 0 none.",
    ],
    [
      { seed: "-1" },
      "OptionError: --seed is -1, expected 0, 1, 2, …, 4294967295.\nAny such number will do; the same one repeats the run.",
    ],
    [
      { quantiles: "0.1,1.5" },
      "OptionError: --quantiles is 0.1,1.5, expected ascending numbers between 0 and 1.\n1.5 does not fit; write for example --quantiles 0.1,0.5,0.9.",
    ],
    [
      { quantiles: "0.9,0.1" },
      "OptionError: --quantiles is 0.9,0.1, expected ascending numbers between 0 and 1.\n0.1 does not fit; write for example --quantiles 0.1,0.5,0.9.",
    ],
    [
      { split: "0.7,0.4,0.2" },
      "OptionError: --split is 0.7,0.4,0.2, expected three shares that sum to at most 1, or three whole numbers of timesteps, with a training part.\nWrite for example --split 0.7,0.1,0.2 or --split 8640,2880,2880: training, validation, test.",
    ],
    [{ loss: "msee" }, 'OptionError: --loss is unknown: "msee", expected one of mse, mae, huber.\nDid you mean "mse"?'],
    [
      { calendar: "hour,weekdya" },
      'OptionError: --calendar is unknown: "weekdya", expected one of auto, none, hour, weekday, day, month, dayOfYear.\nDid you mean "weekday"?',
    ],
    [
      { pastCovariates: "a,,b" },
      "OptionError: --past-covariates is a,,b, expected names between commas.\nWrite --past-covariates a,b,c, in quotes when a name holds a space.",
    ],
    [
      { target: "a,b,a" },
      'OptionError: --target is a,b,a, expected each name once, not "a" again.\nWrite --target a,b,c, in quotes when a name holds a space.',
    ],
    [
      { pastCovariates: "OT" },
      'OptionError: --past-covariates: column "OT" is named by --target too, expected one use for each column.\nLeave "OT" out of one of the two; the past of a target is always seen.',
    ],
    [
      { categorical: "shop" },
      'OptionError: --categorical: column "shop" is no covariate, expected a column named by --past-covariates, --future-covariates or --static.\nName the column there too.',
    ],
  ])("refuses %j", async (given, message) => {
    expect(await refusal(given)).toBe(message);
  });

  it("asks for a target and a horizon", async () => {
    expect(await messageOf("", () => parseForecastOptions({ horizon: "24" }))).toBe(
      "OptionError: --target is missing, expected a column to forecast.\nAdd --target OT, or --target HUFL,HULL,OT.",
    );
    expect(await messageOf("", () => parseForecastOptions({ target: "OT" }))).toBe(
      "OptionError: --horizon is missing, expected timesteps to forecast.\nAdd --horizon 24.",
    );
  });
});

describe("parseSource", () => {
  it("takes files or a query, and not both or neither", async () => {
    expect(parseSource(["a.csv"], undefined)).toEqual({ kind: "files", patterns: ["a.csv"] });
    expect(parseSource([], "SELECT 1")).toEqual({ kind: "sql", sql: "SELECT 1" });
    expect(await messageOf("", () => parseSource([], undefined))).toBe(
      "OptionError: the data is missing, expected files, or a query with --sql.\nName a file, or add --sql \"SELECT * FROM 'data.csv'\".",
    );
    expect(await messageOf("", () => parseSource(["a.csv"], "SELECT 1"))).toBe(
      "OptionError: the data is named twice: a.csv and --sql, expected files, or a query with --sql.\nLeave one of them out.",
    );
  });
});

describe("rolesOf", () => {
  it("needs targets and plain covariates as numbers, series and categories as text", () => {
    const options = {
      target: "y",
      horizon: 1,
      time: "t",
      series: "id",
      pastCovariates: ["p"],
      futureCovariates: ["f", "kind"],
      staticCovariates: ["s", "place"],
      categorical: ["kind", "place"],
    };
    expect(rolesOf(options)).toEqual({
      numbers: ["y", "p", "f"],
      texts: ["kind", "place", "id"],
      anything: ["s"],
      time: "t",
    });
  });
});
