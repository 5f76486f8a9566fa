/**
 * Forecasts on the published data sets, each beside its naive baseline and the published results.
 *
 *     node bench/forecasts.mjs --data FOLDER [--only NAME,NAME] [--seeds 1,2,3] [--json]
 *
 * FOLDER holds etth1/ETTh1.csv, m4-hourly/Hourly-{train,test}.csv, exchange-rate/exchange_rate.txt and stock-sp500/sp500.csv, as their
 * authors published them. Every row is the command `recurra train` with the options below and nothing else; what decides
 * (epoch, window normalisation where it is "auto") is the validation part.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { commandLine } from "./options.mjs";

const { values, words, refuse } = commandLine("forecasts", {
  data: { type: "string" },
  only: { type: "string" },
  seeds: { type: "string", default: "1,2,3" },
  json: { type: "boolean", default: false },
});
if (values.data === undefined)
  refuse("--data is missing, expected the folder with the data sets: give it as --data FOLDER");

const data = resolve(values.data);
const etth1 = [join(data, "etth1/ETTh1.csv"), "--split", "8640,2880,2880"];
const allColumns = "HUFL,HULL,MUFL,MULL,LUFL,LULL,OT";
const m4Part = (file, part) =>
  `SELECT V1 AS id, ${part} AS part, CAST(substr(step, 2) AS INTEGER) AS step, CAST(value AS DOUBLE) AS value FROM (UNPIVOT (SELECT * FROM read_csv('${join(data, "m4-hourly", file)}', header=true, all_varchar=true)) ON COLUMNS(* EXCLUDE V1) INTO NAME step VALUE value)`;
const m4 = `SELECT id, value FROM (${m4Part("Hourly-train.csv", 0)} UNION ALL ${m4Part("Hourly-test.csv", 1)}) ORDER BY id, part, step`;
const sp500 = `SELECT strptime(Date, '%d-%m-%y') AS date, Close FROM read_csv('${join(data, "stock-sp500/sp500.csv")}', types={'Date':'VARCHAR'}) ORDER BY date`;

/** `measures`: the numbers of the test part that the row is judged by, with the bar to reach. */
const rows = [
  {
    name: "etth1-ot-24",
    args: [...etth1, "--target", "OT", "--horizon", "24", "--past", "96"],
    measures: [{ name: "scaled MSE", of: (e) => e.scaled.mse, reach: 0.028 }],
    published: "last value .034, LSTMa .114, DeepAR .107",
  },
  {
    name: "etth1-ot-96",
    args: [...etth1, "--target", "OT", "--horizon", "96", "--past", "336"],
    measures: [{ name: "scaled MSE", of: (e) => e.scaled.mse, reach: 0.056 }],
    published: "last value .069, DLinear .053 to .056",
  },
  {
    name: "etth1-all-96",
    args: [...etth1, "--target", allColumns, "--horizon", "96", "--past", "96"],
    measures: [{ name: "scaled MSE", of: (e) => e.scaled.mse, reach: 0.37 }],
    published: "last value 1.294, Informer .865, DLinear .374",
  },
  {
    name: "etth1-all-96-long",
    args: [
      ...etth1,
      "--target",
      allColumns,
      "--horizon",
      "96",
      "--past",
      "480",
      "--segment",
      "48",
      "--window",
      "season",
      "--hidden",
      "320",
      "--dropout",
      "0.6",
      "--average-decay",
      "0.995",
      "--windows-per-epoch",
      "4000",
      "--channel-embedding",
      "no",
      "--epochs",
      "12",
      "--patience",
      "4",
    ],
    measures: [{ name: "scaled MSE", of: (e) => e.scaled.mse, reach: 0.35 }],
    published: "SegRNN .341 (past 720)",
  },
  {
    name: "m4-hourly",
    args: [
      "--sql",
      m4,
      "--series",
      "id",
      "--target",
      "value",
      "--season",
      "24",
      "--horizon",
      "48",
      "--past",
      "336",
      "--segment",
      "24",
      "--split",
      "100000,48,48",
      "--scale",
      "log",
      "--window",
      "mean",
      "--residual",
      "seasonalBlend",
      "--dropout",
      "0.2",
      "--batch-size",
      "128",
      "--windows-per-epoch",
      "19200",
      "--epochs",
      "8",
    ],
    measures: [
      { name: "sMAPE", of: (e) => e.smape, reach: 11 },
      { name: "MASE", of: (e) => e.mase, reach: 1 },
    ],
    published: "seasonal naive 13.91 / 1.19, RNN 14.70 / 3.05, ES-RNN 9.33 / .89",
  },
  {
    name: "exchange-rate",
    args: [
      join(data, "exchange-rate/exchange_rate.txt"),
      "--format",
      "csv",
      "--no-header",
      "--target",
      Array.from({ length: 8 }, (_, i) => `column${i}`).join(","),
      "--split",
      "0.6,0.2,0.2",
      "--horizon",
      "3",
      "--past",
      "32",
      "--segment",
      "4",
      "--residual",
      "lastValue",
    ],
    measures: [{ name: "RSE on day 3", of: (e) => e.lastStep.rse }],
    published: "last value .0171, GRU .0192",
  },
  {
    name: "stock-sp500",
    args: [
      "--sql",
      sp500,
      "--target",
      "Close",
      "--split",
      "3532,460,705",
      "--horizon",
      "1",
      "--past",
      "50",
      "--residual",
      "lastValue",
      "--scale",
      "log",
    ],
    measures: [{ name: "RMSE", of: (e) => e.rmse }],
    published: "last value 17.57",
  },
];

