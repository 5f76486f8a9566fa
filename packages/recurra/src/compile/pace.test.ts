import { describe, expect, it } from "vitest";
import { Pace } from "./pace.ts";

/** How many of `calls` were made together, where a call takes these milliseconds; `asleep`: together, behind one alone. */
function togetherOf(pace: Pace, calls: number, alone: number, together: number, asleep = together): number {
  let count = 0;
  let before = false;
  for (let call = 0; call < calls; call++) {
    const chosen = pace.next();
    if (chosen) count++;
    pace.record(chosen, chosen ? (before ? together : asleep) : alone);
    before = chosen;
  }
  return count;
}

describe("pace", () => {
  it("computes together where that is faster", () => {
    expect(togetherOf(new Pace(), 2000, 2, 1.2)).toBeGreaterThan(1970);
  });

  it("computes alone where that is faster, but for a few looks", () => {
    expect(togetherOf(new Pace(), 2000, 1, 1.5)).toBeLessThan(60);
  });

  it("does not count the call that wakes the other threads", () => {
    expect(togetherOf(new Pace(), 2000, 1, 0.8, 1.5)).toBeGreaterThan(1950);
  });

  it("looks at one thread alone for few of the first calls", () => {
    expect(togetherOf(new Pace(), 60, 2, 1.2)).toBeGreaterThan(50);
  });

  it("changes its mind when the machine changes", () => {
    const pace = new Pace();
    togetherOf(pace, 1000, 1, 3);
    togetherOf(pace, 1000, 1, 0.6);
    expect(togetherOf(pace, 1000, 1, 0.6)).toBeGreaterThan(980);
  });

  it("soon takes back a choice that was made while the machine was busy with something else", () => {
    const pace = new Pace();
    togetherOf(pace, 8, 1, 3);
    expect(togetherOf(pace, 100, 1, 0.6)).toBeGreaterThan(70);
  });

  it("soon takes back a choice that two slow calls led to", () => {
    const pace = new Pace();
    togetherOf(pace, 20, 1, 3);
    expect(togetherOf(pace, 60, 1, 0.6)).toBeGreaterThan(40);
  });

  it("is not misled by two slow calls of three", () => {
    const pace = new Pace();
    const slow = new Set([2, 3]);
    for (let call = 0; call < 12; call++) {
      const together = pace.next();
      pace.record(together, together ? (slow.has(call) ? 9 : 1) : 2);
    }
    expect(pace.next()).toBe(true);
  });

  it("is not misled by one slow call", () => {
    const pace = new Pace();
    togetherOf(pace, 100, 2, 1);
    pace.record(pace.next(), 4);
    expect(pace.next()).toBe(true);
  });
});
