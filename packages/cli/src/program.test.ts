import { existsSync, readdirSync, readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { type FakeIo, fakeIo, fakeLibrary, fakeMachine, fakeRates, fakeScores } from "../test-support/fakes.ts";
import { folderWith } from "../test-support/files.ts";
import { commandOf } from "./io.ts";
import { runProgram } from "./program.ts";

const csv = `date,OT\n${Array.from({ length: 48 }, (_, k) => `2016-07-0${1 + Math.floor(k / 24)} ${String(k % 24).padStart(2, "0")}:00:00,${k}`).join("\n")}\n`;

let folder: string;
let io: FakeIo;
let library: ReturnType<typeof fakeLibrary>;

beforeEach(() => {
  folder = folderWith({ "data.csv": csv });
  io = fakeIo();
  library = fakeLibrary();
});

const run = (...argv: string[]) => runProgram(argv, { io, library });
const trainInto = (name: string, ...more: string[]) =>
  run("train", `${folder}/data.csv`, "--target", "OT", "--horizon", "24", "--out", `${folder}/${name}`, ...more);
const lines = () => io.out().trimEnd().split("\n");
const told = (text: string) => text.replaceAll(`${folder}/`, "");

describe("recurra train", () => {
  it("writes a whole model with its chart and prints plain lines, a table, a verdict and what to type next", async () => {
    expect(await trainInto("model")).toBe(0);
    expect(readdirSync(`${folder}/model`).sort()).toEqual([
      "README.md",
      "forecast.svg",
      "model.json",
      "reading.json",
      "weights.safetensors",
    ]);
    expect(told(io.out())).toMatchInlineSnapshot(`
      "data.csv: 48 timesteps, one every hour; season 24
      windows: 700 for training, 100 for validation, 200 for the test
      network: 12,345 parameters
      note: OT: 2 missing values interpolated
      epoch 1/2: loss 0.9000, validation 0.8000 (best so far), 1,234 sequences/s
      epoch 2/2: loss 0.4500, validation 0.4000 (best so far), 1,234 sequences/s
      stopped after the last epoch, after 0:04; kept epoch 2 with validation loss 0.4000

                           MAE    RMSE   sMAPE    MASE  quantile loss  coverage
      validation
        model           0.5000  0.7000  5.000%  0.2500         0.2000     81.3%
        seasonal naive   1.000   1.400  10.00%  0.5000              –         –
        last value       2.000   2.800  20.00%   1.000              –         –
      test
        model           0.5000  0.7000  5.000%  0.2500         0.2000     81.3%
        seasonal naive   1.000   1.400  10.00%  0.5000              –         –
        last value       2.000   2.800  20.00%   1.000              –         –

      On the test the model beats both naive forecasts.

      model: model
      chart: model/forecast.svg
      next:  recurra predict model data.csv
             recurra backtest model data.csv
             recurra show model
      "
    `);
    expect(io.err()).toBe("");
  });

  it("hands the options and the table to the library", async () => {
    await trainInto("model", "--past", "96", "--quantiles", "0.1,0.9", "--learning-rate", "0.01", "--strict");
    expect(library.trained).toEqual([
      { target: "OT", horizon: 24, past: 96, quantiles: [0.1, 0.9], learningRate: 0.01, strict: true },
    ]);
    expect(library.tables[0]?.columns.map(({ name, kind }) => [name, kind])).toEqual([
      ["date", "time"],
      ["OT", "number"],
    ]);
  });

  it("prints one JSON object per event, the last one with metrics and where the model is", async () => {
    expect(await trainInto("model", "--json")).toBe(0);
    const events = lines().map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(["prepared", "progress", "epoch", "progress", "epoch", "done"]);
    expect(events.at(-1)).toMatchObject({
      metrics: { validation: fakeScores, test: fakeScores },
      stopped: "epochs",
      model: `${folder}/model`,
      chart: `${folder}/model/forecast.svg`,
    });
  });

  it("names commands that work as typed: through npx where npm started it, and with the query in quotes", async () => {
    io = { ...fakeIo(), command: commandOf({ npm_lifecycle_event: "quickstart" }) };
    const query = `SELECT * FROM "${folder}/data.csv"`;
    const options = ["--target", "OT", "--horizon", "24", "--out", `${folder}/my model`];
    expect(await run("train", "--sql", query, ...options)).toBe(0);
    const again = `'my model' --sql 'SELECT * FROM "data.csv"'`;
    expect(told(io.out())).toContain(
      `next:  npx recurra predict ${again}\n       npx recurra backtest ${again}\n       npx recurra show 'my model'\n`,
    );
    expect([{ npm_execpath: "npm" }, {}].map(commandOf)).toEqual(["npx recurra", "recurra"]);
  });

  it("draws a bar on a terminal and prints nothing with --quiet", async () => {
    io = fakeIo({ isTerminal: true, columns: 100 });
    await trainInto("model");
    expect(io.out()).toContain(
      "\r\x1b[2K████████████████████████  epoch 2/2  100%  loss 0.4500  validation 0.4000 best  1,234 seq/s\n",
    );
    io = fakeIo();
    expect(await trainInto("quiet", "--quiet")).toBe(0);
    expect(io.out() + io.err()).toBe("");
  });

  it("refuses a folder that is there before it reads anything, and replaces it with --overwrite", async () => {
    await trainInto("model");
    io = fakeIo();
    expect(await trainInto("model")).toBe(2);
    expect(told(io.err())).toBe(
      "recurra: the folder for the model, model, is there already, expected a new folder.\nChoose another with --out, or replace it with --overwrite.\n",
    );
    expect(library.trained.length).toBe(1);
    expect(await trainInto("model", "--overwrite")).toBe(0);
  });

  it("checks options before it looks for the data", async () => {
    expect(await run("train", `${folder}/missing.csv`, "--target", "OT", "--horizon", "0")).toBe(2);
    expect(io.err()).toBe(
      "recurra: --horizon is 0, expected 1, 2, 3, ….\nGive --horizon a whole number of at least 1.\n",
    );
  });

  it("ends with 1 and nothing written when the data is bad, also as JSON", async () => {
    expect(
      await run(
        "train",
        `${folder}/missing.csv`,
        "--target",
        "OT",
        "--horizon",
        "3",
        "--out",
        `${folder}/model`,
        "--json",
      ),
    ).toBe(1);
    expect(JSON.parse(lines().at(-1) ?? "")).toEqual({
      event: "error",
      kind: "DataError",
      message: `${folder}/missing.csv is missing, expected a data file.\nCheck the path; relative paths start at the working directory.`,
      where: `${folder}/missing.csv`,
      given: "missing",
      expected: "a data file",
      mend: "check the path; relative paths start at the working directory",
    });
    expect(existsSync(`${folder}/model`)).toBe(false);
  });

  it("ends with 1 and nothing written when training fails", async () => {
    library = fakeLibrary((epoch) => {
      if (epoch === 2) throw new Error("the dog ate it");
    });
    expect(await trainInto("model")).toBe(1);
    expect(io.err()).toMatch(
      /^recurra: Error: the dog ate it\n[\s\S]*This is a fault of recurra: please report it\.\n$/,
    );
    expect(existsSync(`${folder}/model`)).toBe(false);
  });

  it("saves the model also when its chart cannot be drawn, and says so", async () => {
    const { trainForecaster } = library;
    const views = () => {
      throw new Error("no windows");
    };
    library = {
      ...library,
      trainForecaster: (...given) => {
        const run = trainForecaster(...given);
        return {
          forecaster: () => ({ ...run.forecaster(), views }),
          [Symbol.asyncIterator]: () => run[Symbol.asyncIterator](),
        };
      },
    };
    expect(await trainInto("model")).toBe(0);
    expect(io.err()).toBe("no chart was drawn: no windows\n");
    expect(existsSync(`${folder}/model/model.json`)).toBe(true);
    expect(io.out()).not.toContain("chart:");
  });

  it("refuses negative numbers as values of their option", async () => {
    expect(await run("train", `${folder}/data.csv`, "--target", "OT", "--horizon", "-3")).toBe(2);
    expect(io.err()).toBe(
      "recurra: --horizon is -3, expected 1, 2, 3, ….\nGive --horizon a whole number of at least 1.\n",
    );
  });

  it("saves the best so far on Ctrl-C and ends with 130", async () => {
    library = fakeLibrary((epoch) => {
      if (epoch === 2) io.interrupt();
    });
    expect(await trainInto("model")).toBe(130);
    expect(told(io.err())).toBe(
      "stopping; the best model so far will be saved (press Ctrl-C again to stop at once)\nstopped on request; the best model so far is in model\n",
    );
    expect(existsSync(`${folder}/model/model.json`)).toBe(true);
    expect(io.exits).toEqual([]);
  });

  it("ends at once on a second Ctrl-C, and saves nothing before the first epoch", async () => {
    library = fakeLibrary((epoch) => {
      if (epoch !== 1) return;
      io.interrupt();
      io.interrupt();
    });
    expect(await trainInto("model")).toBe(130);
    expect(io.exits).toEqual([130]);
    expect(io.err()).toContain("stopped before the end of the first epoch: nothing was saved\n");
    expect(existsSync(`${folder}/model`)).toBe(false);
  });

  it("knows target and series of a wide file, and reads the next file the same way", async () => {
    const wide = folderWith({ "wide.csv": "id,a,b\nH1,1,2\nH2,3,\n" });
    expect(await run("train", `${wide}/wide.csv`, "--layout", "wide", "--horizon", "1", "--out", `${wide}/model`)).toBe(
      0,
    );
    expect(library.trained).toEqual([{ target: "value", series: "series", horizon: 1 }]);
    expect(await run("predict", `${wide}/model`, `${wide}/wide.csv`)).toBe(0);
    expect(library.tables.at(-1)?.columns.map(({ name }) => name)).toEqual(["series", "index", "value"]);
  });
});

describe("recurra compare", () => {
  const compare = (...more: string[]) =>
    run("compare", `${folder}/data.csv`, "--target", "OT", "--horizon", "24", ...more);

  it("prints a line for each run, then errors and costs of every cell, and the choice", async () => {
    expect(await compare("--cells", "rnn,gru", "--seeds", "1,2")).toBe(0);
    expect(told(io.out())).toMatchInlineSnapshot(`
      "data.csv: 48 timesteps, one every hour; season 24
      windows: 700 for training, 100 for validation, 200 for the test
      note: OT: 2 missing values interpolated
      1/4 rnn, seed 1: validation MAE 0.5000, test MAE 0.5000, 2 epochs, 0:04
      2/4 gru, seed 1: validation MAE 0.5000, test MAE 0.5000, 2 epochs, 0:04
      3/4 rnn, seed 2: validation MAE 0.5000, test MAE 0.5000, 2 epochs, 0:04
      4/4 gru, seed 2: validation MAE 0.5000, test MAE 0.5000, 2 epochs, 0:04

                       validation MAE         test MAE        test RMSE  test MASE
      rnn             0.5000 ± 0.0123  0.5000 ± 0.0123  0.5000 ± 0.0123     0.2500
      gru *           0.5000 ± 0.0123  0.5000 ± 0.0123  0.5000 ± 0.0123     0.2500
      seasonal naive            1.000            1.000            1.400     0.5000
      last value                2.000            2.000            2.800      1.000

           parameters   memory  per epoch  in all  gradient reach
      rnn      12,345  2.0 MiB        2 s    0:04    2.3 → 4 of 4
      gru      12,345  2.0 MiB        2 s    0:04    2.3 → 4 of 4

      mean ± standard deviation over 2 seeds: 1, 2
      gradient reach: steps of the recurrence, of 6 timesteps each, over which the gradient keeps a hundredth of itself, before → after training
      * chosen, by validation MAE; the test part has no say

      Use gru: it has the smallest error on validation.
      "
    `);
    expect(io.err()).toBe("");
  });

  it("hands options, cells and seeds to the library, three of each where none are named", async () => {
    await compare("--hidden", "32");
    expect(library.compared).toEqual([
      { target: "OT", horizon: 24, hiddenSize: 32, cells: ["rnn", "gru", "lstm"], seeds: [1, 2, 3] },
    ]);
  });

  it("prints all numbers as JSON, one object per event", async () => {
    expect(await compare("--cells", "rnn,gru", "--seeds", "1", "--json")).toBe(0);
    const events = lines().map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event).filter((event) => event !== "progress")).toEqual([
      ...["started", "prepared", "epoch", "epoch", "trained"],
      ...["started", "prepared", "epoch", "epoch", "trained", "done"],
    ]);
    expect(events[0]).toEqual({ event: "started", cell: "rnn", seed: 1, run: 1, runs: 2 });
    expect(events.at(-1)).toMatchObject({
      stopped: "finished",
      comparison: {
        candidates: [{ cell: "rnn", test: { mae: { mean: 0.5 } }, parameters: 12_345 }, { cell: "gru" }],
        baselines: { test: { seasonalNaive: { mae: 1 }, lastValue: { mae: 2 } } },
        runs: [{ cell: "rnn", metrics: { test: fakeScores }, gradient: { steps: 4 } }, { cell: "gru" }],
        choice: { kind: "cell", cell: "gru" },
      },
    });
  });

  it("writes a report where one is asked for, and nothing else", async () => {
    const before = readdirSync(folder);
    await compare("--seeds", "1");
    expect(readdirSync(folder)).toEqual(before);
    expect(await compare("--seeds", "1", "--out", `${folder}/report.md`)).toBe(0);
    const report = readFileSync(`${folder}/report.md`, "utf8");
    expect(report).toMatch(/^# Cells compared: OT of data\.csv\n\nUse gru: /);
    expect(report).toContain("| gru \\* | 0.5000 ± 0.0123 | 0.5000 ± 0.0123 | 0.5000 ± 0.0123 | 0.2500 |\n");
    expect(told(io.out())).toMatch(/\nreport: report\.md\n$/);
    expect(await compare("--seeds", "1,2", "--out", `${folder}/report.svg`)).toBe(0);
    const svg = readFileSync(`${folder}/report.svg`, "utf8");
    expect(svg.match(/class="line forecast"/g)?.length).toBe(1 + 3 * 2 + 2); // legend, runs, naive forecasts
  });

  it("draws a bar that says which run it is on a terminal", async () => {
    io = fakeIo({ isTerminal: true, columns: 100 });
    await compare("--cells", "rnn,gru", "--seeds", "7");
    expect(io.out()).toContain("2/2 gru, seed 7  epoch 2/2  100%  loss 0.4500  validation 0.4000 best  1,234 seq/s");
  });

  it("compares what is finished on Ctrl-C and ends with 130; says so when that is nothing", async () => {
    library = fakeLibrary((number) => {
      if (number === 3) io.interrupt();
    });
    expect(await compare("--cells", "rnn,gru")).toBe(130);
    expect(io.err()).toBe("stopping; what is finished will be compared (press Ctrl-C again to stop at once)\n");
    expect(io.out()).toContain("\nstopped on request, after 2 runs\n");
    io = fakeIo();
    library = fakeLibrary(() => io.interrupt());
    expect(await compare()).toBe(130);
    expect(io.err()).toMatch(/\nstopped before the first run was finished: there is nothing to compare\n$/);
    expect(io.out()).toBe("");
  });

  it.each([
    [
      ["--cells", "gru,ltsm"],
      /^recurra: --cells is unknown: "ltsm", expected one of rnn, .*\nDid you mean "lstm"\?\n$/,
    ],
    [["--cells", "gru,gru"], /^recurra: --cells is gru,gru, expected each name once, not "gru" again\.\n/],
    [["--seeds", "1,x"], /^recurra: --seeds is x, expected 0, 1, 2, …/],
    [["--seeds", "1,1"], /^recurra: --seeds is 1,1, expected each seed once, not 1 again\.\nThe same seed repeats/],
    [["--seed", "1"], /^recurra: option --seed is unknown, .*\nDid you mean --seeds\?\n$/],
    [["--out", "report.pdf"], /^recurra: --out is report\.pdf, expected a file that ends in \.md or \.svg\.\n/],
  ])("refuses %j before anything is read, and ends with 2", async (given, message) => {
    expect(await compare(...given)).toBe(2);
    expect(io.err()).toMatch(message);
    expect(library.tables).toEqual([]);
  });
});

