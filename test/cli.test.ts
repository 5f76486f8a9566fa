/** The command line on the real library: files in, a model folder and forecasts out, and nothing left behind when something is wrong. */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { main, realLibrary } from "../packages/cli/src/main.ts";
import { forecastRows } from "../packages/cli/src/options/forecast.ts";
import { withDatabase } from "../packages/cli/src/read/duckdb.ts";
import { type FakeIo, fakeIo } from "../packages/cli/test-support/fakes.ts";
import { folderWith, writeParquet } from "../packages/cli/test-support/files.ts";
import { cells } from "../packages/recurra/src/cells/registry.ts";

const time = (t: number) => new Date(Date.UTC(2024, 0, 1, t)).toISOString().slice(0, 19).replace("T", " ");
const value = (t: number) => (20 + 5 * Math.sin((2 * Math.PI * t) / 24) + ((t * 7919) % 13) / 20).toFixed(3);
const lines = (count: number) => Array.from({ length: count }, (_, t) => `${time(t)},${value(t)}`);
const csv = (rows: readonly string[], header = "date,y") => `${[header, ...rows].join("\n")}\n`;
/** The lines of the good file with one of them changed; line 2 is the first row. */
const changed = (line: number, text: string) => csv(lines(300).map((row, k) => (k === line - 2 ? text : row)));

const small = [
  ...["--target", "y", "--horizon", "6", "--past", "24", "--window", "last", "--hidden", "8", "--epochs", "2"],
  ...["--windows-per-epoch", "320"],
];

let folder: string;
let io: FakeIo;

beforeEach(() => {
  folder = folderWith({ "good.csv": csv(lines(300)) });
  io = fakeIo();
});

const at = (name: string) => `${folder}/${name}`;
/** What is noticed depends on the machine of the tests. */
const run = (...argv: string[]) => main(argv, io, { ...realLibrary, notices: () => [] });
/** Without the folder, and without the note of a run whose native kernels are switched off. */
const told = (text: string) =>
  text
    .replace(/^note: runs on WebAssembly, without native kernels: .*\n/m, "")
    .replaceAll(`${folder}/`, "")
    .replaceAll(folder, ".");
