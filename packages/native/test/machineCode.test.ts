/** Random fused loops as machine code, interpreted, and as WebAssembly functions: the same bits in the whole memory. */
import { describe, expect, it } from "vitest";
import { ModuleAssembler } from "../../recurra/src/backends/wasm/code/assembler.ts";
import type { EmitContext } from "../../recurra/src/backends/wasm/emit/address.ts";
import { encodeLoop, type LoopSite } from "../../recurra/src/backends/wasm/emit/encodeLoop.ts";
import { emitLoop } from "../../recurra/src/backends/wasm/emit/loop.ts";
import { collapse } from "../../recurra/src/backends/wasm/plan/dims.ts";
import {
  type Access,
  accessesOf,
  type BufferId,
  type Loop,
  type LoopDim,
  type LoopOp,
  type Size,
  size,
} from "../../recurra/src/backends/wasm/plan/plan.ts";
import { createRandom, type Random } from "../../recurra/src/base/random.ts";
import type { BinaryKind, UnaryKind } from "../../recurra/src/ir/nodes.ts";
import { fill, firstDifference, native, numbers, ways } from "./memories.ts";

const machineCode = ways.find(({ name }) => name.includes("machine code"));
const unaries: readonly UnaryKind[] = [
  ...["neg", "exp", "log", "tanh", "sigmoid", "abs", "sqrt", "sign", "floor", "sin", "cos"],
] as UnaryKind[]; // Written as texts: the list is whole.
const binaries = ["add", "sub", "mul", "div", "max", "min", "less", "equal"] as BinaryKind[];
const sizes = [1, 2, 3, 4, 5, 7, 12, 15, 16, 17, 20, 30, 31, 32, 33, 47, 48, 63, 64, 100];
const bufferFloats = 20_000;
const batch = "batch";

interface Case {
  readonly loop: Loop;
  readonly rows: number;
}

class LoopMaker {
  readonly #random: Random;
  readonly #dims: readonly LoopDim[];
  readonly #counts: readonly number[];
  #buffers = 0;
  readonly ops: LoopOp[] = [];
  readonly stores: Loop["stores"][number][] = [];
  readonly reductions: Loop["reductions"][number][] = [];

