import { describe, expect, it } from "vitest";
import { cosine, exponential, inTurn, oneCycle, parseSchedule, plateau, stepwise, warmUp } from "./schedules.ts";

const at = (schedule: (progress: number, step: number) => number, ...progress: readonly number[]) =>
  progress.map((share) => Number(schedule(share, share * 100).toFixed(6)));

describe("a schedule", () => {
  it("by name goes its way", () => {
    expect(at(parseSchedule("constant"), 0, 0.5, 1)).toEqual([1, 1, 1]);
    expect(at(parseSchedule("linear"), 0, 0.25, 1)).toEqual([1, 0.75, 0]);
    expect(at(parseSchedule("cosine"), 0, 0.5, 1)).toEqual([1, 0.5, 0]);
    expect(at(parseSchedule("step"), 0, 0.4, 0.7)).toEqual([1, 0.1, 0.01]);
    expect(at(parseSchedule("exponential"), 0, 0.5, 1)).toEqual([1, 0.1, 0.01]);
    expect(at(parseSchedule("oneCycle"), 0, 0.15, 0.3, 0.65, 1)).toEqual([0.04, 0.52, 1, 0.500002, 0.000004]);
    expect(at(parseSchedule("warmUp"), 0, 0.025, 0.05, 0.525, 1)).toEqual([0, 0.5, 1, 0.5, 0]);
  });

  it("falls by steps, exponentially or along one cycle as asked", () => {
    expect(at(stepwise(0.5, 0.1), 0.05, 0.15, 0.95)).toEqual([1, 0.5, 0.001953]);
    expect(at(exponential(0.25), 0.5, 1, 2)).toEqual([0.5, 0.25, 0.25]);
    expect(at(oneCycle({ peak: 0.5, first: 0, last: 0 }), 0, 0.25, 0.5, 0.75, 1)).toEqual([0, 0.5, 1, 0.5, 0]);
  });

  it("is composed: a warm-up before another, one after the other", () => {
    expect(at(warmUp(50, cosine), 0, 0.5)).toEqual([0.02, 0.5]);
    const two = inTurn({ share: 1, schedule: exponential(0.25) }, { share: 3, schedule: () => 0.125 });
    expect(at(two, 0, 0.125, 0.25, 1)).toEqual([1, 0.5, 0.125, 0.125]);
  });

  it("on a plateau lowers the rate after the patience, and not below the least", () => {
    const losses = [3, 2, 2, 2, 2, 2, 2];
    const factors = losses.map((_, i) => plateau(losses.slice(0, i + 1), { patience: 1, factor: 0.1, least: 0.05 }));
    expect(factors).toEqual([1, 1, 1, 0.1, 0.1, 0.05, 0.05]);
    expect(plateau([])).toBe(1);
  });
});