const lastEvent = () => JSON.parse(io.out().trimEnd().split("\n").at(-1) ?? "");

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
    expect(readdirSync(folder)).toEqual(["good.csv"]);
  });

  it("trains, predicts, evaluates, backtests and shows", async () => {
    expect(await run("train", at("good.csv"), ...small, "--quantiles", "0.1,0.9", "--out", at("model"))).toBe(0);
    expect(io.err()).toBe("");
    const [first, second, third] = told(io.out()).split("\n");
    expect(first).toBe("good.csv: 300 timesteps, one every hour; season 24");
    expect(second).toBe("windows: 181 for training, 25 for validation, 55 for the test");
    expect(third).toMatch(/^network: [\d,]+ parameters$/);
    expect(io.out()).toMatch(
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

    io = fakeIo();
    expect(await run("predict", at("model"), at("good.csv"), "--out", at("forecast.csv"))).toBe(0);
    expect(told(io.out())).toBe("6 rows of forecast written to forecast.csv\n");
    const forecast = readFileSync(at("forecast.csv"), "utf8").trimEnd().split("\n");
    expect(forecast[0]).toBe("series,time,target,forecast,q0.1,q0.9");
    expect(forecast.slice(1).map((line) => line.split(",")[1])).toEqual([300, 301, 302, 303, 304, 305].map(time));
    for (const line of forecast.slice(1)) {
      const [low, high] = line.split(",").slice(4).map(Number);
      expect(low).toBeLessThanOrEqual(high!);
    }

    io = fakeIo();
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

    io = fakeIo();
    expect(await run("backtest", at("model"), at("good.csv"), "--origins", "2")).toBe(0);
    expect(io.out()).toMatch(
      /^MAE by origin .*\n2024-01-13 00:00:00 .*\n2024-01-13 06:00:00 .*\n\n[\s\S]* of 2 origins\n$/,
    );

    io = fakeIo();
    expect(await run("show", at("model"))).toBe(0);
    expect(io.out()).toMatch(/^# Forecast of y, 6 timesteps ahead\n[\s\S]*\nOptions\n {2}target: y\n/);
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
    writeFileSync(at("part-1.csv"), csv(lines(300).slice(0, 100)));
    writeFileSync(at("part-2.csv"), csv(lines(300).slice(100)));
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
      io = fakeIo();
      expect(await run("predict", at(`m${k}`), ...source)).toBe(0);
      outcomes.push(io.out() + readFileSync(at(`m${k}/weights.safetensors`)).toString("base64"));
    }
    expect(new Set(outcomes).size).toBe(1);
  });

  it("tells of gaps, of series left out and of series never seen", async () => {
    writeFileSync(at("gaps.csv"), csv(lines(300).filter((_, t) => t < 50 || t >= 53)));
    expect(await run("train", at("gaps.csv"), ...small, "--out", at("gappy"))).toBe(0);
    expect(io.out()).toContain(
      "note: 3 missing timesteps of 1 hour are inserted, the first after 2024-01-03 01:00\nnote: y: 3 missing values interpolated\n",
    );
    const named = (id: string, count: number) => lines(count).map((line) => `${id},${line}`);
    writeFileSync(at("two.csv"), csv([...named("a", 300), ...named("b", 200), ...named("c", 10)], "id,date,y"));
    writeFileSync(at("new.csv"), csv([...named("a", 300), ...named("d", 50), ...named("c", 10)], "id,date,y"));
    expect(await run("train", at("two.csv"), ...small, "--series", "id", "--out", at("two"))).toBe(0);
    expect(io.out()).toContain("note: shorter than 30 timesteps (past 24 + horizon 6), left out: c\n");
    io = fakeIo();
    expect(await run("predict", at("two"), at("new.csv"))).toBe(0);
    expect(io.err()).toBe(
      "note: not seen in training, scaled by their own history: d, c\nnote: shorter than 24 timesteps (past 24), left out: c\n",
    );
    expect(
      io
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
    expect(io.out().trimEnd().split("\n").length).toBe(7);
  });
});

