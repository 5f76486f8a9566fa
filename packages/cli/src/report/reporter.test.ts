import type { CompareEvent, ForecastEvent } from "recurra/tasks";
import { describe, expect, it } from "vitest";
import { fakeIo } from "../../test-support/fakes.ts";
import { compareReporterFor } from "./compare-reporter.ts";
import { reporterFor } from "./reporter.ts";

const message =
  "training step 32: 0.rnn: the gradient reaching step 1 is 1e-9 of that at step 96: vanishing. Try lstm.";
const warning = {
  event: "warning",
  epoch: 1,
  step: 32,
  kind: "vanishing",
  where: "0.rnn",
  seen: "the gradient reaching step 1 is 1e-9 of that at step 96: vanishing.",
  mend: "Try lstm.",
  message,
} as const satisfies ForecastEvent;

describe("a warning of training", () => {
  it.each([
    ["plain lines", "people", {}],
    ["a bar", "people", { isTerminal: true }],
  ] as const)("is told on stderr beside %s", (_, manner, terminal) => {
    const io = fakeIo(terminal);
    reporterFor(manner, io, "data.csv").event(warning);
    expect([io.out(), io.err()]).toEqual(["", `warning: ${message}\n`]);
  });

  it("is an event with --json, and told on stderr besides", () => {
    const io = fakeIo();
    reporterFor("json", io, "data.csv").event(warning);
    expect(JSON.parse(io.out())).toEqual(warning);
    expect(io.err()).toBe(`warning: ${message}\n`);
  });

  it("is not told with --quiet", () => {
    const io = fakeIo();
    reporterFor("quiet", io, "data.csv").event(warning);
    expect(io.out() + io.err()).toBe("");
  });

  it("is told with the run of a comparison that it is about", () => {
    const started = { event: "started", cell: "rnn", seed: 2, run: 4, runs: 6 } as const satisfies CompareEvent;
    const people = fakeIo();
    const reporter = compareReporterFor("people", people, "data.csv");
    for (const event of [started, { ...warning, cell: "rnn", seed: 2 }]) reporter.event(event, undefined);
    expect([people.out(), people.err()]).toEqual(["", `4/6 rnn, seed 2: warning: ${message}\n`]);
    const json = fakeIo();
    compareReporterFor("json", json, "data.csv").event({ ...warning, cell: "rnn", seed: 2 }, undefined);
    expect(JSON.parse(json.out())).toEqual({ ...warning, cell: "rnn", seed: 2 });
    expect(json.err()).toBe(`rnn, seed 2: warning: ${message}\n`);
  });
});
