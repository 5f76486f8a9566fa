/** Programs compiled into one WebAssembly module over one memory: parameters stay, inputs go in, outputs come out. */
import { emitModule } from "../backends/wasm/emit.ts";
import {
  bestArithmetic,
  createMemory,
  growMemory,
  type Instantiated,
  instantiate,
  kernels,
} from "../backends/wasm/instantiate.ts";
import { planMemory } from "../backends/wasm/memory.ts";
import type { BufferId } from "../backends/wasm/plan.ts";
import type { Arithmetic } from "../backends/wasm/tile.ts";
import { InternalError, ShapeError } from "../base/errors.ts";
import {
  type Axis,
  type AxisSizes,
  elementCount,
  formatType,
  orderAxes,
  product,
  sizeOf,
  type TensorType,
} from "../base/shapes.ts";
import type { Program } from "../ir/nodes.ts";
import { type Entry, makeEntry, operationsOf, type Part, type PlacedParam, placeParams } from "./entry.ts";
import { type KernelSet, type NativeKernels, nativeImports, nativeKernels } from "./native.ts";
import { Pace } from "./pace.ts";
import { largestShard, shardCount, shardRows, sumTree } from "./shards.ts";
import { type Numbers, type Place, readTensor, stagingBytes, writeTensor } from "./tensors.ts";
import { type ThreadPool, threadPool } from "./threads.ts";

export interface CompileOptions {
  /** Sizes to plan for; larger ones later compile again. Axes that are missing start at 1. */
  readonly capacity?: AxisSizes;
  /** Only plain multiply-adds: the same bits on every machine. Default false: relaxed multiply-adds where the engine has them. */
  readonly strict?: boolean;
  /** At most this many threads. The result has the same bits for any number. Default: one per processor, or RECURRA_THREADS. */
  readonly threads?: number;
}

export type { Numbers };

/** Where the parts of one program lie, for the capacity compiled for. */
interface Placement {
  readonly rows: readonly number[];
  readonly whole: readonly number[];
  readonly arenaBytes: number;
  readonly shardBytes: number;
  readonly arenaBase: number;
  readonly shardBase: number;
  readonly wholeBase: number;
  /** The run of partial sums within a shard: offset in bytes, length in floats. */
  readonly partials: { readonly offset: number; readonly count: number };
}

/** Below this many floating-point operations, some microseconds, a call stays on one thread untried. */
const fewOperations = 5e5;

export class Executable {
  /** The WebAssembly kernels in use: for everything, or for what native kernels leave. */
  readonly arithmetic: Arithmetic;
  readonly #native: NativeKernels | undefined;
  readonly #bound: ReturnType<NativeKernels["bind"]> | undefined;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #axes: readonly Axis[];
  readonly #params: ReadonlyMap<string, PlacedParam>;
  readonly #paramEnd: number;
  readonly #memory: WebAssembly.Memory;
  readonly #pool: ThreadPool | undefined;
  readonly #mostThreads: number;
  #capacity: Record<Axis, number>;
  #placements = new Map<string, Placement>();
  #module: WebAssembly.Module | undefined;
  #instance: Instantiated | undefined;
  #loops: readonly Int32Array[] = [];
  #moduleBytes = 0;
  /** Its number in the pool, once a call has been large enough for threads. */
  #registered: number | undefined;
  /** By program and size: whether several threads have been faster than one. */
  readonly #paces = new Map<string, Pace>();

