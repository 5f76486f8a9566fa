/** The order of an epoch's samples: a function of the number of samples, the seed and the epoch only. */
import { createRandom, shuffle, shuffledOrder } from "../base/random.ts";

/**
 * Samples of like length together, so that batches hold little padding: the shuffled order is cut into stretches of `bucket`
 * batches, each sorted by length, and the full batches are shuffled again. Batches of samples alike in length are thus made anew
 * in every epoch. What is left over by the last full batch stays last.
 */
export function bucketedOrder(
  lengths: ArrayLike<number>,
  seed: number,
  epoch: number,
  batchSize: number,
  bucket = 50,
): Int32Array {
  const order = shuffledOrder(lengths.length, seed, epoch);
  const stretch = bucket * batchSize;
  for (let start = 0; start < order.length; start += stretch)
    order.subarray(start, start + stretch).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const batches = Array.from({ length: Math.floor(order.length / batchSize) }, (_, i) => i);
  shuffle(batches, createRandom(seed).fork(`batches ${epoch}`));
  const result = order.slice();
  batches.forEach((from, to) => {
    result.set(order.subarray(from * batchSize, (from + 1) * batchSize), to * batchSize);
  });
  return result;
}
