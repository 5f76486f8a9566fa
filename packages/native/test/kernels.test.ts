/** Matrix products against plain float64 loops: every size and remainder, between guard bands. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../recurra/src/base/random.ts";
import * as loader from "../index.cjs";

const native = loader.load();
const sets = native?.instructionSets ?? [];

/** A memory whose every float is the guard until something is written. */
class Arena {
  readonly floats: Float32Array;
  readonly memory: WebAssembly.Memory;
  #end = 64;
  readonly #blocks: { readonly start: number; readonly end: number }[] = [];
  static readonly guard = -12345.678;

  constructor(pages: number, shared = false) {
    this.memory = new WebAssembly.Memory(shared ? { initial: pages, maximum: pages, shared } : { initial: pages });
    this.floats = new Float32Array(this.memory.buffer);
    this.floats.fill(Arena.guard);
  }

  /** Byte address of a block with at least 17 guards on either side; `skew` moves it off alignment. */
  block(length: number, skew = 0): number {
    const start = Math.ceil((this.#end + 17) / 16) * 16 + skew;
    this.#end = start + length;
    this.#blocks.push({ start, end: this.#end });
    if (this.#end + 17 > this.floats.length) throw new RangeError("the arena is too small");
    return start * 4;
  }

  at(address: number, length: number): Float32Array {
    return this.floats.subarray(address / 4, address / 4 + length);
  }

  /** Floats outside every block that are no longer the guard. */
  trespasses(): number[] {
    const found: number[] = [];
    let block = 0;
    const guard = Math.fround(Arena.guard);
    for (let i = 0; i < Math.min(this.#end + 64, this.floats.length); i++) {
      while (block < this.#blocks.length && i >= this.#blocks[block]!.end) block++;
      const inside = block < this.#blocks.length && i >= this.#blocks[block]!.start;
      if (!inside && this.floats[i] !== guard) found.push(i * 4);
    }
    return found;
  }
}

const packedLength = (k: number, n: number) => Math.ceil(n / 16) * 16 * k;

/** Largest difference in units of float32 rounding, scaled by the sum of the magnitudes. */
function worstError(found: ArrayLike<number>, exact: Float64Array, scale: Float64Array): number {
  let worst = 0;
  for (let i = 0; i < exact.length; i++) {
    const error = Math.abs(found[i]! - exact[i]!) / (scale[i]! * 2 ** -24 + 1e-30);
    if (!(error <= worst)) worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return worst;
}

interface Problem {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Elements between neighbouring rows beyond their own length. */
  readonly gap?: number;
  readonly transposedB?: boolean;
  readonly accumulate?: boolean;
  readonly skew?: number;
}

function runGemm(problem: Problem, arena = new Arena(8)): { error: number; rows: Float32Array } {
  const { m, n, k, gap = 0, transposedB = false, accumulate = false, skew = 0 } = problem;
  const random = createRandom(m * 10007 + n * 101 + k);
  const { pack, gemm } = native!.bind(arena.memory);
  const aRow = k + gap;
  const [bRow, bColumn] = transposedB ? [1, k + gap] : [n + gap, 1];
  const cRow = n + gap;
  const extent = (rows: number, row: number, columns: number, column: number) =>
    rows === 0 || columns === 0 ? 0 : (rows - 1) * row + (columns - 1) * column + 1;
  const a = arena.block(extent(m, aRow, k, 1), skew);
  const b = arena.block(extent(k, bRow, n, bColumn), skew);
  const c = arena.block(extent(m, cRow, n, 1), skew);
  const packed = arena.block(packedLength(k, n));
  const aData = arena.at(a, extent(m, aRow, k, 1));
  const bData = arena.at(b, extent(k, bRow, n, bColumn));
  const cData = arena.at(c, extent(m, cRow, n, 1));
  for (let i = 0; i < m; i++) for (let l = 0; l < k; l++) aData[i * aRow + l] = random.normal();
  for (let l = 0; l < k; l++) for (let j = 0; j < n; j++) bData[l * bRow + j * bColumn] = random.normal();
  const exact = new Float64Array(m * n);
  const scale = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const start = accumulate ? Math.fround(random.normal()) : 0;
      if (accumulate) cData[i * cRow + j] = start;
      let sum = start;
      let size = Math.abs(start);
      for (let l = 0; l < k; l++) {
        const term = aData[i * aRow + l]! * bData[l * bRow + j * bColumn]!;
        sum += term;
        size += Math.abs(term);
      }
      exact[i * n + j] = sum;
      scale[i * n + j] = size;
    }
  }
  pack(b, bRow, bColumn, packed, k, n);
  gemm(a, aRow, packed, c, cRow, m, n, k, accumulate ? 1 : 0);
  const rows = new Float32Array(m * n);
  const guard = Math.fround(Arena.guard);
  let gapsKept = true;
  cData.forEach((value, at) => {
    const column = at % cRow;
    if (column < n) rows[Math.floor(at / cRow) * n + column] = value;
    else if (value !== guard) gapsKept = false;
  });
  expect(gapsKept, `gaps between rows of ${JSON.stringify(problem)}`).toBe(true);
  expect(arena.trespasses(), JSON.stringify(problem)).toEqual([]);
  return { error: worstError(rows, exact, scale), rows };
}

function runOuter(m: number, n: number, rows: number, gap: number, arena: Arena): number {
  const random = createRandom(m * 10007 + n * 101 + rows);
  const { outer } = native!.bind(arena.memory);
  const [aRow, bRow, cRow] = [m + gap, n + gap, n + gap];
  const [a, b] = [arena.block(rows * aRow), arena.block(rows * bRow)];
  const c = arena.block(m * cRow);
  const scratch = arena.block(packedLength(native!.outerBlock, n));
  const aData = arena.at(a, rows * aRow);
  const bData = arena.at(b, rows * bRow);
  for (let i = 0; i < aData.length; i++) aData[i] = random.normal();
  for (let i = 0; i < bData.length; i++) bData[i] = random.normal();
  outer(a, aRow, b, bRow, c, cRow, m, n, rows, scratch);
  const exact = new Float64Array(m * n);
  const scale = new Float64Array(m * n);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const term = aData[r * aRow + i]! * bData[r * bRow + j]!;
        exact[i * n + j]! += term;
        scale[i * n + j]! += Math.abs(term);
      }
    }
  }
  const cData = arena.at(c, m * cRow);
  const found = exact.map((_, at) => cData[Math.floor(at / n) * cRow + (at % n)]!);
  for (let i = 0; i < m; i++) for (let j = n; j < cRow; j++) expect(cData[i * cRow + j]).toBe(Math.fround(Arena.guard));
  expect(arena.trespasses(), `outer ${m}×${n}×${rows}`).toEqual([]);
  return worstError(found, exact, scale);
}

/** A chain of k roundings, each half a unit of a partial sum. */
const allowed = (k: number) => k + 2;

describe.skipIf(native === undefined)(
  `native kernels${native === undefined ? ` (skipped: ${loader.whyNot()})` : ""}`,
  () => {
    describe.each(sets)("with %s", (set) => {
      it("multiplies matrices of every small size, to the last remainder", () => {
        native!.select(set);
        const ks = [0, 1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 40];
        for (let m = 1; m <= 13; m++) {
          for (let n = 1; n <= 70; n++) {
            const k = ks[(m * 7 + n) % ks.length]!;
            const { error } = runGemm({ m, n, k, skew: (m + n) % 3 }, new Arena(2));
            if (error > allowed(k)) expect.fail(`${m}×${n}×${k}: ${error} units`);
          }
        }
      });

      it("multiplies by every inner size", () => {
        native!.select(set);
        for (let k = 0; k <= 40; k++) {
          for (const [m, n] of [
            [1, 17],
            [5, 64],
            [7, 130],
          ] as const) {
            const { error } = runGemm({ m, n, k }, new Arena(2));
            if (error > allowed(k)) expect.fail(`${m}×${n}×${k}: ${error} units`);
          }
        }
      });

      it.each<Problem>([
        { m: 5, n: 35, k: 9, gap: 3 },
        { m: 13, n: 49, k: 7, gap: 2 },
        { m: 3, n: 70, k: 11, transposedB: true },
        { m: 6, n: 33, k: 5, transposedB: true, gap: 5, accumulate: true },
        { m: 1, n: 300, k: 20, accumulate: true },
        { m: 4, n: 129, k: 0, accumulate: true },
        { m: 4, n: 129, k: 0 },
        { m: 1, n: 513, k: 130, gap: 1, transposedB: true },
        { m: 250, n: 70, k: 40, gap: 1 },
        { m: 300, n: 130, k: 600 },
        { m: 33, n: 150, k: 700, accumulate: true, transposedB: true },
        { m: 20, n: 512, k: 600 },
        // Packed past the caches.
        { m: 2, n: 1300, k: 410, gap: 1 },
        { m: 2, n: 650, k: 825, gap: 1, transposedB: true },
      ])("multiplies with strides, accumulation and blocks: %j", (problem) => {
        native!.select(set);
        expect(runGemm(problem, new Arena(96)).error).toBeLessThan(allowed(problem.k));
      });

      it("gives a row the same bits however many rows go with it", () => {
        native!.select(set);
        const [k, n] = [450, 205];
        const arena = new Arena(64);
        const { pack, gemm } = native!.bind(arena.memory);
        const [a, b, c] = [arena.block(400 * k), arena.block(k * n), arena.block(400 * n)];
        const packed = arena.block(packedLength(k, n));
        const random = createRandom(3);
        for (const [address, length] of [
          [a, 400 * k],
          [b, k * n],
        ] as const) {
          const data = arena.at(address, length);
          for (let i = 0; i < length; i++) data[i] = random.normal();
        }
        pack(b, n, 1, packed, k, n);
        gemm(a, k, packed, c, n, 400, n, k, 0);
        const whole = arena.at(c, 400 * n).slice();
        for (let m = 1; m <= 26; m++) {
          arena.at(c, 400 * n).fill(0);
          gemm(a, k, packed, c, n, m, n, k, 0);
          expect(arena.at(c, m * n)).toEqual(whole.subarray(0, m * n));
        }
      });

      it("sums outer products of every small size", () => {
        native!.select(set);
        for (let m = 1; m <= 14; m++) {
          for (let n = 1; n <= 70; n += m % 2 === 0 ? 1 : 3) {
            const rows = [1, 2, 5, 17, 40][(m + n) % 5]!;
            const error = runOuter(m, n, rows, (m + n) % 2, new Arena(5));
            if (error > allowed(rows)) expect.fail(`${m}×${n}×${rows}: ${error} units`);
          }
        }
      });

      it.each([
        [3, 70, 0],
        [20, 35, 600],
        [260, 100, 300],
        [131, 513, 257],
        [5, 129, 1000],
        [512, 17, 256],
        [200, 1, 900],
        [64, 64, 400],
        [65, 65, 400],
        [511, 40, 500], // rows of 512 floats
      ])("sums outer products in blocks: %i×%i over %i rows", (m, n, rows) => {
        native!.select(set);
        expect(runOuter(m, n, rows, 1, new Arena(96))).toBeLessThan(allowed(rows));
      });

      it.each([
        [260, 100, 30, 300],
        [300, 65, 200, 800],
        [40, 500, 70, 400],
        [241, 129, 129, 1],
        [90, 80, 80, 0],
      ])(
        "sums two outer products of the same rows with the bits of each: %i×%i and %i over %i rows",
        (m, n1, n2, rows) => {
          native!.select(set);
          const arena = new Arena(96);
          const { outer, outerPair } = native!.bind(arena.memory);
          const random = createRandom(m);
          const numbers = (count: number) => {
            const at = arena.block(count);
            arena.at(at, count).set(Float32Array.from({ length: count }, () => random.normal()));
            return at;
          };
          const a = numbers(rows * m);
          const sums = [n1, n2].map((n) => ({
            ...{ n, b: numbers(rows * (n + 1)), scratch: arena.block(packedLength(native!.outerBlock, n)) },
            ...{ alone: arena.block(m * (n + 2)), together: arena.block(m * (n + 2)) },
          }));
          for (const { n, b, alone, scratch } of sums) outer(a, m, b, n + 1, alone, n + 2, m, n, rows, scratch);
          const given = sums.map(({ n, b, together, scratch }) => [b, n + 1, together, n + 2, n, scratch] as const);
          outerPair(a, m, m, rows, ...given[0]!, ...given[1]!);
          for (const { n, alone, together } of sums)
            expect(arena.at(together, m * (n + 2))).toEqual(arena.at(alone, m * (n + 2)));
          expect(arena.trespasses()).toEqual([]);
        },
      );

      it("keeps NaN, infinity and subnormals", () => {
        native!.select(set);
        const arena = new Arena(1);
        const { pack, gemm } = native!.bind(arena.memory);
        const [a, b, c] = [arena.block(6), arena.block(2), arena.block(3)];
        const packed = arena.block(packedLength(2, 1));
        arena.at(a, 6).set([Number.NaN, 0, Number.POSITIVE_INFINITY, 1, 2 ** -140, 0]);
        arena.at(b, 2).set([1, 1]);
        pack(b, 1, 1, packed, 2, 1);
        gemm(a, 2, packed, c, 1, 3, 1, 2, 0);
        expect([...arena.at(c, 3)]).toEqual([Number.NaN, Number.POSITIVE_INFINITY, 2 ** -140]);
      });
    });

    it("gives the same bits with every instruction set that fuses the multiply-add", () => {
      const results = sets
        .filter((set) => set !== "portable")
        .map((set) => {
          native!.select(set);
          return runGemm({ m: 9, n: 101, k: 500 }, new Arena(16)).rows;
        });
      for (const result of results) expect(result).toEqual(results[0]);
    });

    it("works on shared memory", () => {
      native!.select(sets[0]!);
      expect(runGemm({ m: 7, n: 50, k: 30 }, new Arena(4, true)).error).toBeLessThan(allowed(30));
    });

    it("finds the memory again after it has grown", () => {
      native!.select(sets[0]!);
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 200 });
      const { pack, gemm, rebind } = native!.bind(memory);
      memory.grow(100);
      rebind();
      const floats = new Float32Array(memory.buffer);
      const end = memory.buffer.byteLength - 4096;
      floats.set([2, 3], end / 4);
      pack(end, 1, 1, end + 64, 2, 1);
      gemm(end, 2, end + 64, end + 1024, 1, 1, 1, 2, 0);
      expect(floats[(end + 1024) / 4]).toBe(13);
    });

