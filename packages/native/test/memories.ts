/** What loops are tried on: memories full of easy and difficult numbers, compared bit by bit. */
import { createRandom } from "../../recurra/src/base/random.ts";
import * as loader from "../index.cjs";

export const native = loader.load();

/** A way in which the kernels run loops. */
export interface Way {
  readonly name: string;
  readonly use: () => void;
}

/** All that this processor has: every instruction set, and machine code where it can be made. */
export const ways: readonly Way[] = (native?.instructionSets ?? []).flatMap((set) =>
  [false, true].flatMap((compiled): Way[] => {
    const use = () => {
      native!.select(set);
      native!.compileLoops(compiled);
    };
    use();
    if (compiled && !native!.compilesLoops()) return [];
    return [{ name: compiled ? `${set}, as machine code` : set, use }];
  }),
);

const special = [
  Number.NaN,
  Infinity,
  -Infinity,
  -0,
  0,
  1e-40,
  -1e-40,
  3e38,
  -3e38,
  89.5,
  -104,
  1e9,
  -7e12,
  0.5,
  1,
  2,
  -1,
];

/** Numbers around 0, small whole ones (steps, lengths, seeds) and, for odd seeds, all the difficult ones; again and again. */
export function numbers(seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: 9973 }, () => {
    const kind = random.uniform();
    if (seed % 2 === 1 && kind < 0.15) return special[random.integer(special.length)]!;
    return kind < 0.3 ? random.integer(9) : 2 * random.normal();
  });
}

export function fill(memory: WebAssembly.Memory, contents: Float32Array): void {
  const floats = new Float32Array(memory.buffer);
  for (let at = 0; at < floats.length; at += contents.length)
    floats.set(contents.subarray(0, Math.min(contents.length, floats.length - at)), at);
}

/** The first float whose bits differ; NaN is NaN: WebAssembly leaves open which. −1 when there is none. */
export function firstDifference(a: WebAssembly.Memory, b: WebAssembly.Memory): number {
  const [x, y] = [new Int32Array(a.buffer), new Int32Array(b.buffer)];
  const [xs, ys] = [new Float32Array(a.buffer), new Float32Array(b.buffer)];
  for (let i = 0; i < x.length; i++) {
    if (x[i] !== y[i] && !(Number.isNaN(xs[i]) && Number.isNaN(ys[i]))) return i;
  }
  return -1;
}