describe("recurra with a stored model", () => {
  beforeEach(async () => {
    await trainInto("model", "--quiet", "--quantiles", "0.1,0.9");
    io = fakeIo();
  });

  it("predicts as CSV on the terminal, into a file, and as JSON", async () => {
    expect(await run("predict", `${folder}/model`, `${folder}/data.csv`)).toBe(0);
    expect(io.err()).toBe("note: not seen in training, scaled by their own history: b\n");
    expect(lines().slice(0, 2)).toEqual(["series,time,target,forecast,q0.1,q0.9", ",2020-01-01 00:00:00,OT,47,46,48"]);
    io = fakeIo();
    expect(await run("predict", `${folder}/model`, `${folder}/data.csv`, "--out", `${folder}/forecast.csv`)).toBe(0);
    expect(told(io.out())).toBe("24 rows of forecast written to forecast.csv\n");
    expect(readFileSync(`${folder}/forecast.csv`, "utf8").split("\n").length).toBe(26);
    io = fakeIo();
    await run("predict", `${folder}/model`, `${folder}/data.csv`, "--json");
    expect([lines()[0], lines().at(-1)].map((line) => JSON.parse(line ?? ""))).toEqual([
      {
        event: "forecast",
        series: "",
        time: "2020-01-01 00:00:00",
        target: "OT",
        forecast: 47,
        quantiles: { "0.1": 46, "0.9": 48 },
      },
      { event: "done", rows: 24, notes: ["not seen in training, scaled by their own history: b"] },
    ]);
  });

  it("evaluates and backtests", async () => {
    expect(await run("evaluate", `${folder}/model`, `${folder}/data.csv`)).toBe(0);
    expect(await run("backtest", `${folder}/model`, `${folder}/data.csv`, "--origins", "2", "--step", "12")).toBe(0);
    expect(io.err()).toBe("note: OT: 1 missing value interpolated\n".repeat(2));
    expect(told(io.out())).toMatchInlineSnapshot(`
      "                     MAE    RMSE   sMAPE    MASE  quantile loss  coverage
      data.csv
        model           0.5000  0.7000  5.000%  0.2500         0.2000     81.3%
        seasonal naive   1.000   1.400  10.00%  0.5000              –         –
        last value       2.000   2.800  20.00%   1.000              –         –
      MAE by origin         model  seasonal naive  last value
      2020-01-01 00:00:00  0.5000           1.000       2.000
      2020-01-01 12:00:00  0.5000           1.000       2.000

                           MAE    RMSE   sMAPE    MASE  quantile loss  coverage
      all origins
        model           0.5000  0.7000  5.000%  0.2500         0.2000     81.3%
        seasonal naive   1.000   1.400  10.00%  0.5000              –         –
        last value       2.000   2.800  20.00%   1.000              –         –

      the model has the smallest MAE from 2 of 2 origins
      "
    `);
  });

  it("puts the notes of an evaluation and a backtest into the last JSON event too", async () => {
    const notes = ["OT: 1 missing value interpolated"];
    await run("evaluate", `${folder}/model`, `${folder}/data.csv`, "--json");
    expect(JSON.parse(lines().at(-1) ?? "")).toEqual({ event: "done", metrics: { data: fakeScores }, notes });
    io = fakeIo();
    await run("backtest", `${folder}/model`, `${folder}/data.csv`, "--json", "--origins", "1");
    expect(lines().map((line) => JSON.parse(line))).toEqual([
      { event: "origin", time: "2020-01-01 00:00:00", stepsBeforeEnd: 24, metrics: fakeScores },
      { event: "done", metrics: { overall: fakeScores }, notes },
    ]);
  });

  it("shows what the model is", async () => {
    expect(await run("show", `${folder}/model`)).toBe(0);
    expect(io.out()).toBe(
      "# A forecaster\n\nOne gated recurrent unit.\n\nOptions\n  target: OT\n  horizon: 24\n  quantiles: 0.1, 0.9\n",
    );
  });

  it("refuses what is no model, and columns that a new file lacks", async () => {
    expect(await run("predict", `${folder}/data.csv`, `${folder}/data.csv`)).toBe(1);
    expect(told(io.err())).toBe(
      "recurra: the model data.csv is a file, expected a folder that recurra train wrote.\nName the folder that recurra train wrote.\n",
    );
    io = fakeIo();
    expect(await run("predict", `${folder}/modle`, `${folder}/data.csv`)).toBe(1);
    expect(told(io.err())).toBe(
      "recurra: the model modle is missing, expected a folder that recurra train wrote.\nCheck the path; relative paths start at the working directory.\n",
    );
    io = fakeIo();
    const other = folderWith({ "other.csv": "date,TO\n2016-07-01,1\n" });
    expect(await run("predict", `${folder}/model`, `${other}/other.csv`)).toBe(1);
    expect(io.err()).toBe(
      `recurra: ${other}/other.csv: column "OT" is missing, expected one of date, TO.\nDid you mean "TO"?\n`,
    );
  });
});

