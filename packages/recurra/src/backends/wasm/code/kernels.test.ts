import { describe, expect, it } from "vitest";
import { createRandom } from "../../../base/random.ts";
import { bestArithmetic, kernels } from "./instantiate.ts";
import { outerScratchSize } from "./kernels.ts";
import { blockDepth, longestDepth, longestRows, longestSumDepth, sumDepth } from "./products.ts";
import { type Arithmetic, panelWidth } from "./tile.ts";

interface Exports {
  readonly pack: (
    source: number,
    rowStride: number,
    columnStride: number,
    target: number,
    k: number,
    n: number,
  ) => void;
  readonly gemm: (...values: number[]) => void;
  readonly outer: (...values: number[]) => void;
  readonly sumShards: (base: number, stride: number, first: number, end: number, shards: number) => void;
}

/** Floats on either side of every buffer, which no kernel may touch. */
const guard = 24;
const pattern = 0x7fa5_c3e1; // A NaN: reading it shows in the result, too.

/** Buffers behind one another in one memory, with guard bands between them. */
class Arena {
  readonly memory = new WebAssembly.Memory({ initial: 24 });
  readonly bits = new Uint32Array(this.memory.buffer);
  readonly floats = new Float32Array(this.memory.buffer);
  readonly exports: Exports;
  #end = guard;
  readonly #buffers: { readonly start: number; readonly size: number }[] = [];

  constructor(arithmetic: Arithmetic) {
    const instance = new WebAssembly.Instance(kernels(arithmetic, false), { env: { memory: this.memory } });
    this.exports = instance.exports as unknown as Exports; // kernelModule exports exactly these.
  }

  clear(): void {
    this.bits.fill(pattern);
    this.#buffers.length = 0;
    this.#end = guard;
  }

  /** The float index of a new buffer. */
  add(size: number, values?: (i: number) => number): number {
    const start = this.#end;
    this.#buffers.push({ start, size });
    this.#end = start + size + guard;
    if (values !== undefined) for (let i = 0; i < size; i++) this.floats[start + i] = values(i);
    return start;
  }

  /** Float indices outside all buffers that no longer hold the pattern. */
  trespasses(): number[] {
    const inside = new Uint8Array(this.#end + 4096);
    for (const { start, size } of this.#buffers) inside.fill(1, start, start + size);
    const found: number[] = [];
    inside.forEach((own, i) => {
      if (own === 0 && this.bits[i] !== pattern) found.push(i);
    });
    return found;
  }
}

/** What these kernels write: the engine allocates for the wider panels of the native ones. */
const panelSize = (k: number, n: number) => Math.ceil(n / panelWidth) * panelWidth * k;

const arithmetics: readonly Arithmetic[] = bestArithmetic() === "relaxed" ? ["plain", "relaxed"] : ["plain"];
const ms = Array.from({ length: 13 }, (_, i) => i + 1);
const ns = [...Array.from({ length: 19 }, (_, i) => i + 1), 32, 37, 55];
const blockDepths = [blockDepth, longestDepth, longestDepth + 1, 2 * blockDepth + longestDepth + 1];
const ks = Array.from({ length: 10 }, (_, i) => i);

describe.each(arithmetics)("with %s multiply-adds", (arithmetic) => {
  const arena = new Arena(arithmetic);
  const { pack, gemm, outer } = arena.exports;
  const random = createRandom(3);
  // Small whole numbers: every sum is exact, so results must be equal whatever the order.
  const whole = () => random.integer(9) - 4;

  it.each([
    { what: "row by row", transposed: false },
    { what: "transposed", transposed: true },
  ])("pack lays a matrix out in panels, zeros behind the last column: $what", ({ transposed }) => {
    for (const k of ks) {
      for (const n of ns) {
        arena.clear();
        const wide = (transposed ? k : n) + 3;
        const source = arena.add((transposed ? n : k) * wide, whole);
        const target = arena.add(panelSize(k, n));
        const [rowStride, columnStride] = transposed ? [1, wide] : [wide, 1];
        pack(source * 4, rowStride, columnStride, target * 4, k, n);
        const expected: number[] = [];
        for (let panel = 0; panel * panelWidth < n; panel++) {
          for (let row = 0; row < k; row++) {
            for (let lane = 0; lane < panelWidth; lane++) {
              const column = panel * panelWidth + lane;
              expected.push(column < n ? arena.floats[source + row * rowStride + column * columnStride]! : 0);
            }
          }
        }
        expect([...arena.floats.subarray(target, target + panelSize(k, n))], `k ${k}, n ${n}`).toEqual(expected);
        expect(arena.trespasses(), `k ${k}, n ${n}`).toEqual([]);
      }
    }
  });

  it.each([
    { what: "C = A·B", accumulate: 0 },
    { what: "C += A·B", accumulate: 1 },
  ])("gemm computes $what for every rest of a tile", ({ accumulate }) => {
    for (const m of ms) {
      for (const n of ns) {
        for (const k of ks) {
          arena.clear();
          const aWide = k + 2;
          const cWide = n + 5;
          const a = arena.add(m * aWide, whole);
          const b = arena.add(k * n, whole);
          const packed = arena.add(panelSize(k, n));
          const c = arena.add(m * cWide, whole);
          const before = arena.floats.slice(c, c + m * cWide);
          pack(b * 4, n, 1, packed * 4, k, n);
          gemm(a * 4, aWide, packed * 4, c * 4, cWide, m, n, k, accumulate);
          let wrong = arena.trespasses().length;
          for (let i = 0; i < m; i++) {
            for (let j = 0; j < cWide; j++) {
              let sum = j >= n || accumulate === 1 ? before[i * cWide + j]! : 0;
              if (j < n)
                for (let q = 0; q < k; q++) sum += arena.floats[a + i * aWide + q]! * arena.floats[b + q * n + j]!;
              if (arena.floats[c + i * cWide + j] !== sum) wrong++;
            }
          }
          if (wrong > 0) expect.fail(`m ${m}, n ${n}, k ${k}: ${wrong} elements are wrong or written outside`);
        }
      }
    }
  });

  it("gemm computes products of several blocks of rows and of depth, with every rest of a block", () => {
    const sizes: [number, number, number][] = [];
    for (const m of [1, 2, 3, 7]) for (const k of blockDepths) sizes.push([m, 35, k]);
    for (const m of [125, 126, 127, longestRows, longestRows + 1, 2 * longestRows]) sizes.push([m, 9, 5]);
    for (const k of blockDepths) sizes.push([13, 9, k]);
    for (const [m, n, k] of sizes) {
      arena.clear();
      const a = arena.add(m * k, whole);
      const b = arena.add(k * n, whole);
      const packed = arena.add(panelSize(k, n));
      const c = arena.add(m * n);
      pack(b * 4, n, 1, packed * 4, k, n);
      gemm(a * 4, k, packed * 4, c * 4, n, m, n, k, 0);
      let wrong = arena.trespasses().length;
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let q = 0; q < k; q++) sum += arena.floats[a + i * k + q]! * arena.floats[b + q * n + j]!;
          if (arena.floats[c + i * n + j] !== sum) wrong++;
        }
      }
      if (wrong > 0) expect.fail(`m ${m}, n ${n}, k ${k}: ${wrong} elements are wrong or written outside`);
    }
  });

