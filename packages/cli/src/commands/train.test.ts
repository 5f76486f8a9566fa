import { existsSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fakeCommand } from "../../test-support/command.ts";
import { fakeIo, fakeLibrary, fakeScores } from "../../test-support/fakes.ts";
import { folderWith } from "../../test-support/files.ts";
import { commandOf } from "../io.ts";

const cli = fakeCommand();
const { lines, run, told, trainInto } = cli;

describe("recurra train", () => {
  it("writes a whole model with its chart and prints plain lines, a table, a verdict and what to type next", async () => {
    expect(await trainInto("model")).toBe(0);
    expect(readdirSync(`${cli.folder}/model`).sort()).toEqual([
      "README.md",
      "forecast.svg",
      "model.json",
      "reading.json",
      "weights.safetensors",
    ]);
    expect(told(cli.io.out())).toMatchInlineSnapshot(`
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
    expect(cli.io.err()).toBe("");
  });

  it("hands the options and the table to the library", async () => {
    await trainInto("model", "--past", "96", "--quantiles", "0.1,0.9", "--learning-rate", "0.01", "--strict");
    expect(cli.library.trained).toEqual([
      { target: "OT", horizon: 24, past: 96, quantiles: [0.1, 0.9], learningRate: 0.01, strict: true },
    ]);
    expect(cli.library.tables[0]?.columns.map(({ name, kind }) => [name, kind])).toEqual([
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
      model: `${cli.folder}/model`,
      chart: `${cli.folder}/model/forecast.svg`,
    });
  });

  it("names commands that work as typed: through npx where npm started it, and with the query in quotes", async () => {
    cli.io = { ...fakeIo(), command: commandOf({ npm_lifecycle_event: "quickstart" }) };
    const query = `SELECT * FROM "${cli.folder}/data.csv"`;
    const options = ["--target", "OT", "--horizon", "24", "--out", `${cli.folder}/my model`];
    expect(await run("train", "--sql", query, ...options)).toBe(0);
    const again = `'my model' --sql 'SELECT * FROM "data.csv"'`;
    expect(told(cli.io.out())).toContain(
      `next:  npx recurra predict ${again}\n       npx recurra backtest ${again}\n       npx recurra show 'my model'\n`,
    );
    expect([{ npm_execpath: "npm" }, {}].map(commandOf)).toEqual(["npx recurra", "recurra"]);
  });

  it("draws a bar on a terminal and prints nothing with --quiet", async () => {
    cli.io = fakeIo({ isTerminal: true, columns: 100 });
    await trainInto("model");
    expect(cli.io.out()).toContain(
      "\r\x1b[2K████████████████████████  epoch 2/2  100%  loss 0.4500  validation 0.4000 best  1,234 seq/s\n",
    );
    cli.io = fakeIo();
    expect(await trainInto("quiet", "--quiet")).toBe(0);
    expect(cli.io.out() + cli.io.err()).toBe("");
  });

  it("refuses a folder that is there before it reads anything, and replaces it with --overwrite", async () => {
    await trainInto("model");
    cli.io = fakeIo();
    expect(await trainInto("model")).toBe(2);
    expect(told(cli.io.err())).toBe(
      "recurra: the folder for the model, model, is there already, expected a new folder.\nChoose another with --out, or replace it with --overwrite.\n",
    );
    expect(cli.library.trained.length).toBe(1);
    expect(await trainInto("model", "--overwrite")).toBe(0);
  });

  it("checks options before it looks for the data", async () => {
    expect(await run("train", `${cli.folder}/missing.csv`, "--target", "OT", "--horizon", "0")).toBe(2);
    expect(cli.io.err()).toBe(
      "recurra: --horizon is 0, expected 1, 2, 3, ….\nGive --horizon a whole number of at least 1.\n",
    );
  });

  it("ends with 1 and nothing written when the data is bad, also as JSON", async () => {
    expect(
      await run(
        "train",
        `${cli.folder}/missing.csv`,
        "--target",
        "OT",
        "--horizon",
        "3",
        "--out",
        `${cli.folder}/model`,
        "--json",
      ),
    ).toBe(1);
    expect(JSON.parse(lines().at(-1) ?? "")).toEqual({
      event: "error",
      kind: "DataError",
      message: `${cli.folder}/missing.csv is missing, expected a data file.\nCheck the path; relative paths start at the working directory.`,
      where: `${cli.folder}/missing.csv`,
      given: "missing",
      expected: "a data file",
      mend: "check the path; relative paths start at the working directory",
    });
    expect(existsSync(`${cli.folder}/model`)).toBe(false);
  });

  it("ends with 1 and nothing written when training fails", async () => {
    cli.library = fakeLibrary((epoch) => {
      if (epoch === 2) throw new Error("the dog ate it");
    });
    expect(await trainInto("model")).toBe(1);
    expect(cli.io.err()).toMatch(
      /^recurra: Error: the dog ate it\n[\s\S]*This is a fault of recurra: please report it\.\n$/,
    );
    expect(existsSync(`${cli.folder}/model`)).toBe(false);
  });

  it("saves the model also when its chart cannot be drawn, and says so", async () => {
    const { trainForecaster } = cli.library;
    const views = () => {
      throw new Error("no windows");
    };
    cli.library = {
      ...cli.library,
      trainForecaster: (...given) => {
        const run = trainForecaster(...given);
        return {
          forecaster: () => ({ ...run.forecaster(), views }),
          [Symbol.asyncIterator]: () => run[Symbol.asyncIterator](),
        };
      },
    };
    expect(await trainInto("model")).toBe(0);
    expect(cli.io.err()).toBe("no chart was drawn: no windows\n");
    expect(existsSync(`${cli.folder}/model/model.json`)).toBe(true);
    expect(cli.io.out()).not.toContain("chart:");
  });

  it("refuses negative numbers as values of their option", async () => {
    expect(await run("train", `${cli.folder}/data.csv`, "--target", "OT", "--horizon", "-3")).toBe(2);
    expect(cli.io.err()).toBe(
      "recurra: --horizon is -3, expected 1, 2, 3, ….\nGive --horizon a whole number of at least 1.\n",
    );
  });

  it("saves the best so far on Ctrl-C and ends with 130", async () => {
    cli.library = fakeLibrary((epoch) => {
      if (epoch === 2) cli.io.interrupt();
    });
    expect(await trainInto("model")).toBe(130);
    expect(told(cli.io.err())).toBe(
      "stopping; the best model so far will be saved (press Ctrl-C again to stop at once)\nstopped on request; the best model so far is in model\n",
    );
    expect(existsSync(`${cli.folder}/model/model.json`)).toBe(true);
    expect(cli.io.exits).toEqual([]);
  });

  it("ends at once on a second Ctrl-C, and saves nothing before the first epoch", async () => {
    cli.library = fakeLibrary((epoch) => {
      if (epoch !== 1) return;
      cli.io.interrupt();
      cli.io.interrupt();
    });
    expect(await trainInto("model")).toBe(130);
    expect(cli.io.exits).toEqual([130]);
    expect(cli.io.err()).toContain("stopped before the end of the first epoch: nothing was saved\n");
    expect(existsSync(`${cli.folder}/model`)).toBe(false);
  });

  it("knows target and series of a wide file, and reads the next file the same way", async () => {
    const wide = folderWith({ "wide.csv": "id,a,b\nH1,1,2\nH2,3,\n" });
    expect(await run("train", `${wide}/wide.csv`, "--layout", "wide", "--horizon", "1", "--out", `${wide}/model`)).toBe(
      0,
    );
    expect(cli.library.trained).toEqual([{ target: "value", series: "series", horizon: 1 }]);
    expect(await run("predict", `${wide}/model`, `${wide}/wide.csv`)).toBe(0);
    expect(cli.library.tables.at(-1)?.columns.map(({ name }) => name)).toEqual(["series", "index", "value"]);
  });
});

describe("recurra train --dry-run", () => {
  it("says what training would take, trains and writes nothing", async () => {
    expect(await trainInto("model", "--dry-run")).toBe(0);
    expect(told(cli.io.out())).toMatchInlineSnapshot(`
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
    expect(cli.library.trained).toEqual([]);
    expect(readdirSync(cli.folder)).toEqual(["data.csv"]);
  });

  it("gives it as one JSON event", async () => {
    expect(await trainInto("model", "--dry-run", "--json")).toBe(0);
    expect(lines().map((line) => JSON.parse(line))).toMatchObject([
      { event: "plan", plan: { parameters: 12_345 }, report: { windows: { train: 700 } }, stepMs: 2.5 },
    ]);
  });
});