describe("recurra train --dry-run", () => {
  it("says what training would take, trains and writes nothing", async () => {
    expect(await trainInto("model", "--dry-run")).toBe(0);
    expect(told(io.out())).toMatchInlineSnapshot(`
      "data.csv: 1,000 timesteps, one every hour; season 24
      windows: 700 for training, 100 for validation, 200 for the test
      network: 12,345 parameters

      batch            batch 64, time 10, steps 1
      multiply-adds    10,000 forward for each step of a row, 19,200,000 a training step
      weights          146.5 KiB, with what the optimizer keeps
      memory           4.000 MiB, of it 1.907 MiB for temporaries
      form             all that the gradient needs is kept
      kernels          native avx512; up to 4 threads
      a training step  2.500 ms, median of 200 real steps on weights that were thrown away
      an epoch         11 steps, 0.02750 s, and validation
      all              at most 55 epochs, 0:02, and validation

      Nothing was trained or written.
      "
    `);
    expect(library.trained).toEqual([]);
    expect(readdirSync(folder)).toEqual(["data.csv"]);
  });

  it("gives it as one JSON event", async () => {
    expect(await trainInto("model", "--dry-run", "--json")).toBe(0);
    expect(lines().map((line) => JSON.parse(line))).toMatchObject([
      { event: "plan", plan: { parameters: 12_345 }, report: { windows: { train: 700 } }, stepMs: 2.5 },
    ]);
  });
});

