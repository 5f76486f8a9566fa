/**
 * Shards: the parts of a batch that are computed one by one, or at once by several threads. Where sums over rows are taken, how many
 * there are depends on the batch and the program alone, and the sums are added in a tree of fixed shape: any number of threads gives
 * the same bits. Where none are, rows are free, and one thread alone takes larger shards.
 */

/** A shard has ten rows at least, where there are as many, so that the tiles of the matrix products are filled. */
const smallestShard = 10;
export const mostShards = 8;
/** Shards, at most, that one thread takes side by side: with more rows the reading of weights counts less, and each takes an arena. */
export const mostAbreast = 2;
/** Rows that share the reading of weights from further away. */
const farShard = 32;

/** Weights of more than this many numbers, 2 MiB, leave the second-level cache between two steps. */
const cachedWeights = 2 ** 19;

/**
 * Rows of a shard that make a third one worth while: each shard reads all weights at every step, so where those come from
 * further away, more rows should share the reading. The second shard is always worth it, it occupies another thread.
 */
export function rowsPerShard(largestWeight: number): number {
  return largestWeight > cachedWeights ? farShard : smallestShard;
}

/** Rows, at least, of a shard of one thread alone, where rows are free: the second shard is worth nothing there. */
export function rowsAlone(rows: number): number {
  return Math.max(rows, farShard);
}

/** A power of two. `rows` is `rowsPerShard` of the program; `second` the rows that make a second shard worth while. */
export function shardCount(batch: number, rows: number, second = smallestShard): number {
  let count = 1;
  while (count < mostShards && batch >= 2 * count * (count === 1 ? second : rows)) count *= 2;
  return count;
}

/** The rows of one shard: sizes differ by one at most. */
export function shardRows(
  batch: number,
  count: number,
  shard: number,
): { readonly first: number; readonly rows: number } {
  const size = Math.floor(batch / count);
  const larger = batch % count;
  return { first: shard * size + Math.min(shard, larger), rows: size + (shard < larger ? 1 : 0) };
}

/** The largest shard of any batch up to `batch`. */
export function largestShard(batch: number, rows: number, second = smallestShard): number {
  let largest = 0;
  for (let count = 1; count <= mostShards; count *= 2) {
    // The largest batch that is still cut into `count` shards.
    const next = 2 * count * (count === 1 ? second : rows);
    const most = count === mostShards ? batch : Math.min(batch, next - 1);
    if (shardCount(most, rows, second) === count) largest = Math.max(largest, Math.ceil(most / count));
  }
  return Math.max(largest, Math.ceil(batch / shardCount(batch, rows, second)));
}