describe("recurra, stopped or asked for less", () => {
  it("saves nothing on Ctrl-C during the short trial", async () => {
    const onInterrupt = (listener: () => void) => {
      setTimeout(listener, 0); // at the first turn that the trial gives
      return () => {};
    };
    io = { ...io, onInterrupt };
    expect(await run("train", at("good.csv"), ...small, "--window", "auto", "--hidden", "64", "--out", at("m"))).toBe(
      130,
    );
    expect(io.out()).toBe("");
    expect(io.err()).toMatch(/\nstopped before the end of the first epoch: nothing was saved\n$/);
    expect(existsSync(at("m"))).toBe(false);
  });

  it("trains without a test part, and says what that means", async () => {
    expect(await run("train", at("good.csv"), ...small, "--split", "0.8,0.2,0", "--out", at("m"))).toBe(0);
    expect(io.out()).toContain("\nThere is no test part, so nothing is said about new data.\n");
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
    const { settings } = JSON.parse(io.out().split("\n")[0] ?? "");
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

describe("bad input", () => {
  const files: Readonly<Record<string, string | Uint8Array>> = {
    "text.csv": changed(12, `${time(10)},oops`),
    "double-column.csv": csv(
      lines(300).map((line) => `${line},1`),
      "date,y,y",
    ),
    "double-time.csv": changed(12, `${time(9)},1`),
    "unsorted.csv": changed(12, `${time(8)},1`),
    "off-grid.csv": changed(12, "2024-01-01 10:17:00,1"),
    "irregular.csv": csv(
      lines(300).map((line, t) => line.replace(":00:00", `:${String((t * t * 7) % 60).padStart(2, "0")}:00`)),
    ),
    "constant.csv": csv(lines(300).map((_, t) => `${time(t)},5`)),
    "gaps.csv": csv(lines(300).filter((_, t) => t < 50 || t >= 53)),
    "nan.csv": changed(12, `${time(10)},NaN`),
    "short.csv": csv(lines(20)),
    "empty.csv": "",
    "header.csv": "date,y\n",
    "ragged.csv": changed(12, `${time(10)},1,2`),
    "bad-time.csv": changed(12, "yesterday,1"),
    "infinite.csv": changed(12, `${time(10)},Infinity`),
    "comma.csv": csv(
      lines(300).map((line) => line.replace(",", ";").replace(".", ",")),
      "date;y",
    ),
    "broken.parquet": new Uint8Array([80, 65, 82, 49, 1, 2, 3, 4, 5, 6, 7, 8, 80, 65, 82, 49]),
    "broken.jsonl": '{"date":"2024-01-01","y":1}\n{"date":\n',
  };

  it.each([
    [
      "text.csv",
      [],
      1,
      'recurra: text.csv: line 12, column y is "oops", expected a number.\nMend the cell, or leave it empty when the value is missing.\n',
    ],
    [
      "double-column.csv",
      [],
      1,
      'recurra: double-column.csv: header: column "y" is there 2 times (columns 2, 3), expected a different name for each column.\nRename or remove the repeated columns.\n',
    ],
    [
      "double-time.csv",
      [],
      1,
      "recurra: double-time.csv: line 12, column date is 2024-01-01 09:00, the time of double-time.csv: line 11 again, expected one row for each time.\nKeep one of the rows; if the table holds several series, name the column that tells them apart (option series).\n",
    ],
    [
      "unsorted.csv",
      [],
      1,
      "recurra: unsorted.csv: line 12, column date is 2024-01-01 08:00, earlier than unsorted.csv: line 11 with 2024-01-01 09:00, expected times in ascending order.\nSort the rows by time; if the table holds several series, name the column that tells them apart (option series).\n",
    ],
    [
      "off-grid.csv",
      [],
      1,
      "recurra: off-grid.csv: line 12, column date is 2024-01-01 10:17, 77 minutes after the row before it, expected a whole number of steps of 1 hour after it (the usual interval).\nResample the data to one interval, or correct this time.\n",
    ],
    [
      "irregular.csv",
      [],
      1,
      "recurra: irregular.csv: column date is irregular: its most common step, 11 minutes, is only 10 of 299, expected times at one interval.\nResample the data to one interval, or leave the column out to take each row as one timestep.\n",
    ],
    [
      "constant.csv",
      [],
      1,
      "recurra: constant.csv: column y is 5 throughout the training part, expected values that change, so that there is something to learn.\nChoose another target, or a longer training part.\n",
    ],
    [
      "gaps.csv",
      ["--missing", "error"],
      1,
      'recurra: gaps.csv: line 52, column date is 2024-01-03 05:00, 4 hours after the row before it, expected 1 hour after it (the usual interval).\nAdd the missing rows, or choose "interpolate" or "mask" for what is missing.\n',
    ],
    [
      "nan.csv",
      ["--missing", "error"],
      1,
      'recurra: nan.csv: line 12, column y is empty, expected a value in every row.\nFill it in, or choose "interpolate" or "mask" for what is missing.\n',
    ],
    [
      "short.csv",
      [],
      1,
      "recurra: short.csv is 20 timesteps long, expected at least 30 timesteps (past 24 + horizon 6).\nGive more rows, or look back on and forecast fewer timesteps.\n",
    ],
    [
      "empty.csv",
      [],
      1,
      "recurra: empty.csv is empty (0 bytes), expected rows of data.\nCheck what wrote the file; perhaps it is not finished.\n",
    ],
    [
      "header.csv",
      [],
      1,
      "recurra: header.csv is a header without rows, expected at least one row of data.\nCheck what wrote the file; perhaps it is not finished.\n",
    ],
    [
      "ragged.csv",
      [],
      1,
      "recurra: ragged.csv: line 12 is a row of 3 cells, expected 2 cells, as in the first line.\nMend the line; text that holds the delimiter belongs in double quotes.\n",
    ],
    [
      "bad-time.csv",
      [],
      1,
      'recurra: bad-time.csv: line 12, column date is "yesterday", expected a time such as 2016-07-01 00:00:00.\nMend the cell, or leave it empty when the value is missing.\n',
    ],
    [
      "infinite.csv",
      [],
      1,
      'recurra: infinite.csv: line 12, column y is "Infinity", expected a number.\nMend the cell, or leave it empty when the value is missing.\n',
    ],
    [
      "comma.csv",
      [],
      1,
      'recurra: comma.csv: line 2, column y is "20,000", expected a number.\nWrite decimals with a point: 20.000.\n',
    ],
    [
      "broken.parquet",
      [],
      1,
      "recurra: broken.parquet is not readable as Parquet (Footer length error in file 'broken.parquet'), expected a whole Parquet file.\nWrite or copy the file again, or name its true format with --format.\n",
    ],
    [
      "broken.jsonl",
      [],
      1,
      "recurra: broken.jsonl: line 2 is not JSON, expected one JSON object on each line.\nMend the line; perhaps the file was cut off there.\n",
    ],
    [
      "missing.csv",
      [],
      1,
      "recurra: missing.csv is missing, expected a data file.\nCheck the path; relative paths start at the working directory.\n",
    ],
    [
      "missing-*.csv",
      [],
      1,
      'recurra: the glob "missing-*.csv" is matched by no file, expected at least one file.\nCheck the path; globs start at the working directory.\n',
    ],
    ["", [], 1, 'recurra: . is a folder, expected a data file.\nName the files in it, for example "*.csv".\n'],
    [
      "good.csv",
      ["--target", "Y"],
      1,
      'recurra: good.csv: column "Y" is missing, expected one of date, y.\nDid you mean "y"?\n',
    ],
    [
      "good.csv",
      ["--past-covariates", "z"],
      1,
      'recurra: good.csv: column "z" is missing, expected one of date, y.\nName a column of the data.\n',
    ],
    [
      "good.csv",
      ["--horzon", "3"],
      2,
      "recurra: option --horzon is unknown, expected an option of this command.\nDid you mean --horizon?\n",
    ],
    [
      "good.csv",
      ["--horizon", "0"],
      2,
      "recurra: --horizon is 0, expected 1, 2, 3, ….\nGive --horizon a whole number of at least 1.\n",
    ],
    [
      "good.csv",
      ["--cell", "ltsm"],
      2,
      `recurra: --cell is unknown: "ltsm", expected one of ${Object.keys(cells).join(", ")}.\nDid you mean "lstm"?\n`,
    ],
    [
      "good.csv",
      ["--segment", "7"],
      2,
      "recurra: segment is 7, expected a divisor of past, which is 24.\nChoose segment 6 or past 21.\n",
    ],
    [
      "good.csv",
      ["--residual", "seasonalBlend"],
      2,
      'recurra: past is 24, expected at least 168 for residual "seasonalBlend".\nLook back further, or forecast no residual.\n',
    ],
    [
      "good.csv",
      ["--learning-rate", "1e6", "--strict"],
      1,
      "recurra: training step 2: the loss is 5.60e+6, after 0.845 at the start, expected a loss that falls.\nTraining diverges: lower the learning rate (now 1000000) or clip the gradient by norm.\n",
    ],
    [
      "good.csv",
      ["--learning-rate", "1e3", "--strict"],
      1,
      "recurra: training step 3: the loss is 2.41e+3, after 0.845 at the start, expected a loss that falls.\nTraining diverges: lower the learning rate (now 1000) or clip the gradient by norm.\n",
    ],
    [
      "good.csv",
      ["--out", "FOLDER/good.csv/model"],
      2,
      "recurra: the folder for the model, good.csv/model, is inside good.csv, which is a file, expected a new folder.\nChoose another with --out.\n",
    ],
  ] as [string, string[], number, string][])(
    "%s %j: one message, and nothing is left behind",
    async (name, flags, code, message) => {
      for (const [file, content] of Object.entries(files)) writeFileSync(at(file), content);
      const before = readdirSync(folder).sort();
      const given = flags.map((flag) => flag.replace("FOLDER", folder));
      expect(
        await run("train", name === "" ? folder : at(name), ...small, "--quiet", "--out", at("model"), ...given),
      ).toBe(code);
      expect(told(io.err())).toBe(message);
      expect(io.out()).toBe("");
      expect(readdirSync(folder).sort()).toEqual(before);
    },
  );

  it.each([
    [
      "without weights",
      "weights.safetensors",
      undefined,
      "recurra: model: the model folder is without weights.safetensors, expected a folder with model.json and weights.safetensors.\nGive the folder that `recurra train` wrote.\n",
    ],
    [
      "with weights cut off",
      "weights.safetensors",
      (content: string) => content.slice(0, -4),
      'recurra: model: weights.safetensors is cut off inside "position", expected a whole safetensors file of float32 tensors.\nCopy the file again from where it was saved.\n',
    ],
    [
      "with other JSON",
      "model.json",
      () => '{"a":1}',
      "recurra: model: model.json is not a model of recurra, expected a forecasting model written by recurra.\nGive the folder that `recurra train` wrote, unchanged.\n",
    ],
    [
      "with JSON cut off",
      "model.json",
      (content: string) => content.slice(0, 300),
      "recurra: model: model.json is not readable as JSON, expected a forecasting model written by recurra.\nGive the folder that `recurra train` wrote, unchanged.\n",
    ],
    [
      "of a later version",
      "model.json",
      (content: string) => content.replace('"version": 1', '"version": 2'),
      "recurra: model: model.json is of version 2, and this recurra reads version 1, expected a forecasting model written by recurra.\nGive the folder that `recurra train` wrote, unchanged.\n",
    ],
    [
      "with a changed setting",
      "model.json",
      (content: string) => content.replace('"outputSegment": 6', '"outputSegment": "6"'),
      'recurra: model: model.json: settings.outputSegment is "6", expected 1, 2, 3, ….\nGive the folder that `recurra train` wrote, unchanged.\n',
    ],
    [
      "of another size",
      "model.json",
      (content: string) => content.replace('"hiddenSize": 8,\n    "depth"', '"hiddenSize": 9,\n    "depth"'),
      'recurra: model: weight "embedding.W" is 48 numbers, expected 54 numbers, [9, 6].\nLoad weights that were saved from the same network.\n',
    ],
  ] as [string, string, ((content: string) => string) | undefined, string][])(
    "a model %s is refused",
    async (_, file, change, message) => {
      await run("train", at("good.csv"), ...small, "--quiet", "--out", at("whole"));
      mkdirSync(at("model"));
      for (const name of readdirSync(at("whole"))) {
        const content = readFileSync(at(`whole/${name}`)).toString("latin1");
        if (name !== file) writeFileSync(at(`model/${name}`), content, "latin1");
        else if (change !== undefined) writeFileSync(at(`model/${name}`), change(content), "latin1");
      }
      io = fakeIo();
      expect(await run("predict", at("model"), at("good.csv"), "--out", at("forecast.csv"))).toBe(1);
      expect(told(io.err())).toBe(message);
      expect(existsSync(at("forecast.csv"))).toBe(false);
    },
  );
});
