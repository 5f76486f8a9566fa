import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fakeCommand } from "../../test-support/command.ts";
import { fakeIo, fakeLibrary, fakeScores } from "../../test-support/fakes.ts";

const cli = fakeCommand();
const { lines, run, told } = cli;

describe("recurra compare", () => {
  const compare = (...more: string[]) =>
    run("compare", `${cli.folder}/data.csv`, "--target", "OT", "--horizon", "24", ...more);

  it("prints a line for each run, then errors and costs of every cell, and the choice", async () => {
    expect(await compare("--cells", "rnn,gru", "--seeds", "1,2")).toBe(0);
    expect(told(cli.io.out())).toMatchInlineSnapshot(`
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
    expect(cli.io.err()).toBe("");
  });

  it("hands options, cells and seeds to the library, three of each where none are named", async () => {
    await compare("--hidden", "32");
    expect(cli.library.compared).toEqual([
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
    const before = readdirSync(cli.folder);
    await compare("--seeds", "1");
    expect(readdirSync(cli.folder)).toEqual(before);
    expect(await compare("--seeds", "1", "--out", `${cli.folder}/report.md`)).toBe(0);
    const report = readFileSync(`${cli.folder}/report.md`, "utf8");
    expect(report).toMatch(/^# Cells compared: OT of data\.csv\n\nUse gru: /);
    expect(report).toContain("| gru \\* | 0.5000 ± 0.0123 | 0.5000 ± 0.0123 | 0.5000 ± 0.0123 | 0.2500 |\n");
    expect(told(cli.io.out())).toMatch(/\nreport: report\.md\n$/);
    expect(await compare("--seeds", "1,2", "--out", `${cli.folder}/report.svg`)).toBe(0);
    const svg = readFileSync(`${cli.folder}/report.svg`, "utf8");
    expect(svg.match(/class="line forecast"/g)?.length).toBe(1 + 3 * 2 + 2); // legend, runs, naive forecasts
  });

  it("draws a bar that says which run it is on a terminal", async () => {
    cli.io = fakeIo({ isTerminal: true, columns: 100 });
    await compare("--cells", "rnn,gru", "--seeds", "7");
    expect(cli.io.out()).toContain(
      "2/2 gru, seed 7  epoch 2/2  100%  loss 0.4500  validation 0.4000 best  1,234 seq/s",
    );
  });

  it("compares what is finished on Ctrl-C and ends with 130; says so when that is nothing", async () => {
    cli.library = fakeLibrary((number) => {
      if (number === 3) cli.io.interrupt();
    });
    expect(await compare("--cells", "rnn,gru")).toBe(130);
    expect(cli.io.err()).toBe("stopping; what is finished will be compared (press Ctrl-C again to stop at once)\n");
    expect(cli.io.out()).toContain("\nstopped on request, after 2 runs\n");
    cli.io = fakeIo();
    cli.library = fakeLibrary(() => cli.io.interrupt());
    expect(await compare()).toBe(130);
    expect(cli.io.err()).toMatch(/\nstopped before the first run was finished: there is nothing to compare\n$/);
    expect(cli.io.out()).toBe("");
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
    expect(cli.io.err()).toMatch(message);
    expect(cli.library.tables).toEqual([]);
  });
});
