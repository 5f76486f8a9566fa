/** Networks learn: the small forms of the tasks of learn/, seeded, with targets well within what was reached. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { gru } from "../packages/recurra/src/cells/gru.ts";
import { lruCell } from "../packages/recurra/src/cells/lru.ts";
import { lstm } from "../packages/recurra/src/cells/lstm.ts";
import { chrono } from "../packages/recurra/src/index.ts";

interface Run {
  readonly seed: number;
  readonly value: number;
  readonly cutShort: boolean;
  readonly picture?: { readonly kind: string; readonly sentence: string; readonly svg: string };
}

interface Row {
  readonly task: string;
  readonly mean: number;
  readonly target: number;
  readonly baseline: { readonly value: number };
  readonly verdict: string;
  readonly runs: readonly Run[];
}

interface Task {
  readonly name: string;
  readonly folder?: string;
}

const load = (file: string) => import(fileURLToPath(new URL(`../learn/${file}`, import.meta.url)));
const { learn } = (await load("learn.mjs")) as {
  learn(task: Task, options: { seeds: readonly number[]; models?: (name: string) => boolean }): Promise<readonly Row[]>;
};
const { adding } = (await load("tasks/adding.mjs")) as { adding(timesteps: number, models: readonly object[]): Task };
const { copying } = (await load("tasks/copy.mjs")) as { copying(blanks: number, models: readonly object[]): Task };
const { addition } = (await load("tasks/addition.mjs")) as {
  addition(digits: number, counts: object, models: readonly object[]): Task;
};
const { sentences } = (await load("tasks/sentences.mjs")) as {
  sentences(word: string, between: number, options?: object): Task;
};
const { chooseTasks } = (await load("tasks/list.mjs")) as {
  chooseTasks(asked: { quick: boolean; data?: string; only?: readonly string[] }): readonly Task[];
};
const { printRows } = (await load("report.mjs")) as { printRows(rows: readonly Row[]): string };

const only = async (task: Task) => (await learn(task, { seeds: [1] }))[0]!;

describe("learning", () => {
  it("adds two marked numbers among fifty with an LSTM", async () => {
    const model = { name: "lstm", cell: lstm, hiddenSize: 16, initialize: chrono(50), rate: 0.01, steps: 1500 };
    const row = await only(adding(50, [model]));
    expect(row.baseline.value).toBeCloseTo(0.167, 3);
    expect(row.mean).toBeLessThan(row.target);
  });

  it("repeats ten symbols after twenty steps with a linear recurrent unit", async () => {
    const cell = lruCell({ smallest: 0.99, largest: 0.9999 });
    const row = await only(copying(20, [{ name: "lru", cell, hiddenSize: 64, rate: 0.005, steps: 1000 }]));
    expect(row.baseline.value).toBeCloseTo((10 * Math.log(8)) / 40, 12);
    expect(row.mean).toBeLessThan(row.target);
  });

  it("adds numbers of two digits with an encoder, attention and a decoder", async () => {
    const model = { name: "gru", cell: gru, attend: true, hiddenSize: 48, rate: 0.01, epochs: 16 };
    const row = await only(addition(2, { train: 6000, validation: 500, test: 1000 }, [model]));
    expect(row.mean).toBeGreaterThan(0.95);
  });

  it("completes a sentence after sixty words with a GRU, not with a plain network, whose gradient vanishes", async () => {
    const [gated, , plain] = await learn(sentences("france", 60, { steps: 300, plainFails: true }), { seeds: [1] });
    expect(gated).toMatchObject({ verdict: "reached" });
    expect(plain!.mean).toBeLessThan(0.5);
    expect(plain).toMatchObject({ verdict: "fails, as known", runs: [{ picture: { kind: "vanishing" } }] });
    expect(plain!.runs[0]!.picture!.svg).toMatch(/^<svg/);
    expect(printRows([plain!])).toContain("vanishing; it falls below a hundredth after");
  });
});

describe("npm run learn", () => {
  it("runs what needs no data where none is given, and what it is asked for", () => {
    expect(chooseTasks({ quick: true }).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["adding-200", "copy-200"]),
    );
    expect(chooseTasks({ quick: false, only: ["copy-200"] })).toHaveLength(1);
    expect(() => chooseTasks({ quick: false, only: ["copy"] })).toThrow(
      /^no task is called "copy": choose of adding-200, /,
    );
  });
});
