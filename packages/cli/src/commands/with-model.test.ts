import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { fakeCommand } from "../../test-support/command.ts";
import { fakeIo, fakeScores } from "../../test-support/fakes.ts";
import { folderWith } from "../../test-support/files.ts";

const cli = fakeCommand();
const { lines, run, told, trainInto } = cli;

describe("recurra with a stored model", () => {
  beforeEach(async () => {
    await trainInto("model", "--quiet", "--quantiles", "0.1,0.9");
    cli.io = fakeIo();
  });

  it("predicts as CSV on the terminal, into a file, and as JSON", async () => {
    expect(await run("predict", `${cli.folder}/model`, `${cli.folder}/data.csv`)).toBe(0);
    expect(cli.io.err()).toBe("note: not seen in training, scaled by their own history: b\n");
    expect(lines().slice(0, 2)).toEqual(["series,time,target,forecast,q0.1,q0.9", ",2020-01-01 00:00:00,OT,47,46,48"]);
    cli.io = fakeIo();
    expect(
      await run("predict", `${cli.folder}/model`, `${cli.folder}/data.csv`, "--out", `${cli.folder}/forecast.csv`),
    ).toBe(0);
    expect(told(cli.io.out())).toBe("24 rows of forecast written to forecast.csv\n");
    expect(readFileSync(`${cli.folder}/forecast.csv`, "utf8").split("\n").length).toBe(26);
    cli.io = fakeIo();
    await run("predict", `${cli.folder}/model`, `${cli.folder}/data.csv`, "--json");
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
    expect(await run("evaluate", `${cli.folder}/model`, `${cli.folder}/data.csv`)).toBe(0);
    expect(
      await run("backtest", `${cli.folder}/model`, `${cli.folder}/data.csv`, "--origins", "2", "--step", "12"),
    ).toBe(0);
    expect(cli.io.err()).toBe("note: OT: 1 missing value interpolated\n".repeat(2));
    expect(told(cli.io.out())).toMatchInlineSnapshot(`
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
    await run("evaluate", `${cli.folder}/model`, `${cli.folder}/data.csv`, "--json");
    expect(JSON.parse(lines().at(-1) ?? "")).toEqual({ event: "done", metrics: { data: fakeScores }, notes });
    cli.io = fakeIo();
    await run("backtest", `${cli.folder}/model`, `${cli.folder}/data.csv`, "--json", "--origins", "1");
    expect(lines().map((line) => JSON.parse(line))).toEqual([
      { event: "origin", time: "2020-01-01 00:00:00", stepsBeforeEnd: 24, metrics: fakeScores },
      { event: "done", metrics: { overall: fakeScores }, notes },
    ]);
  });

  it("shows what the model is", async () => {
    expect(await run("show", `${cli.folder}/model`)).toBe(0);
    expect(cli.io.out()).toBe(
      "# A forecaster\n\nOne gated recurrent unit.\n\nOptions\n  target: OT\n  horizon: 24\n  quantiles: 0.1, 0.9\n",
    );
  });

  it("refuses what is no model, and columns that a new file lacks", async () => {
    expect(await run("predict", `${cli.folder}/data.csv`, `${cli.folder}/data.csv`)).toBe(1);
    expect(told(cli.io.err())).toBe(
      "recurra: the model data.csv is a file, expected a folder that recurra train wrote.\nName the folder that recurra train wrote.\n",
    );
    cli.io = fakeIo();
    expect(await run("predict", `${cli.folder}/modle`, `${cli.folder}/data.csv`)).toBe(1);
    expect(told(cli.io.err())).toBe(
      "recurra: the model modle is missing, expected a folder that recurra train wrote.\nCheck the path; relative paths start at the working directory.\n",
    );
    cli.io = fakeIo();
    const other = folderWith({ "other.csv": "date,TO\n2016-07-01,1\n" });
    expect(await run("predict", `${cli.folder}/model`, `${other}/other.csv`)).toBe(1);
    expect(cli.io.err()).toBe(
      `recurra: ${other}/other.csv: column "OT" is missing, expected one of date, TO.\nDid you mean "TO"?\n`,
    );
  });
});
