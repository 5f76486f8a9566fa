/** What is wrong with files, options and models is said, and nothing is left behind. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fakeIo } from "../packages/cli/test-support/fakes.ts";
import { cells } from "../packages/recurra/src/cells/registry.ts";
import { changed, csv, realCommand, rows, small, time } from "./support/command.ts";

const cli = realCommand();
const { at, run, told } = cli;

describe("bad input", () => {
  const files: Readonly<Record<string, string | Uint8Array>> = {
    "text.csv": changed(12, `${time(10)},oops`),
    "double-column.csv": csv(
      rows(300).map((line) => `${line},1`),
      "date,y,y",
    ),
    "double-time.csv": changed(12, `${time(9)},1`),
    "unsorted.csv": changed(12, `${time(8)},1`),
    "off-grid.csv": changed(12, "2024-01-01 10:17:00,1"),
    "irregular.csv": csv(
      rows(300).map((line, t) => line.replace(":00:00", `:${String((t * t * 7) % 60).padStart(2, "0")}:00`)),
    ),
    "constant.csv": csv(rows(300).map((_, t) => `${time(t)},5`)),
    "gaps.csv": csv(rows(300).filter((_, t) => t < 50 || t >= 53)),
    "nan.csv": changed(12, `${time(10)},NaN`),
    "short.csv": csv(rows(20)),
    "empty.csv": "",
    "header.csv": "date,y\n",
    "ragged.csv": changed(12, `${time(10)},1,2`),
    "bad-time.csv": changed(12, "yesterday,1"),
    "infinite.csv": changed(12, `${time(10)},Infinity`),
    "comma.csv": csv(
      rows(300).map((line) => line.replace(",", ";").replace(".", ",")),
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
      const before = readdirSync(cli.folder).sort();
      const given = flags.map((flag) => flag.replace("FOLDER", cli.folder));
      expect(
        await run("train", name === "" ? cli.folder : at(name), ...small, "--quiet", "--out", at("model"), ...given),
      ).toBe(code);
      expect(told(cli.io.err())).toBe(message);
      expect(cli.io.out()).toBe("");
      expect(readdirSync(cli.folder).sort()).toEqual(before);
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
      cli.io = fakeIo();
      expect(await run("predict", at("model"), at("good.csv"), "--out", at("forecast.csv"))).toBe(1);
      expect(told(cli.io.err())).toBe(message);
      expect(existsSync(at("forecast.csv"))).toBe(false);
    },
  );
});
