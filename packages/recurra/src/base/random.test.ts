import { describe, expect, it } from "vitest";
import { createRandom, hashUniform, shuffledOrder } from "./random.ts";

const draws = (seed: number, label?: string) => {
  const random = label === undefined ? createRandom(seed) : createRandom(seed).fork(label);
  return Array.from({ length: 5 }, () => random.uniform());
};

describe("createRandom", () => {
  it("gives the same numbers for the same seed, and others for another", () => {
    expect(draws(1)).toEqual(draws(1));
    expect(draws(1)).not.toEqual(draws(2));
  });

  it("tells seeds apart by their high half too, in forks as well", () => {
    expect(draws(1)).not.toEqual(draws(1 + 2 ** 32));
    expect(draws(1, "a")).not.toEqual(draws(1 + 2 ** 32, "a"));
    expect(draws(1, "a")).not.toEqual(draws(1, "b"));
  });

  it("forks without regard to what was drawn before", () => {
    const random = createRandom(4);
    const before = random.fork("weights").uniform();
    random.normal();
    expect(random.fork("weights").uniform()).toBe(before);
  });

  it("has the moments of its distributions", () => {
    const random = createRandom(9);
    const normals = Array.from({ length: 20_000 }, () => random.normal());
    const mean = normals.reduce((sum, x) => sum + x, 0) / normals.length;
    const variance = normals.reduce((sum, x) => sum + (x - mean) ** 2, 0) / normals.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.04);
    const counts = [0, 0, 0];
    for (let i = 0; i < 3000; i++) counts[random.integer(3)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});

describe("shuffledOrder", () => {
  it("is a function of seed and epoch, and a permutation", () => {
    const order = shuffledOrder(100, 7, 3);
    expect(shuffledOrder(100, 7, 3)).toEqual(order);
    expect(shuffledOrder(100, 7, 4)).not.toEqual(order);
    expect(shuffledOrder(100, 8, 3)).not.toEqual(order);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});

describe("hashUniform", () => {
  it("is uniform over neighbouring positions and differs by seed, stream and order of positions", () => {
    const numbers = Array.from({ length: 4096 }, (_, i) => hashUniform(7, 0, [i % 64, Math.floor(i / 64)]));
    const buckets = Array.from({ length: 16 }, (_, k) => numbers.filter((x) => Math.floor(x * 16) === k).length);
    for (const count of buckets) expect(Math.abs(count - 256)).toBeLessThan(80);
    expect(
      new Set([
        hashUniform(7, 0, [1, 2]),
        hashUniform(7, 0, [2, 1]),
        hashUniform(7, 1, [1, 2]),
        hashUniform(8, 0, [1, 2]),
      ]).size,
    ).toBe(4);
  });
});