describe("recurra doctor", () => {
  it("says what there is, what is used and how fast it is", async () => {
    expect(await run("doctor")).toBe(0);
    expect(io.out()).toMatchInlineSnapshot(`
      "engine       Node 24.1.0
      processor    Engine No. 1, 4 cores
      WebAssembly  SIMD yes, relaxed SIMD yes, shared memory yes
      threads      4 for a large batch
      kernels      native avx512

      GFLOP/s, measured now  1 thread  up to 4
      native avx512             143.0    480.1
      WebAssembly, SIMD         24.50    90.00
      "
    `);
    expect(io.err()).toBe("");
  });

  it("says why native kernels are missing and how to get them", async () => {
    const whyNotNative = {
      kind: "not installed",
      reason: "@recurra/native is not installed",
      mend: "npm install @recurra/native",
    } as const;
    const machine = { ...fakeMachine, backend: "wasm", kernels: "relaxed", whyNotNative, threads: 1 } as const;
    library = {
      ...library,
      describeMachine: () => ({ ...machine, threadsAsked: "1" }),
      measureMachine: async () => [],
    };
    expect(await run("doctor")).toBe(0);
    expect(io.out()).toMatchInlineSnapshot(`
      "engine             Node 24.1.0
      processor          Engine No. 1, 4 cores
      WebAssembly        SIMD yes, relaxed SIMD yes, shared memory yes
      threads            one, for every batch; RECURRA_THREADS is 1
      kernels            WebAssembly, relaxed SIMD
      no native kernels  @recurra/native is not installed
      hint               npm install @recurra/native

      "
    `);
  });

  it("gives all of it as one JSON object", async () => {
    expect(await run("doctor", "--json")).toBe(0);
    expect(lines().map((line) => JSON.parse(line))).toEqual([
      JSON.parse(JSON.stringify({ event: "machine", ...fakeMachine, rates: fakeRates })),
    ]);
  });
});

