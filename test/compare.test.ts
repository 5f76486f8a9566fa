/** Cells compared on a small series, by what a user of the library sees. */
import { createRandom } from "recurra";
import { tableFromColumns } from "recurra/data";
import { type CompareEvent, type CompareOptions, compareCells, trainForecaster } from "recurra/tasks";
import { describe, expect, it } from "vitest";

function wave(count: number) {
  const random = createRandom(1);
  return tableFromColumns({
    y: Array.from({ length: count }, (_, t) => 20 + 5 * Math.sin((2 * Math.PI * t) / 24) + 0.3 * random.normal()),
  });
}

const small: CompareOptions = {
  target: "y",
  horizon: 6,
  past: 24,
  season: 24,
  window: "last",
  hiddenSize: 8,
  epochs: 2,
  windowsPerEpoch: 320,
  batchSize: 32,
  learningRate: 0.01,
  cells: ["rnn", "gru"],
  seeds: [1, 2],
};

type Done = Extract<CompareEvent, { event: "done" }>;

async function compared(
  options: CompareOptions,
  control?: { signal: AbortSignal },
  onEvent?: (e: CompareEvent) => void,
) {
  const events: CompareEvent[] = [];
  for await (const event of compareCells(wave(300), options, control)) {
    events.push(event);
    onEvent?.(event);
  }
  return { events, done: events.find((event): event is Done => event.event === "done") };
}

describe("a comparison of cells", () => {
  it("trains each as a run of its own would be, seed by seed, and counts errors, size, time, memory and reach", async () => {
    const { events, done } = await compared(small);
    const { comparison, stopped } = done!;
    expect(stopped).toBe("finished");
    expect(events.flatMap((event) => (event.event === "started" ? [[event.cell, event.seed]] : []))).toEqual([
      ["rnn", 1],
      ["gru", 1],
      ["rnn", 2],
      ["gru", 2],
    ]);
    const { cells: _, seeds: __, ...shared } = small;
    for await (const event of trainForecaster(wave(300), { ...shared, cell: "gru", seed: 2 })) {
      if (event.event === "done") expect(comparison.runs[3]!.metrics).toEqual(event.metrics);
    }
    const [rnn, gru] = comparison.candidates;
    const errors = [1, 3].map((k) => comparison.runs[k]!.metrics.test.model.mae);
    expect(gru!.test.mae.mean).toBeCloseTo((errors[0]! + errors[1]!) / 2, 12);
    expect(gru!.test.mae.spread).toBeCloseTo(Math.abs(errors[0]! - errors[1]!) / Math.SQRT2, 12);
    expect(gru!.parameters).toBeGreaterThan(rnn!.parameters);
    expect(gru!.memoryBytes).toBeGreaterThan(0);
    expect(gru!.secondsPerEpoch.mean).toBeGreaterThan(0);
    expect(gru!.seconds.mean).toBeGreaterThan(gru!.secondsPerEpoch.mean);
    expect(comparison.segment * gru!.reach.steps).toBe(24);
    for (const { before, after } of [rnn!.reach, gru!.reach]) {
      expect(before.mean).toBeGreaterThanOrEqual(1);
      expect(after.mean).toBeLessThanOrEqual(gru!.reach.steps);
    }
    expect(comparison.baselines.test.lastValue).toEqual(comparison.runs[0]!.metrics.test.lastValue);
    expect(comparison.choice).toBeDefined();
  });

  it("compares the rounds that are whole after an abort, and ends without a word when nothing is finished", async () => {
    const abort = new AbortController();
    const { done } = await compared(small, { signal: abort.signal }, (event) => {
      if (event.event === "trained" && event.run.cell === "rnn" && event.run.seed === 2) abort.abort();
    });
    expect(done!.stopped).toBe("aborted");
    expect(done!.comparison.runs.length).toBe(3);
    expect(done!.comparison.candidates.map(({ cell, seeds }) => [cell, seeds])).toEqual([
      ["rnn", [1]],
      ["gru", [1]],
    ]);
    const early = new AbortController();
    const { events } = await compared(small, { signal: early.signal }, ({ event }) => {
      if (event === "prepared") early.abort();
    });
    expect(events.map(({ event }) => event)).toEqual(["started", "prepared"]);
  });

  it("tells of a cell that does not fit the network, and compares the others", async () => {
    const { events, done } = await compared({ ...small, cells: ["gru-d", "rnn"], epochs: 1 });
    expect(events.filter(({ event }) => event === "failed").length).toBe(1);
    expect(done!.comparison.failed).toMatchObject([{ cell: "gru-d", seed: 1 }]);
    expect(done!.comparison.failed[0]!.message).toContain("gru-d: input x is 8 features");
    expect(done!.comparison.candidates.map(({ cell }) => cell)).toEqual(["rnn"]);
    await expect(compared({ ...small, cells: ["gru-d"] })).rejects.toThrow("gru-d: input x is 8 features");
  });

  it("needs windows for validation, as they decide", async () => {
    await expect(compared({ ...small, split: { train: 0.8, validation: 0, test: 0.2 } })).rejects.toThrow(
      /^the validation part is too short for a window, expected one or more windows, .*\nGive validation a larger part/,
    );
  });

  it.each([
    [{ cells: [] }, "cells is empty, expected at least one.\nFor example rnn, gru, lstm."],
    [{ cells: ["gru", "gru"] }, "cells is gru, gru, expected each once, not gru again.\nFor example rnn, gru, lstm."],
    [{ seeds: [1, 1] }, "seeds is 1, 1, expected each once, not 1 again.\nFor example 1, 2, 3."],
    [{ seeds: [0.5] }, "seed is 0.5, expected a whole number, 0 or more.\nGive a number in this range."],
    [{ horizon: 0 }, "horizon is 0, expected 1, 2, 3, ….\nGive a whole number."],
  ])("refuses %j at once", (change, message) => {
    expect(() => compareCells(wave(100), { ...small, ...change })).toThrow(message);
  });

  it("knows the nearest name of an unknown cell", () => {
    expect(() => compareCells(wave(100), { ...small, cells: ["gru", "ltsm"] })).toThrow('Did you mean "lstm"?');
  });
});
