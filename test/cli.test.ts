/** The command line on the real library: files in, a model folder and forecasts out. */

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { forecastRows } from "../packages/cli/src/options/forecast.ts";
import { withDatabase } from "../packages/cli/src/read/duckdb.ts";
import { fakeIo } from "../packages/cli/test-support/fakes.ts";
import { writeParquet } from "../packages/cli/test-support/files.ts";
import { csv, realCommand, rows, small, time } from "./support/command.ts";

const cli = realCommand();
const { at, lastEvent, run, told } = cli;

/** What every table of errors holds, whatever it may hold besides. */
const errors = {
  ...Object.fromEntries(["mse", "mae", "rmse", "smape", "mase", "rse"].map((name) => [name, expect.any(Number)])),
  scaled: { mse: expect.any(Number), mae: expect.any(Number) },
};
const table = expect.objectContaining(errors);
const scores = { model: table, seasonalNaive: table, lastValue: table };

describe("recurra on real data", () => {
  it("plans a run without training or writing", async () => {
    expect(await run("train", at("good.csv"), ...small, "--dry-run", "--json")).toBe(0);
    const { event, plan, report, stepMs, epochMs, stepsPerEpoch } = lastEvent();
    expect([event, report.windows]).toEqual(["plan", { train: 181, validation: 25, test: 55 }]);
    expect(stepMs).toBeGreaterThan(0);
    expect([stepsPerEpoch, epochMs]).toEqual([3, stepMs * 3]);
    expect(plan.multiplyAdds.train).toBeGreaterThan(2 * plan.multiplyAdds.predict);
    expect(readdirSync(cli.folder)).toEqual(["good.csv"]);
  });

  it("trains, predicts, evaluates, backtests and shows", async () => {
    expect(await run("train", at("good.csv"), ...small, "--quantiles", "0.1,0.9", "--out", at("model"))).toBe(0);
    expect(cli.io.err()).toBe("");
    const [first, second, third] = told(cli.io.out()).split("\n");
    expect(first).toBe("good.csv: 300 timesteps, one every hour; season 24");
    expect(second).toBe("windows: 181 for training, 25 for validation, 55 for the test");
    expect(third).toMatch(/^network: [\d,]+ parameters$/);
    expect(cli.io.out()).toMatch(
      /\ntest\n {2}model {2,}[\d.]+ .*%\n {2}seasonal naive .*\n {2}last value .*\n\nOn the test part the model /,
    );
    expect(readdirSync(at("model")).sort()).toEqual([
      "README.md",
      "forecast.svg",
      "model.json",
      "reading.json",
      "weights.safetensors",
    ]);
    expect(readFileSync(at("model/forecast.svg"), "utf8")).not.toMatch(/NaN|undefined/);

    cli.io = fakeIo();
    expect(await run("predict", at("model"), at("good.csv"), "--out", at("forecast.csv"))).toBe(0);
    expect(told(cli.io.out())).toBe("6 rows of forecast written to forecast.csv\n");
    const forecast = readFileSync(at("forecast.csv"), "utf8").trimEnd().split("\n");
    expect(forecast[0]).toBe("series,time,target,forecast,q0.1,q0.9");
    expect(forecast.slice(1).map((line) => line.split(",")[1])).toEqual([300, 301, 302, 303, 304, 305].map(time));
    for (const line of forecast.slice(1)) {
      const [low, high] = line.split(",").slice(4).map(Number);
      expect(low).toBeLessThanOrEqual(high!);
    }

    cli.io = fakeIo();
    expect(await run("evaluate", at("model"), at("good.csv"), "--json")).toBe(0);
    expect(lastEvent()).toEqual({
      event: "done",
      metrics: {
        data: {
          ...scores,
          model: expect.objectContaining({ ...errors, quantileLoss: expect.any(Number), coverage: expect.any(Number) }),
        },
      },
      notes: [expect.stringMatching(/^186 of 271 windows forecast times of the training part, /)],
    });

    cli.io = fakeIo();
    expect(await run("backtest", at("model"), at("good.csv"), "--origins", "2")).toBe(0);
    expect(cli.io.out()).toMatch(
      /^MAE by origin .*\n2024-01-13 00:00:00 .*\n2024-01-13 06:00:00 .*\n\n[\s\S]* of 2 origins\n$/,
    );

    cli.io = fakeIo();
    expect(await run("show", at("model"))).toBe(0);
    expect(cli.io.out()).toMatch(/^# Forecast of y, 6 timesteps ahead\n[\s\S]*\nOptions\n {2}target: y\n/);
  });

  it("ends --json with every score in original units and in units of the training deviation", async () => {
    expect(await run("train", at("good.csv"), ...small, "--json", "--out", at("model"))).toBe(0);
    expect(lastEvent()).toEqual({
      event: "done",
      metrics: { validation: scores, test: scores },
      best: { epoch: expect.any(Number), validationLoss: expect.any(Number) },
      stopped: "epochs",
      seconds: expect.any(Number),
      verdict: expect.stringMatching(/^On the test part /),
      model: at("model"),
      chart: at("model/forecast.svg"),
    });
    const { mse, mae, rmse, scaled } = lastEvent().metrics.test.model;
    const deviation = mae / scaled.mae;
    expect(rmse).toBeCloseTo(Math.sqrt(mse), 10);
    expect(mse / scaled.mse).toBeCloseTo(deviation ** 2, 8);
  });

  it("learns the same to the bit from CSV, TSV, Parquet, JSON Lines, several files and a query, with the same seed", async () => {
    writeFileSync(at("part-1.csv"), csv(rows(300).slice(0, 100)));
    writeFileSync(at("part-2.csv"), csv(rows(300).slice(100)));
    await writeParquet(at("good.parquet"), `SELECT * FROM '${at("good.csv")}'`);
    await withDatabase(async (database) => {
      await database.run(`COPY (SELECT * FROM '${at("good.csv")}') TO '${at("good.jsonl")}' (FORMAT json)`);
      await database.run(`COPY (SELECT * FROM '${at("good.csv")}') TO '${at("good.tsv")}' (HEADER, DELIMITER '\t')`);
    });
    const sources = [
      ...["good.csv", "good.csv", "good.tsv", "good.parquet", "good.jsonl", "part-*.csv"].map((name) => [at(name)]),
      ["--sql", `SELECT date, y FROM '${at("good.parquet")}' ORDER BY date`],
    ];
    const outcomes: string[] = [];
    for (const [k, source] of sources.entries()) {
      expect(await run("train", ...source, ...small, "--seed", "5", "--quiet", "--out", at(`m${k}`))).toBe(0);
      cli.io = fakeIo();
      expect(await run("predict", at(`m${k}`), ...source)).toBe(0);
      outcomes.push(cli.io.out() + readFileSync(at(`m${k}/weights.safetensors`)).toString("base64"));
    }
    expect(new Set(outcomes).size).toBe(1);
  });

  it("tells of gaps, of series left out and of series never seen", async () => {
    writeFileSync(at("gaps.csv"), csv(rows(300).filter((_, t) => t < 50 || t >= 53)));
    expect(await run("train", at("gaps.csv"), ...small, "--out", at("gappy"))).toBe(0);
    expect(cli.io.out()).toContain(
      "note: 3 missing timesteps of 1 hour are inserted, the first after 2024-01-03 01:00\nnote: y: 3 missing values interpolated\n",
    );
    const named = (id: string, count: number) => rows(count).map((line) => `${id},${line}`);
    writeFileSync(at("two.csv"), csv([...named("a", 300), ...named("b", 200), ...named("c", 10)], "id,date,y"));
    writeFileSync(at("new.csv"), csv([...named("a", 300), ...named("d", 50), ...named("c", 10)], "id,date,y"));
    expect(await run("train", at("two.csv"), ...small, "--series", "id", "--out", at("two"))).toBe(0);
    expect(cli.io.out()).toContain("note: shorter than 30 timesteps (past 24 + horizon 6), left out: c\n");
    cli.io = fakeIo();
    expect(await run("predict", at("two"), at("new.csv"))).toBe(0);
    expect(cli.io.err()).toBe(
      "note: not seen in training, scaled by their own history: d, c\nnote: shorter than 24 timesteps (past 24), left out: c\n",
    );
    expect(
      cli.io
        .out()
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => line[0]),
    ).toEqual([..."aaaaaadddddd"]);
  });

  it("saves the best so far on Ctrl-C and ends with 130", async () => {
    const bin = fileURLToPath(new URL("../packages/cli/bin/recurra.mjs", import.meta.url));
    const endless = ["--patience", "100000", "--epochs", "100000"];
    const child = spawn(process.execPath, [
      bin,
      "train",
      at("good.csv"),
      ...small,
      ...endless,
      "--json",
      "--out",
      at("model"),
    ]);
    let [out, err] = ["", ""];
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
    });
    child.stdout.on("data", (data: Buffer) => {
      if (!out.includes('"event":"epoch"') && (out + data).includes('"event":"epoch"')) child.kill("SIGINT");
      out += data.toString();
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(told(err)).toBe(
      "stopping; the best model so far will be saved (press Ctrl-C again to stop at once)\nstopped on request; the best model so far is in model\n",
    );
    expect(code).toBe(130);
    expect(JSON.parse(out.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ event: "done", stopped: "aborted" });
    expect(await run("predict", at("model"), at("good.csv"))).toBe(0);
    expect(cli.io.out().trimEnd().split("\n").length).toBe(7);
  });
});