  constructor(
    programs: Readonly<Record<string, Program>>,
    { capacity = {}, strict = false, threads }: CompileOptions = {},
  ) {
    this.arithmetic = strict ? "plain" : bestArithmetic();
    this.#entries = new Map(Object.entries(programs).map(([name, program]) => [name, makeEntry(program)]));
    this.#axes = orderAxes([...this.#entries.values()].flatMap((entry) => entry.axes));
    this.#capacity = Object.fromEntries(this.#axes.map((axis) => [axis, capacity[axis] ?? 1]));
    const { params, end } = placeParams([...this.#entries.values()]);
    this.#params = params;
    this.#paramEnd = end;
    this.#pool = threads === 1 ? undefined : threadPool();
    this.#mostThreads = threads ?? Number.POSITIVE_INFINITY;
    this.#memory = createMemory(end, this.#pool !== undefined);
    this.#native = strict ? undefined : nativeKernels();
    this.#bound = this.#native?.bind(this.#memory);
    this.#compile();
  }

  /** Names and shapes of the parameters, in the order of their addresses. */
  get params(): ReadonlyMap<string, { readonly shape: readonly number[] }> {
    return this.#params;
  }

  /** Bytes of memory and of the compiled module, and what computes the products. */
  get footprint(): { readonly memoryBytes: number; readonly moduleBytes: number; readonly kernels: KernelSet } {
    const kernelSet: KernelSet = this.#native === undefined ? this.arithmetic : `native ${this.#native.instructionSet}`;
    return { memoryBytes: this.#memory.buffer.byteLength, moduleBytes: this.#moduleBytes, kernels: kernelSet };
  }

  /** A live view of a parameter. It is valid until the next call with larger sizes. */
  param(name: string): Float32Array<ArrayBuffer> {
    const found = this.#params.get(name);
    if (found === undefined) throw new InternalError(`no parameter "${name}"`);
    return this.#floats(found.address, product(found.shape));
  }

  /**
   * Runs a program: writes the inputs, computes the rows shard by shard (on several threads where it pays), adds up what the
   * shards have in common, and finishes. Read the results with `output` before the next call.
   * @throws ShapeError when an axis has no size, or an input is missing or does not have its size.
   */
  call(name: string, sizes: AxisSizes, inputs: Readonly<Record<string, Numbers>>): void {
    const entry = this.#entry(name);
    checkSizes(entry.axes, sizes);
    this.#ensure(sizes);
    const placement = this.#placements.get(name)!;
    const { programs, addTo } = this.#instance!;
    const shards = this.#shards(entry, sizes);
    for (let shard = 0; shard < shards; shard++) this.#feedShard(entry, placement, shard, shards, sizes, inputs);
    this.#runShards(name, entry, placement, shards, sizes);
    for (const [into, from] of sumTree(entry.whole === undefined ? 1 : shards)) {
      const at = (shard: number) => placement.shardBase + shard * placement.shardBytes + placement.partials.offset;
      addTo(at(into), at(from), placement.partials.count);
    }
    if (entry.whole === undefined) return;
    for (const [input, buffer] of Object.entries(entry.whole.plan.inputs)) {
      if (entry.partials.has(input)) continue;
      this.#write(entry.whole, placement, buffer, placement.wholeBase + placement.whole[buffer]!, input, inputs, sizes);
    }
    programs.get(`${name}.whole`)!(
      ...this.#axes.map((axis) => sizes[axis] ?? 1),
      placement.arenaBase,
      placement.wholeBase,
      0,
    );
  }

  /** Threads that would take part in a large call now, the calling one included. */
  get threadsReady(): number {
    if (this.#pool === undefined || this.#registered === undefined) return 1;
    return Math.min(this.#mostThreads, this.#pool.ready(this.#registered));
  }

  /** Makes room for these sizes now, so that views of parameters stay valid during calls of such sizes. */
  reserve(sizes: AxisSizes): void {
    this.#ensure(sizes);
  }

  /** Names of a program's outputs. */
  outputs(program: string): readonly string[] {
    return this.#entry(program).outputs;
  }

  /** A copy of an output of the program called last, as [batch, time, features]. */
  output(program: string, name: string, sizes: AxisSizes): Float32Array<ArrayBuffer> {
    const entry = this.#entry(program);
    const placement = this.#placements.get(program)!;
    const inWhole = entry.whole?.plan.outputs[name];
    if (entry.whole !== undefined && inWhole !== undefined) {
      const type = entry.whole.types.get(inWhole)!;
      const result = new Float32Array(elementCount(type, sizes));
      readTensor(this.#place(placement, placement.wholeBase + placement.whole[inWhole]!), result, 0, type, sizes);
      return result;
    }
    const buffer = entry.rows.plan.outputs[name];
    if (buffer === undefined) throw new InternalError(`program "${program}" has no output "${name}"`);
    const type = entry.rows.types.get(buffer)!;
    const result = new Float32Array(elementCount(type, sizes));
    const shards = type.axes.includes("batch") ? this.#shards(entry, sizes) : 1;
    for (let shard = 0; shard < shards; shard++) {
      const { first, own } = shardSizes(sizes, shards, shard);
      const address = placement.shardBase + shard * placement.shardBytes + placement.rows[buffer]!;
      const perRow = elementCount(type, { ...sizes, batch: 1 });
      readTensor(this.#place(placement, address), result, first * perRow, type, own);
    }
    return result;
  }

  /** The first element of an output: losses and norms. */
  scalar(program: string, name: string): number {
    return this.output(program, name, {})[0]!;
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new InternalError(`no program "${name}"`);
    return entry;
  }

  #shards({ splits }: Entry, sizes: AxisSizes): number {
    return splits ? shardCount(sizes["batch"] ?? 1) : 1;
  }

  #feedShard(
    entry: Entry,
    placement: Placement,
    shard: number,
    shards: number,
    sizes: AxisSizes,
    inputs: Readonly<Record<string, Numbers>>,
  ): void {
    const { first, own } = shardSizes(sizes, shards, shard);
    const base = placement.shardBase + shard * placement.shardBytes;
    for (const [input, buffer] of Object.entries(entry.rows.plan.inputs)) {
      this.#write(entry.rows, placement, buffer, base + placement.rows[buffer]!, input, inputs, sizes, { first, own });
    }
  }

  #write(
    part: Part,
    placement: Placement,
    buffer: BufferId,
    address: number,
    input: string,
    inputs: Readonly<Record<string, Numbers>>,
    sizes: AxisSizes,
    shard = { first: 0, own: sizes },
  ): void {
    const type = part.types.get(buffer)!;
    const given = inputs[input];
    if (given === undefined || given.length !== elementCount(type, sizes)) throw wrongInput(input, given, type, sizes);
    const perRow = type.axes.includes("batch") ? elementCount(type, { ...sizes, batch: 1 }) : 0;
    writeTensor(this.#place(placement, address), given, shard.first * perRow, type, shard.own);
  }

  #runShards(name: string, entry: Entry, placement: Placement, shards: number, sizes: AxisSizes): void {
    const program = this.#instance!.programs.get(name)!;
    const { arenaBase, arenaBytes, shardBase, shardBytes } = placement;
    const operations = operationsOf(entry.rows.plan, sizes);
    const ready = operations < fewOperations ? 1 : Math.min(shards, this.#threads(shards));
    const pace = ready === 1 ? undefined : this.#paceOf(name, operations);
    const threads = pace?.next() === true ? ready : 1;
    const own = () => {
      for (let shard = 0; shard < shards; shard += threads) {
        const { first, own: ownSizes } = shardSizes(sizes, shards, shard);
        program(...this.#axes.map((axis) => ownSizes[axis] ?? 1), arenaBase, shardBase + shard * shardBytes, first);
      }
    };
    const started = pace === undefined ? 0 : performance.now();
    if (threads === 1 || this.#pool === undefined || this.#registered === undefined) {
      own();
      pace?.record(false, performance.now() - started);
      return;
    }
    const axes = this.#axes.map((axis) => ({ axis, size: sizes[axis] ?? 1 }));
    const job = {
      model: this.#registered,
      program: name,
      axes,
      batch: sizes["batch"] ?? 1,
      shards,
      arenaBase,
      arenaBytes,
      shardBase,
      shardBytes,
    };
    this.#pool.run(job, threads, own);
    pace?.record(true, performance.now() - started);
  }

  /** Sizes of nearly the same work share what is known. */
  #paceOf(program: string, operations: number): Pace {
    const key = `${program} ${Math.round(2 * Math.log2(operations))}`;
    const known = this.#paces.get(key);
    if (known !== undefined) return known;
    const pace = new Pace();
    this.#paces.set(key, pace);
    return pace;
  }

  /** One thread while the workers are still compiling. */
  #threads(shards: number): number {
    if (this.#pool === undefined || shards === 1) return 1;
    if (this.#registered === undefined) {
      const programs = [...this.#entries.keys()];
      this.#registered = this.#pool.register({
        module: this.#module!,
        kernels: kernels(this.arithmetic, true),
        memory: this.#memory,
        programs,
        native: this.#native?.path,
        loops: this.#loops,
      });
      forgetWithOwner.register(this, { pool: this.#pool, model: this.#registered }, this);
    }
    return this.threadsReady;
  }

  #ensure(sizes: AxisSizes): void {
    const grown = this.#axes.filter((axis) => (sizes[axis] ?? 1) > this.#capacity[axis]!);
    if (grown.length === 0) return;
    this.#capacity = { ...this.#capacity, ...Object.fromEntries(grown.map((axis) => [axis, sizeOf(axis, sizes)])) };
    this.#compile();
  }

  #compile(): void {
    this.#leavePool();
    const batch = this.#capacity["batch"] ?? 1;
    const arenas = Math.min(this.#pool?.size ?? 1, shardCount(batch));
    let end = this.#paramEnd;
    const emitted = [...this.#entries].flatMap(([name, entry]) => {
      const rowCapacity = entry.splits ? { ...this.#capacity, batch: largestShard(batch) } : this.#capacity;
      const rows = planMemory(entry.rows.plan, rowCapacity, this.#placedParams(entry.rows));
      const shardBase = this.#paramEnd;
      // The largest number of shards of any batch up to the capacity is that of the capacity.
      const arenaBase = shardBase + (entry.splits ? shardCount(batch) : 1) * rows.shardBytes;
      const partials = partialRun(entry, rows.addresses, rows.shardBytes);
      const wholeParams = entry.whole === undefined ? new Map<BufferId, number>() : this.#placedParams(entry.whole);
      // The sums of all shards lie where shard 0 had its own.
      const summed = new Map(
        [...entry.partials].flatMap(([partial, output]) => {
          const input = entry.whole?.plan.inputs[partial];
          return input === undefined ? [] : [[input, shardBase + rows.addresses[output]!] as const];
        }),
      );
      const whole =
        entry.whole === undefined
          ? undefined
          : planMemory(entry.whole.plan, this.#capacity, new Map([...wholeParams, ...summed]));
      const arenaBytes = Math.max(rows.arenaBytes, 0);
      const wholeArena = whole?.arenaBytes ?? 0;
      const staging = [...entry.rows.types.values()].map((type) => stagingBytes(type, rowCapacity));
      const wholeStaging = [...(entry.whole?.types.values() ?? [])].map((type) => stagingBytes(type, this.#capacity));
      const room = Math.max((entry.splits ? arenas : 1) * arenaBytes, wholeArena, ...staging, ...wholeStaging);
      const wholeBase = arenaBase + Math.ceil(room / 64) * 64;
      end = Math.max(end, wholeBase + (whole?.shardBytes ?? 0));
      this.#placements.set(name, {
        rows: rows.addresses,
        whole: whole?.addresses ?? [],
        arenaBytes,
        shardBytes: rows.shardBytes,
        arenaBase,
        shardBase,
        wholeBase,
        partials,
      });
      const programs = [{ name, plan: entry.rows.plan, addresses: rows.addresses, absolute: new Set<BufferId>() }];
      if (entry.whole !== undefined && whole !== undefined) {
        programs.push({
          name: `${name}.whole`,
          plan: entry.whole.plan,
          addresses: whole.addresses,
          absolute: new Set(summed.keys()),
        });
      }
      return programs;
    });
    growMemory(this.#memory, end);
    const shared = this.#pool !== undefined;
    const { bytes, loops } = emitModule(emitted, this.#axes, { shared, nativeLoops: this.#native?.wide ?? false });
    this.#loops = loops;
    this.#bound?.rebind();
    this.#moduleBytes = bytes.length;
    this.#module = new WebAssembly.Module(bytes);
    const native = this.#bound === undefined ? {} : nativeImports(this.#bound, loops);
    this.#instance = instantiate(this.#module, this.#memory, kernels(this.arithmetic, shared), native);
  }

  #placedParams({ plan }: Part): Map<BufferId, number> {
    return new Map(Object.entries(plan.params).map(([param, buffer]) => [buffer, this.#params.get(param)!.address]));
  }

  #leavePool(): void {
    if (this.#registered === undefined) return;
    forgetWithOwner.unregister(this);
    this.#pool?.unregister(this.#registered);
    this.#registered = undefined;
  }

  /** A tensor's place between calls, when nothing lies in the arena. */
  #place({ arenaBase }: Placement, address: number): Place {
    return {
      floats: (at, length) => this.#floats(at, length),
      address,
      staging: arenaBase,
      turn: this.#instance!.turn,
    };
  }

  #floats(address: number, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#memory.buffer as ArrayBuffer, address, length); // Shared or not, it is used alike.
  }
}

/** Workers forget a model when nobody holds it any more. */
const forgetWithOwner = new FinalizationRegistry<{ readonly pool: ThreadPool; readonly model: number }>(
  ({ pool, model }) => pool.unregister(model),
);

function shardSizes(
  sizes: AxisSizes,
  shards: number,
  shard: number,
): { readonly first: number; readonly own: AxisSizes } {
  if (shards === 1) return { first: 0, own: sizes };
  const { first, rows } = shardRows(sizes["batch"] ?? 1, shards, shard);
  return { first, own: { ...sizes, batch: rows } };
}

/** Partial sums are outputs of the rows, made one after the other, so they lie in one run. */
function partialRun(entry: Entry, addresses: readonly number[], shardBytes: number): Placement["partials"] {
  const starts = [...entry.partials.values()].map((buffer) => addresses[buffer]!);
  if (starts.length === 0) return { offset: 0, count: 0 };
  const offset = Math.min(...starts);
  const behind = addresses.filter(
    (address, buffer) => entry.rows.plan.buffers[buffer]!.role === "input" && address > offset,
  );
  return { offset, count: (Math.min(shardBytes, ...behind) - offset) / 4 };
}

function checkSizes(axes: readonly Axis[], sizes: AxisSizes): void {
  for (const axis of axes) {
    const size = sizes[axis];
    if (size !== undefined && Number.isInteger(size) && size >= 0) continue;
    throw new ShapeError({
      where: `the size of axis "${axis}"`,
      given: size === undefined ? "missing" : String(size),
      expected: "a whole number, 0 or more",
      mend: `give every batch the sizes of ${axes.map((name) => `"${name}"`).join(" and ")}`,
    });
  }
}

function wrongInput(name: string, given: Numbers | undefined, type: TensorType, sizes: AxisSizes): ShapeError {
  const concrete = [...type.axes.map((axis) => `${axis} ${sizeOf(axis, sizes)}`), ...type.shape].join(", ");
  return new ShapeError({
    where: `input "${name}"`,
    given: given === undefined ? "missing" : `${given.length} numbers`,
    expected: `${elementCount(type, sizes)} numbers, [${concrete}]`,
    mend: `feed ${formatType(type)}, batch outermost and features next to each other`,
  });
}