    it("refuses addresses outside the memory", () => {
      const { pack, gemm } = native!.bind(new WebAssembly.Memory({ initial: 1 }));
      expect(() => pack(0, 1, 1, 65536, 1, 1)).toThrow("an address lies outside the memory");
      expect(() => gemm(0, 1, 0, 65532, 1, 2, 1, 1, 0)).toThrow("an address lies outside the memory");
      expect(() => gemm(-4, 1, 0, 0, 1, 1, 1, 1, 0)).toThrow("an address lies outside the memory");
    });
  },
);

describe.skipIf(native === undefined)("sumShards", () => {
  it.each([1, 2, 4, 8])("adds %i shards in a tree, part by part as whole", (shards) => {
    const random = createRandom(shards);
    for (const count of [0, 16, 1024, 1040, 2992]) {
      const arena = new Arena(8);
      const { sumShards } = native!.bind(arena.memory);
      const addresses = Array.from({ length: shards }, () => arena.block(count));
      for (const address of addresses)
        arena.at(address, count).set(Float32Array.from({ length: count }, () => random.normal()));
      let level = addresses.map((address) => arena.at(address, count).slice());
      while (level.length > 1)
        level = Array.from({ length: level.length / 2 }, (_, i) =>
          level[2 * i]!.map((value, at) => value + level[2 * i + 1]![at]!),
        );
      const stride = (addresses[1] ?? addresses[0]!) - addresses[0]!;
      const middle = Math.floor(count / 48) * 16;
      sumShards(addresses[0]!, stride, 0, middle, shards);
      sumShards(addresses[0]!, stride, middle, count, shards);
      expect(arena.at(addresses[0]!, count)).toEqual(level[0]);
      expect(arena.trespasses()).toEqual([]);
    }
  });

  it("refuses shards outside the memory", () => {
    const { sumShards } = native!.bind(new WebAssembly.Memory({ initial: 1 }));
    expect(() => sumShards(0, 32768, 0, 8193, 2)).toThrow("an address lies outside the memory");
    expect(() => sumShards(0, 32768, -16, 16, 2)).toThrow("shards begin at an element of theirs");
  });
});

describe("the loader", () => {
  it("says why there are no kernels when they are switched off", () => {
    const before = process.env.RECURRA_NATIVE;
    process.env.RECURRA_NATIVE = "0";
    try {
      expect(loader.load()).toBeUndefined();
      expect(loader.whyNot()).toBe("switched off by RECURRA_NATIVE=0");
    } finally {
      if (before === undefined) delete process.env.RECURRA_NATIVE;
      else process.env.RECURRA_NATIVE = before;
    }
  });
});
