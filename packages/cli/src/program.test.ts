import { describe, expect, it } from "vitest";
import { fakeCommand } from "../test-support/command.ts";
import { fakeIo } from "../test-support/fakes.ts";

const cli = fakeCommand();
const { run } = cli;

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
    expect(cli.io.err()).toBe(`recurra: ${message}\n`);
    expect(cli.io.out()).toBe("");
  });

  it("prints help and its version, and ends with 0", async () => {
    expect(await run("--help")).toBe(0);
    expect(cli.io.out()).toContain("recurra train data.csv --target OT --horizon 24 --past 96");
    cli.io = fakeIo();
    expect(await run("train", "--help")).toBe(0);
    expect(cli.io.out().match(/^\w.*:$/gm)).toEqual([
      ...["Arguments:", "What to forecast:", "Columns of the data:", "Preparation:", "Network:"],
      ...["Training:", "Optimizer:", "Against overfitting:", "Reading:", "Results:", "Options:"],
    ]);
    expect(cli.io.out().replace(/\s+/g, " ")).toContain(
      "--strict only plain multiply-adds: the same bits from the compiled code on every machine",
    );
    cli.io = fakeIo();
    expect(await run("--version")).toBe(0);
    expect(cli.io.out()).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