describe("recurra, stopped or asked for less", () => {
  it("saves nothing on Ctrl-C during the short trial", async () => {
    const onInterrupt = (listener: () => void) => {
      setTimeout(listener, 0); // at the first turn that the trial gives
      return () => {};
    };
    cli.io = { ...cli.io, onInterrupt };
    expect(await run("train", at("good.csv"), ...small, "--window", "auto", "--hidden", "64", "--out", at("m"))).toBe(
      130,
    );
    expect(cli.io.out()).toBe("");
    expect(cli.io.err()).toMatch(/\nstopped before the end of the first epoch: nothing was saved\n$/);
    expect(existsSync(at("m"))).toBe(false);
  });

  it("trains without a test part, and says what that means", async () => {
    expect(await run("train", at("good.csv"), ...small, "--split", "0.8,0.2,0", "--out", at("m"))).toBe(0);
    expect(cli.io.out()).toContain("\nThere is no test part, so nothing is said about new data.\n");
  });

  it("names the defaults of the library in its help", async () => {
    expect(
      await run(
        "train",
        at("good.csv"),
        "--target",
        "y",
        "--horizon",
        "6",
        "--window",
        "last",
        "--epochs",
        "1",
        "--json",
        "--out",
        at("m"),
      ),
    ).toBe(0);
    const { settings } = JSON.parse(cli.io.out().split("\n")[0] ?? "");
    const fields = [
      "missing",
      "window",
      "split",
      "quantiles",
      "season",
      "segment",
      "past",
      "epochs",
      "patience",
      "calendar",
    ];
    for (const [field, { help }] of Object.entries(forecastRows)) {
      const told = /\(default: ([^ ,]+)\)$/.exec(help)?.[1];
      if (told === undefined || fields.includes(field)) continue;
      const value = settings[field];
      expect([field, told]).toEqual([field, typeof value === "boolean" ? (value ? "yes" : "no") : String(value)]);
    }
  });
});

describe("recurra in a pipe", () => {
  it("saves the model also when nobody reads its lines to the end", async () => {
    const bin = fileURLToPath(new URL("../packages/cli/bin/recurra.mjs", import.meta.url));
    const child = spawn(process.execPath, [bin, "train", at("good.csv"), ...small, "--out", at("model")]);
    child.stdout.destroy();
    let err = "";
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
    expect(told(err)).toBe("");
    expect(existsSync(at("model/model.json"))).toBe(true);
  });
});
