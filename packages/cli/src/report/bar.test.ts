import { describe, expect, it } from "vitest";
import { fakeIo } from "../../test-support/fakes.ts";
import { barLine, progressBar } from "./bar.ts";

const progress = {
  event: "progress",
  epoch: 3,
  epochs: 30,
  step: 10,
  steps: 20,
  loss: 0.12345,
  gradientNorm: 0.5,
  sequencesPerSecond: 12_345,
  secondsLeft: 65,
} as const;
const epoch = {
  event: "epoch",
  epoch: 3,
  epochs: 30,
  loss: 0.1,
  validationLoss: 0.2,
  best: true,
  gradientNorm: { mean: 0.5, largest: 2 },
  seconds: 1,
  sequencesPerSecond: 12_345,
} as const;

describe("barLine", () => {
  it("shows epoch, share, losses, speed and time left", () => {
    expect(barLine(progress, "0.2000 best", 120)).toBe(
      "██░░░░░░░░░░░░░░░░░░░░░░  epoch  3/30    8%  loss 0.1235  validation 0.2000 best  12,345 seq/s  1:05 left",
    );
  });

  it.each([20, 40, 60, 80, 100])("stays shorter than a terminal of %i columns", (columns) => {
    expect(barLine(progress, "0.2000 best", columns).length).toBeLessThan(Math.max(columns, 22));
  });
});

describe("progressBar", () => {
  it("draws over its own line, not more often than can be read, and goes below it at the end", () => {
    const io = fakeIo({ isTerminal: true, columns: 100 });
    const bar = progressBar(io);
    for (let k = 0; k < 6; k++) bar.draw(progress);
    bar.draw(epoch);
    bar.finish();
    const draws = io.out().split("\r\x1b[2K").length - 1;
    expect(draws).toBeLessThan(6);
    expect(io.out().split("\n").length).toBe(2);
    expect(io.out().endsWith(" 10%  loss 0.1000  validation 0.2000 best  12,345 seq/s\n")).toBe(true);
  });
});
