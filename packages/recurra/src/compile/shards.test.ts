import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { largestShard, mostShards, rowsPerShard, shardCount, shardRows } from "./shards.ts";

const small = rowsPerShard(64 * 256);
const large = rowsPerShard(1024 * 4096);

describe("shards", () => {
  it("keeps small batches whole and cuts larger ones into powers of two of at least ten rows", () => {
    expect([1, 9, 19, 20, 32, 39, 40, 79, 80, 159, 160, 10_000].map((batch) => shardCount(batch, small))).toEqual([
      1, 1, 1, 2, 2, 2, 4, 4, 8, 8, 8, 8,
    ]);
  });

  it("gives shards more rows where the weights are large, but still occupies a second thread", () => {
    expect([19, 20, 64, 127, 128, 255, 256].map((batch) => shardCount(batch, large))).toEqual([1, 2, 2, 2, 4, 4, 8]);
  });

  it("covers every row once, in order, with sizes that differ by one at most", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: mostShards }), (batch, count) => {
        const parts = Array.from({ length: count }, (_, shard) => shardRows(batch, count, shard));
        let next = 0;
        for (const { first, rows } of parts) {
          expect(first).toBe(next);
          next += rows;
        }
        expect(next).toBe(batch);
        expect(
          Math.max(...parts.map(({ rows }) => rows)) - Math.min(...parts.map(({ rows }) => rows)),
        ).toBeLessThanOrEqual(1);
      }),
    );
  });

  it.each([small, large])("knows the largest shard of any batch up to a capacity, %i rows each", (rowsEach) => {
    for (let capacity = 1; capacity <= 400; capacity++) {
      let largest = 0;
      for (let batch = 1; batch <= capacity; batch++)
        largest = Math.max(largest, shardRows(batch, shardCount(batch, rowsEach), 0).rows);
      expect(largestShard(capacity, rowsEach), `capacity ${capacity}`).toBeGreaterThanOrEqual(largest);
      expect(largestShard(capacity, rowsEach), `capacity ${capacity}`).toBeLessThanOrEqual(
        Math.max(largest, 2 * rowsEach),
      );
    }
  });
});
