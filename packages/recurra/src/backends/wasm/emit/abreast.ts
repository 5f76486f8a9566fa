/** Shards that one call takes side by side. */
import { type Code, i32 } from "../code/assembler.ts";

/** Globals: how many shards a call takes side by side, and how far the next one is in each of `places`. */
export interface Abreast {
  readonly shards: number;
  readonly apart: readonly number[];
  /** Globals that say where a shard lies: its arena, itself and its first row. */
  readonly places: readonly number[];
}

/** Emits what is done for each shard of the call, one after the other. */
export function eachShard(code: Code, abreast: Abreast | undefined, body: () => void): void {
  if (abreast === undefined) {
    body();
    return;
  }
  const { shards, apart, places } = abreast;
  const left = code.local(i32);
  const first = places.map((place) => {
    const kept = code.local(i32);
    code.getGlobal(place).set(kept);
    return kept;
  });
  code.getGlobal(shards).set(left);
  code.times(left, () => {
    body();
    places.forEach((place, i) => void code.getGlobal(place).getGlobal(apart[i]!).do("i32.add").setGlobal(place));
  });
  places.forEach((place, i) => void code.get(first[i]!).setGlobal(place));
}