describe("recurra without native kernels", () => {
  const notice = {
    kind: "no native kernels",
    text: "runs on WebAssembly, without native kernels: switched off by RECURRA_NATIVE=0",
    mend: "unset RECURRA_NATIVE to use them",
  } as const;
  const line = `note: ${notice.text} (${notice.mend})\n`;
  const count = () => io.err().split(line).length - 1;

  beforeEach(() => {
    library = { ...library, notices: () => [notice] };
  });

  it("says so once in each run that computes", async () => {
    await trainInto("model");
    expect(io.err()).toBe(line);
    for (const name of ["predict", "evaluate", "backtest"]) {
      io = fakeIo();
      expect(await run(name, `${folder}/model`, `${folder}/data.csv`)).toBe(0);
      expect([name, count()]).toEqual([name, 1]);
      expect(io.out()).not.toContain(notice.text);
    }
    io = fakeIo();
    await run("show", `${folder}/model`);
    expect(io.err()).toBe("");
  });

  it("says so as an event with --json, and nothing with --quiet or where --strict wants none", async () => {
    await trainInto("model", "--json");
    expect(JSON.parse(lines()[0] ?? "")).toEqual({
      event: "notice",
      kind: notice.kind,
      message: notice.text,
      mend: notice.mend,
    });
    for (const flag of ["--quiet", "--strict"]) {
      io = fakeIo();
      await trainInto(`model${flag}`, flag);
      expect(io.err()).toBe("");
    }
  });
});

