import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ctcBeamSearch, ctcBestPath } from "./ctc-decode.ts";

const logits = (probabilities: readonly (readonly number[])[]) => probabilities.flat().map(Math.log);

/** Every labelling of a few timesteps by going through every path. */
function everyLabelling(numbers: readonly number[], classes: number, blank: number): ReadonlyMap<string, number> {
  const rows = Array.from({ length: numbers.length / classes }, (_, t) => {
    const row = numbers.slice(t * classes, (t + 1) * classes).map(Math.exp);
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((value) => value / sum);
  });
  const found = new Map<string, number>();
  const walk = (t: number, path: readonly number[], probability: number): void => {
    if (t < rows.length) {
      for (const [label, value] of rows[t]!.entries()) walk(t + 1, [...path, label], probability * value);
      return;
    }
    const said = path.filter((label, i) => label !== blank && label !== path[i - 1]).join();
    found.set(said, (found.get(said) ?? 0) + probability);
  };
  walk(0, [], 1);
  return found;
}

const cases = fc
  .record({ classes: fc.integer({ min: 2, max: 4 }), timesteps: fc.integer({ min: 0, max: 5 }), blank: fc.nat(1) })
  .chain(({ classes, timesteps, blank }) =>
    fc.record({
      classes: fc.constant(classes),
      blank: fc.constant(blank),
      numbers: fc.array(fc.double({ min: -4, max: 4, noNaN: true }), {
        minLength: classes * timesteps,
        maxLength: classes * timesteps,
      }),
    }),
  );

describe("ctcBeamSearch", () => {
  it("gives every labelling with the sum over its paths where the beam is wide, the most probable first", () => {
    fc.assert(
      fc.property(cases, ({ classes, blank, numbers }) => {
        const expected = everyLabelling(numbers, classes, blank);
        const found = ctcBeamSearch(numbers, { classes, blank, width: 2000 });
        expect(found.map(({ labels }) => labels.join()).sort()).toEqual([...expected.keys()].sort());
        for (const { labels, logProbability } of found)
          expect(logProbability).toBeCloseTo(Math.log(expected.get(labels.join())!), 9);
        expect(found[0]!.logProbability).toBeCloseTo(Math.log(Math.max(...expected.values())), 9);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it("never says that a labelling is more probable than it is, in a narrow beam", () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 1, max: 3 }), ({ classes, blank, numbers }, width) => {
        const expected = everyLabelling(numbers, classes, blank);
        const found = ctcBeamSearch(numbers, { classes, blank, width });
        expect(found.length).toBeLessThanOrEqual(width);
        for (const { labels, logProbability } of found)
          expect(logProbability).toBeLessThan(Math.log(expected.get(labels.join())!) + 1e-9);
      }),
      { seed: 2, numRuns: 60 },
    );
  });

  it("finds a labelling whose paths together beat the best path", () => {
    const two = logits([
      [0.6, 0.4],
      [0.6, 0.4],
    ]);
    expect(ctcBestPath(two, { classes: 2 }).labels).toEqual([]);
    const [best, second] = ctcBeamSearch(two, { classes: 2 });
    expect(best!.labels).toEqual([1]);
    expect(best!.logProbability).toBeCloseTo(Math.log(0.64), 12);
    expect(second!.labels).toEqual([]);
    expect(second!.logProbability).toBeCloseTo(Math.log(0.36), 12);
  });

  it("refuses a width of 0", () => {
    expect(() => ctcBeamSearch([0, 0], { classes: 2, width: 0 })).toThrow(
      "ctcBeamSearch: width is 0, expected 1, 2, 3, ….\n16 is usual; more is slower and misses less.",
    );
  });
});

describe("ctcBestPath", () => {
  it("joins repetitions, keeps labels that a blank parts, and gives the path's probability", () => {
    const likely = (label: number) => [0, 1, 2].map((other) => (other === label ? 0.8 : 0.1));
    const { labels, logProbability } = ctcBestPath(logits([1, 1, 0, 1, 2, 2, 0].map(likely)), { classes: 3 });
    expect(labels).toEqual([1, 1, 2]);
    expect(logProbability).toBeCloseTo(7 * Math.log(0.8), 12);
  });

  it("says nothing of an empty sequence", () => {
    expect(ctcBestPath([], { classes: 3 })).toEqual({ labels: [], logProbability: 0 });
  });

  it("refuses logits that are no rows of classes, a blank that is no class, and numbers that are none", () => {
    expect(() => ctcBestPath([1, 2, 3], { classes: 2 })).toThrow(
      "ctc: logits is 3 numbers, expected [time, 2].\nGive the logits of one sequence, a row of classes for each timestep.",
    );
    expect(() => ctcBestPath([1, 2], { classes: 2, blank: 2 })).toThrow(
      "ctc: blank is 2, expected one of the classes 0 … 1.\nGive the blank that the loss was trained with.",
    );
    expect(() => ctcBestPath([1, 2, Number.NaN, 0], { classes: 2 })).toThrow(
      "ctc: logits of timestep 1 is NaN, 0, expected numbers, not all −∞.\nLook for NaN in what the network was fed with.",
    );
  });
});