  it("gemm gives a row the same bits whatever rows stand beside it", () => {
    const [k, n, rows] = [97, 40, 14];
    arena.clear();
    const a = arena.add(rows * k, () => random.normal());
    const b = arena.add(k * n, () => random.normal());
    const packed = arena.add(panelSize(k, n));
    const c = arena.add(rows * n);
    pack(b * 4, n, 1, packed * 4, k, n);
    const firstRow = (m: number) => {
      gemm(a * 4, k, packed * 4, c * 4, n, m, n, k, 0);
      return [...arena.bits.subarray(c, c + n)];
    };
    const alone = firstRow(1);
    for (let m = 2; m <= rows; m++) expect(firstRow(m), `${m} rows`).toEqual(alone);
  });

  it("outer sums aᵀb over any number of rows, none included", () => {
    const edges = [sumDepth - 1, sumDepth, longestSumDepth, longestSumDepth + 1, 2 * sumDepth + longestSumDepth + 3];
    for (const rows of [0, 1, 2, 3, 4, 7, ...edges]) {
      for (const [m, n] of [
        [1, 1],
        [2, 3],
        [5, 8],
        [6, 9],
        [7, 17],
        [13, 19],
        [longestRows + 1, 9],
      ] as const) {
        if (m > longestRows && rows > longestSumDepth + 1) continue;
        arena.clear();
        const [aWide, bWide, cWide] = [m + 3, n + 2, n + 1];
        const a = arena.add(rows * aWide, whole);
        const b = arena.add(rows * bWide, whole);
        const c = arena.add(m * cWide, whole);
        const scratch = arena.add(outerScratchSize(m, n));
        const before = arena.floats.slice(c, c + m * cWide);
        outer(a * 4, aWide, b * 4, bWide, c * 4, cWide, m, n, rows, scratch * 4);
        let wrong = arena.trespasses().length;
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < cWide; j++) {
            let sum = j >= n ? before[i * cWide + j]! : 0;
            if (j < n)
              for (let row = 0; row < rows; row++)
                sum += arena.floats[a + row * aWide + i]! * arena.floats[b + row * bWide + j]!;
            if (arena.floats[c + i * cWide + j] !== sum) wrong++;
          }
        }
        if (wrong > 0) expect.fail(`m ${m}, n ${n}, rows ${rows}: ${wrong} elements are wrong or written outside`);
      }
    }
  });
});

describe("sumShards", () => {
  it.each([1, 2, 4, 8])("adds %i shards in a tree, part by part as whole", (shards) => {
    const arena = new Arena("plain");
    const random = createRandom(shards);
    for (const count of [0, 16, 1024, 1040, 3000 - 8]) {
      arena.clear();
      const bases = Array.from({ length: shards }, () => arena.add(count, () => random.normal()));
      const stride = 4 * ((bases[1] ?? 0) - bases[0]!);
      let level = bases.map((base) => arena.floats.slice(base, base + count));
      while (level.length > 1)
        level = Array.from({ length: level.length / 2 }, (_, i) =>
          level[2 * i]!.map((value, at) => Math.fround(value + level[2 * i + 1]![at]!)),
        );
      const middle = Math.floor(count / 48) * 16;
      arena.exports.sumShards(4 * bases[0]!, stride, 0, middle, shards);
      arena.exports.sumShards(4 * bases[0]!, stride, middle, count, shards);
      expect([...arena.floats.subarray(bases[0]!, bases[0]! + count)]).toEqual([...level[0]!]);
      expect(arena.trespasses()).toEqual([]);
    }
  });
});
