import { describe, expect, it } from "vitest";
import { orderRows } from "./rowOrder.ts";
import { shardRows } from "./shards.ts";

describe("the order of rows", () => {
  it("sorts by falling length, keeps the order of equals and counts the rows alive", () => {
    const [order] = orderRows([2, 0, 3, 2], 5, 1);
    expect([...order!.positions]).toEqual([2, 0, 3, 1]);
    expect([...order!.lengths]).toEqual([3, 2, 2, 0]);
    expect([...order!.firstRows]).toEqual([0, 3, 6, 7]);
    expect(order!.packedRows).toBe(7);
  });

  it("reads a length as the steps below it: fractions up, what is no length as 0, at most all steps", () => {
    const [order] = orderRows([1.5, -1, Number.NaN, 9], 4, 1);
    expect([...order!.lengths]).toEqual([4, 2, 0, 0]);
  });

  it("deals every shard its number of rows and nearly the same number of steps", () => {
    for (const [batch, shards] of [
      [32, 2],
      [45, 4],
      [91, 8],
      [3, 1],
    ] as const) {
      const lengths = Array.from({ length: batch }, (_, b) => 10 + ((b * 37) % 91));
      const dealt = orderRows(lengths, 100, shards);
      const all = dealt.flatMap(({ positions }) => [...positions]).sort((a, b) => a - b);
      expect(all).toEqual(Array.from({ length: batch }, (_, b) => b));
      dealt.forEach(({ positions }, shard) => {
        expect(positions.length).toBe(shardRows(batch, shards, shard).rows);
      });
      const means = dealt.map(({ packedRows, positions }) => packedRows / positions.length);
      expect(Math.max(...means) / Math.min(...means)).toBeLessThan(1.1);
    }
  });

  it("has no steps without rows", () => {
    const [order] = orderRows([], 4, 1);
    expect([...order!.firstRows]).toEqual([0]);
  });
});