  constructor(random: Random, counts: readonly number[]) {
    this.#random = random;
    this.#counts = counts;
    // The first of three dims is an axis of the module.
    this.#dims = counts.map((count, i) =>
      counts.length === 3 && i === 0
        ? { name: batch, size: size(1, batch) }
        : { name: `#${counts.length - i}`, size: size(count) },
    );
  }

  #chance(probability: number): boolean {
    return this.#random.uniform() < probability;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.integer(from.length)]!;
  }

  /** Over the dims for which `moves`; their strides are those of a dense array, or of one with wider rows. */
  access(moves: (dim: number) => boolean, buffer = this.#buffers++): Access {
    const strides: Record<string, Size> = { time: size(16) };
    let stride = 1;
    for (let i = this.#counts.length - 1; i >= 0; i--) {
      if (!moves(i)) continue;
      strides[this.#dims[i]!.name] = size(stride);
      stride *= this.#counts[i]!;
      if (i === this.#counts.length - 1 && this.#chance(0.3)) stride += this.#random.integer(20);
    }
    return { buffer: buffer as BufferId, offset: this.#random.integer(40), start: size(0), strides };
  }

  load(): void {
    const inner = this.#counts.length - 1;
    const kind = this.#random.integer(6);
    const access = this.access((dim) => {
      if (kind < 3) return true;
      if (kind === 3) return dim === inner;
      if (kind === 4) return dim !== inner;
      return this.#chance(0.5);
    });
    this.ops.push({ kind: "load", access });
  }

  op(): void {
    const ref = () => this.#random.integer(this.ops.length);
    const kind = this.#random.integer(24);
    if (kind === 0) this.ops.push({ kind: "literal", value: this.#pick([0, -0, 1, 0.5, -3, Infinity]) });
    else if (kind === 1) this.ops.push({ kind: "step", axis: "time" });
    else if (kind === 2 && this.#dims.length > 0) this.ops.push({ kind: "position", dim: this.#pick(this.#dims).name });
    else if (kind === 3)
      this.ops.push({
        kind: "random",
        seed: ref(),
        stream: this.#random.integer(9),
        dims: this.#dims.map(({ name }) => name),
      });
    else if (kind < 6) this.ops.push({ kind: "select", condition: ref(), a: ref(), b: ref() });
    else if (kind < 12) this.ops.push({ kind: "unary", op: this.#pick(unaries), x: ref() });
    else this.ops.push({ kind: "binary", op: this.#pick(binaries), a: ref(), b: ref() });
  }

  results(): void {
    const ref = () => this.#random.integer(this.ops.length);
    const inner = this.#counts.length - 1;
    for (let i = this.#random.integer(4); i > 0; i--)
      this.stores.push({ value: ref(), access: this.access(() => true) });
    // Over what is loaded, element by element.
    for (const op of this.ops)
      if (
        op.kind === "load" &&
        this.#chance(0.2) &&
        this.#dims.every(({ name }) => op.access.strides[name] !== undefined)
      )
        this.stores.push({ value: ref(), access: op.access });
    for (let i = this.#random.integer(4); i > 0; i--) {
      const along = this.#chance(0.6);
      const access = this.access((dim) => (dim === inner ? !along : this.#chance(0.5)));
      this.reductions.push({ value: ref(), op: this.#pick(["sum", "max"]), access, carried: this.#chance(0.5) });
    }
    if (this.stores.length + this.reductions.length === 0)
      this.stores.push({ value: this.ops.length - 1, access: this.access(() => true) });
  }

  loop(): Loop {
    const { ops, stores, reductions } = this;
    return { kind: "loop", dims: this.#dims, ops, stores, reductions };
  }
}

function randomCase(seed: number): Case {
  const random = createRandom(seed);
  const count = random.integer(4);
  const counts = Array.from({ length: count }, (_, i) => {
    const most = i === count - 1 ? sizes.length : 6;
    return seed % 40 === 7 && i === count - 1 ? 0 : sizes[random.integer(most)]!;
  });
  const maker = new LoopMaker(random, counts);
  const [loads, ops] = seed % 3 === 0 ? [random.integer(40), 60] : [random.integer(5), random.integer(20)];
  for (let i = 0; i <= loads; i++) maker.load();
  // Many values that live long: all of them are read again at the end.
  if (seed % 3 === 0)
    for (let i = 0; i < 40; i++) maker.ops.push({ kind: "unary", op: "floor", x: random.integer(maker.ops.length) });
  for (let i = 0; i < ops; i++) maker.op();
  if (seed % 3 === 0) {
    const all = maker.ops.length;
    for (let i = 0, sum = 0; i < all; i++) sum = maker.ops.push({ kind: "binary", op: "add", a: i, b: sum }) - 1;
  }
  maker.results();
  return { loop: maker.loop(), rows: counts[0] ?? 1 };
}

/** Where parts of the outermost dimension may begin and end, with one that is empty; none where a part would cut a sum along a row. */
function cutsOf({ loop, rows }: Case, seed: number): readonly number[] | undefined {
  const positional = loop.ops.some(({ kind }) => kind === "position" || kind === "random");
  const dims = positional ? loop.dims : collapse(loop.dims, accessesOf(loop));
  const [outermost] = dims;
  if (outermost === undefined) return undefined;
  const isCut = dims.length === 1 && loop.reductions.some(({ access }) => !(outermost.name in access.strides));
  if (isCut) return undefined;
  const count = outermost.size.coefficient * rows ** outermost.size.axes.length;
  const inside = [seed % 11, seed % 17, seed % 17].map((at) => Math.min(at, count));
  return [0, ...inside.sort((a, b) => a - b), count];
}

/** All ways on memories of the same contents, whole and in parts. Returns whether the loop became machine code. */
function compare(given: Case, seed: number): boolean {
  const { loop, rows } = given;
  const cuts = cutsOf(given, seed);
  const addressOf = (buffer: number) => 64 + 4 * bufferFloats * buffer;
  const buffers =
    1 +
    Math.max(
      ...[
        ...loop.ops.flatMap((op) => (op.kind === "load" ? [op.access] : [])),
        ...[...loop.stores, ...loop.reductions].map(({ access }) => access),
      ].map(({ buffer }) => buffer),
    );
  const initial = Math.ceil((addressOf(buffers) + 64) / 65536);
  const contents = numbers(seed);
  const memoryAfter = (run: (memory: WebAssembly.Memory) => void) => {
    const memory = new WebAssembly.Memory({ initial });
    fill(memory, contents);
    run(memory);
    return memory;
  };
  const [firstRow, time] = [seed % 7, seed % 3];
  const wanted = memoryAfter((memory) => {
    const module = new ModuleAssembler();
    const [count, first] = [module.global(), module.global()];
    const context: EmitContext = {
      module,
      addressOf,
      baseOf: () => undefined,
      sizeGlobal: () => count,
      firstRow: first,
    };
    module.function("loop", [0x7f, 0x7f, 0x7f], (code) => {
      code.get(code.parameter(0)).setGlobal(count).get(code.parameter(1)).setGlobal(first);
      emitLoop(code, context, loop, new Map([["time", code.parameter(2)]]));
    });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
    (instance.exports.loop as (...values: number[]) => void)(rows, firstRow, time); // The module exports this one function.
  });
  const program = encodeLoop(loop, { addressOf, baseOf: () => 0, axes: [batch], steps: ["time"] });
  if (program === undefined) return false;
  let compiled = false;
  for (const { name, use } of ways) {
    use();
    const got = memoryAfter((memory) => {
      const bound = native!.bind(memory);
      const handle = bound.define(program);
      if (bound.isCompiled(handle)) compiled = true;
      bound.runLoops(handle, 1, rows, 0, 0, firstRow, time);
      // What an earlier run left behind must not matter.
      fill(memory, contents);
      if (cuts === undefined) bound.runLoops(handle, 1, rows, 0, 0, firstRow, time);
      else
        for (const [i, first] of cuts.slice(0, -1).entries())
          bound.runPart(handle, first, cuts[i + 1]! - first, rows, 0, 0, firstRow, time);
    });
    const wrong = firstDifference(got, wanted);
    if (wrong < 0) continue;
    const show = (memory: WebAssembly.Memory) => new Float32Array(memory.buffer)[wrong];
    const where = `buffer ${Math.floor((wrong * 4 - 64) / 4 / bufferFloats)}, float ${(wrong - 16) % bufferFloats}`;
    expect.fail(
      `${name}, seed ${seed}, ${where}: ${show(got)}, WebAssembly has ${show(wanted)}\n${JSON.stringify(loop)}`,
    );
  }
  return compiled;
}

const skipped = machineCode === undefined ? " (skipped: needs Linux with AVX-512 and executable memory)" : "";

describe.skipIf(machineCode === undefined)(`loops as machine code${skipped}`, () => {
  it.each([0, 1, 2, 3, 4, 5])("give the bits of WebAssembly and of the interpreter, part %i", (part) => {
    let compiled = 0;
    for (let i = 0; i < 100; i++) compiled += compare(randomCase(100 * part + i), 100 * part + i) ? 1 : 0;
    expect(compiled).toBeGreaterThan(60);
  });

  it("refuse parts that a loop does not have", () => {
    machineCode!.use();
    const bound = native!.bind(new WebAssembly.Memory({ initial: 1 }));
    const access = { buffer: 0 as BufferId, offset: 0, start: size(0), strides: { "#1": size(1) } };
    const loop: Loop = {
      kind: "loop",
      dims: [{ name: "#1", size: size(9) }],
      ops: [{ kind: "literal", value: 1 }],
      stores: [{ value: 0, access }],
      reductions: [],
    };
    const encode = (given: Loop) => encodeLoop(given, { addressOf: () => 0, baseOf: () => 0, axes: [], steps: [] })!;
    const [row, one] = [loop, { ...loop, dims: [] }].map((given) => bound.define(encode(given)));
    bound.runPart(row!, 2, 7, 0, 0, 0);
    for (const [handle, first, count] of [
      [row!, 2, 8],
      [row!, -1, 2],
      [row!, 0, -1],
      [one!, 0, 1],
    ] as const)
      expect(() => bound.runPart(handle, first, count, 0, 0, 0)).toThrow("a part reaches behind its loop");
  });

  it("go to the interpreter where a row lies apart, or where they are switched off", () => {
    const access = (buffer: number, stride: number): Access => ({
      buffer: buffer as BufferId,
      offset: 0,
      start: size(0),
      strides: { "#1": size(stride) },
    });
    const copy = (stride: number): Loop => ({
      kind: "loop",
      dims: [{ name: "#1", size: size(9) }],
      ops: [{ kind: "load", access: access(0, stride) }],
      stores: [{ value: 0, access: access(1, 1) }],
      reductions: [],
    });
    const site: LoopSite = { addressOf: (buffer) => 512 * buffer, baseOf: () => 0, axes: [], steps: [] };
    const bound = native!.bind(new WebAssembly.Memory({ initial: 1 }));
    const isCompiled = (stride: number) => bound.isCompiled(bound.define(encodeLoop(copy(stride), site)!));
    machineCode!.use();
    expect([isCompiled(1), isCompiled(2)]).toEqual([true, false]);
    native!.compileLoops(false);
    expect(isCompiled(1)).toBe(false);
    expect(() => bound.isCompiled(4)).toThrow("no such loop");
  });
});
