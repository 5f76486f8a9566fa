import { describe, expect, it } from "vitest";
import { backends, programOf, reference } from "../../../../test/support/programs.ts";
import { createRandom } from "../base/random.ts";
import { type SamplingOptions, sampleClasses, sampleLogits } from "./sampling.ts";

const random = createRandom(4);
const logits = Float32Array.from({ length: 12 }, () => 1.5 * random.normal());

/** Probabilities by sorting, as the papers say it. */
function probabilities(given: ArrayLike<number>, { temperature = 1, topK = given.length, topP = 1 }: SamplingOptions) {
  const ranked = Array.from(given, (logit, token) => ({ token, weight: Math.exp(logit / temperature) }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, topK);
  const total = ranked.reduce((sum, { weight }) => sum + weight, 0);
  let mass = 0;
  const kept = ranked.filter(({ weight }) => {
    const counts = mass < topP * total;
    mass += weight;
    return counts;
  });
  const whole = kept.reduce((sum, { weight }) => sum + weight, 0);
  const result = new Array<number>(given.length).fill(0);
  for (const { token, weight } of kept) result[token] = weight / whole;
  return result;
}

const options: readonly SamplingOptions[] = [
  {},
  { temperature: 0.4 },
  { temperature: 3 },
  { topK: 1 },
  { topK: 4 },
  { topK: 100 },
  { topP: 0.6 },
  { topP: 0.001 },
  { temperature: 2, topK: 6, topP: 0.8 },
];

describe("sampleLogits", () => {
  it.each(options)("draws each class as often as its probability says: %j", (given) => {
    const draws = 20_000;
    const counts = new Array<number>(logits.length).fill(0);
    for (let t = 0; t < draws; t++) counts[sampleLogits(logits, { seed: 3, positions: [0, t] }, given)]!++;
    probabilities(logits, given).forEach((p, token) => {
      if (p === 0) expect(counts[token]).toBe(0);
      // Four standard deviations of a binomial count.
      else expect(Math.abs(counts[token]! / draws - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / draws) + 1e-9);
    });
  });

  it("is a function of seed, stream and positions", () => {
    const drawn = (seed: number, stream: number, row: number) =>
      Array.from({ length: 40 }, (_, t) => sampleLogits(logits, { seed, stream, positions: [row, t] })).join();
    expect(drawn(1, 0, 0)).toBe(drawn(1, 0, 0));
    expect(new Set([drawn(1, 0, 0), drawn(2, 0, 0), drawn(1, 1, 0), drawn(1, 0, 1)]).size).toBe(4);
  });

  it("gives the likeliest at temperature 0, and keeps what is as likely as the last", () => {
    expect(sampleLogits([1, 3, 3, 2], { seed: 1, positions: [0] }, { temperature: 0 })).toBe(1);
    const drawn = new Set<number>();
    for (let t = 0; t < 200; t++) drawn.add(sampleLogits([1, 3, 3, 3], { seed: 1, positions: [t] }, { topK: 2 }));
    expect([...drawn].sort()).toEqual([1, 2, 3]);
  });

  it("never draws what cannot be, and refuses logits and options that mean nothing", () => {
    for (let t = 0; t < 100; t++)
      expect(sampleLogits([Number.NEGATIVE_INFINITY, 0, -1], { seed: 1, positions: [t] })).not.toBe(0);
    const refused = (given: SamplingOptions, of: readonly number[] = [0, 1]) => {
      try {
        sampleLogits(of, { seed: 1, positions: [] }, given);
      } catch (error) {
        return (error as Error).message;
      }
      return "nothing";
    };
    expect([
      refused({ temperature: -1 }),
      refused({ topK: 0 }),
      refused({ topP: 1.5 }),
      refused({}, [Number.NaN, 1]),
      refused({}, []),
    ]).toEqual([
      "sampling: temperature is -1, expected 0 or more.\n0.5 to 1.2 are usual.",
      "sampling: topK is 0, expected 1, 2, 3, ….\nLeave it out to draw from all.",
      "sampling: topP is 1.5, expected above 0 and at most 1.\n0.9 to 0.95 are usual.",
      "sampling: the largest logit is NaN, expected a finite number.\nLook for NaN in what the network was fed with.",
      "sampling: the largest logit is -Infinity, expected a finite number.\nLook for NaN in what the network was fed with.",
    ]);
  });
});

describe("sampleClasses", () => {
  it.each(options)("draws in a network what sampleLogits draws outside: %j", (given) => {
    const batch = 64;
    const program = programOf((trace) => ({
      drawn: sampleClasses(
        trace.input("logits", { axes: ["batch"], shape: [logits.length] }),
        trace.input("seed", { axes: [], shape: [1] }),
        2,
        given,
      ),
    }));
    const rows = Array.from({ length: batch }, (_, row) => logits.map((logit) => logit * (0.5 + row / batch)));
    const expected = rows.map((row, b) => sampleLogits(row, { seed: 9, stream: 2, positions: [b] }, given));
    const feeds = { logits: Float32Array.from(rows.flatMap((row) => [...row])), seed: [9] };
    expect([...reference(program, feeds, { batch }).drawn!]).toEqual(expected);
    for (const backend of backends) expect([...backend.run(program, feeds, { batch }).drawn!]).toEqual(expected);
  });
});