describe("recurra, misused", () => {
  it.each([
    [
      ["trian", "x.csv"],
      'command "trian" is unknown, expected one of train, compare, predict, evaluate, backtest, show, doctor.\nDid you mean train?',
    ],
    [
      ["train", "x.csv", "--horzon", "3"],
      "option --horzon is unknown, expected an option of this command.\nDid you mean --horizon?",
    ],
    [
      ["train", "x.csv", "--zzzzzzzz"],
      "option --zzzzzzzz is unknown, expected an option of this command.\nSee recurra train --help.",
    ],
    [["train", "x.csv", "--horizon"], "--horizon is without a value, expected --horizon N.\nSee recurra train --help."],
    [["predict"], "MODEL is missing, expected recurra predict MODEL ….\nSee recurra predict --help."],
    [
      ["show", "a", "b"],
      "the command line is longer than it may be, expected only show MODEL.\nSee recurra show --help.",
    ],
    [
      [],
      "the command is missing, expected one of train, compare, predict, evaluate, backtest, show, doctor.\nSee recurra --help.",
    ],
    [
      ["train", "--target", "OT", "--horizon", "3"],
      "the data is missing, expected files, or a query with --sql.\nName a file, or add --sql \"SELECT * FROM 'data.csv'\".",
    ],
    [
      ["backtest", "m", "x.csv", "--origins", "0"],
      "--origins is 0, expected 1, 2, 3, ….\nGive --origins a whole number of at least 1.",
    ],
  ])("says what is wrong with %j and ends with 2", async (argv, message) => {
    expect(await run(...argv)).toBe(2);
    expect(io.err()).toBe(`recurra: ${message}\n`);
    expect(io.out()).toBe("");
  });

  it("prints help and its version, and ends with 0", async () => {
    expect(await run("--help")).toBe(0);
    expect(io.out()).toContain("recurra train data.csv --target OT --horizon 24 --past 96");
    io = fakeIo();
    expect(await run("train", "--help")).toBe(0);
    expect(io.out().match(/^\w.*:$/gm)).toEqual([
      ...["Arguments:", "What to forecast:", "Columns of the data:", "Preparation:", "Network:"],
      ...["Training:", "Optimizer:", "Against overfitting:", "Reading:", "Results:", "Options:"],
    ]);
    expect(io.out().replace(/\s+/g, " ")).toContain(
      "--strict only plain multiply-adds: the same bits from the compiled code on every machine",
    );
    io = fakeIo();
    expect(await run("--version")).toBe(0);
    expect(io.out()).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
