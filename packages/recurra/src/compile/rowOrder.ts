/**
 * The order in which packed programs hold the rows of a batch: by falling length, dealt to the shards in turn, back and forth, so
 * that every shard has about as many true steps. It follows from the lengths alone.
 */

/** The rows of one shard. */
export interface ShardOrder {
  /** For each row its position in the batch as given. */
  readonly positions: Int32Array;
  readonly lengths: Int32Array;
  /** For each step its first packed row, and the end: as many as there are steps in which a row is alive, and one. */
  readonly firstRows: Int32Array;
  /** Packed rows in all. */
  readonly packedRows: number;
}

/** Lengths are counted up, and cut to 0 … `steps`: row b lives in steps t < lengths[b]. */
export function orderRows(lengths: ArrayLike<number>, steps: number, shards: number): readonly ShardOrder[] {
  const counted = Int32Array.from(lengths, (length) => (length > 0 ? Math.min(Math.ceil(length), steps) : 0));
  const sorted = Array.from(counted, (_, row) => row).sort((a, b) => counted[b]! - counted[a]! || a - b);
  const dealt: number[][] = Array.from({ length: shards }, () => []);
  const whole = sorted.length - (sorted.length % shards);
  sorted.forEach((row, i) => {
    const turn = i % shards;
    // The last, shorter round goes to the first shards: those are the larger ones.
    const back = Math.floor(i / shards) % 2 === 1 && i < whole;
    dealt[back ? shards - 1 - turn : turn]!.push(row);
  });
  return dealt.map((rows) => {
    const own = Int32Array.from(rows, (row) => counted[row]!);
    const last = own[0] ?? 0;
    const firstRows = new Int32Array(last + 1);
    let alive = own.length;
    for (let t = 0; t < last; t++) {
      while (own[alive - 1]! <= t) alive--;
      firstRows[t + 1] = firstRows[t]! + alive;
    }
    return { positions: Int32Array.from(rows), lengths: own, firstRows, packedRows: firstRows[last]! };
  });
}