const cli = fileURLToPath(new URL("../packages/cli/bin/recurra.mjs", import.meta.url));
const run = promisify(execFile);

/** One training run: the "done" event. */
async function trainOnce(args, seed) {
  const scratch = mkdtempSync(join(tmpdir(), "recurra-bench-"));
  try {
    const { stdout } = await run(
      process.execPath,
      [cli, "train", ...args, "--seed", seed, "--json", "--out", join(scratch, "model")],
      { maxBuffer: 1 << 28 },
    );
    return JSON.parse(stdout.trim().split("\n").at(-1));
  } catch (error) {
    throw new Error(error.stderr?.trim() || error.message);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
const short = (value) => String(Number(value.toPrecision(4)));
const seeds = values.seeds.split(",");
const named = words(
  "only",
  rows.map(({ name }) => name),
);
const chosen = rows.filter(({ name }) => named?.includes(name) ?? true);
for (const { name, args, measures, published } of chosen) {
  const runs = [];
  for (const seed of seeds) runs.push(await trainOnce(args, seed));
  for (const { name: measure, of, reach } of measures) {
    const perSeed = runs.map(({ metrics }) => of(metrics.test.model));
    const naive = of(runs[0].metrics.test.lastValue);
    const seasonal = of(runs[0].metrics.test.seasonalNaive);
    const row = {
      name,
      measure,
      mean: mean(perSeed),
      perSeed,
      validation: mean(runs.map(({ metrics }) => of(metrics.validation.model))),
      lastValue: naive,
      seasonalNaive: seasonal,
      reach,
      seconds: mean(runs.map(({ seconds }) => seconds)),
      published,
    };
    if (values.json) process.stdout.write(`${JSON.stringify(row)}\n`);
    else {
      const verdict =
        reach === undefined
          ? row.mean < naive
            ? "below the last value"
            : "not below the last value"
          : row.mean <= reach
            ? `reached (≤ ${reach})`
            : `missed (≤ ${reach})`;
      process.stdout.write(
        `${name}: ${measure} ${short(row.mean)} (${perSeed.map(short).join(", ")}), ${verdict}; validation ${short(row.validation)}; last value ${short(naive)}, seasonal naive ${short(seasonal)}; published: ${published}; ${Math.round(row.seconds)} s a run\n`,
      );
    }
  }
}
