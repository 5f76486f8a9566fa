/** Programs compiled to WebAssembly over one memory, each when it is first called: parameters stay, inputs go in, outputs come out. */
import {
  bestArithmetic,
  createMemory,
  growMemory,
  type Instantiated,
  kernels,
  wholePages,
} from "../backends/wasm/instantiate.ts";
import type { BufferId } from "../backends/wasm/plan.ts";
import type { Arithmetic } from "../backends/wasm/tile.ts";
import { InternalError, OptionError, ShapeError } from "../base/errors.ts";
import { isPackedType } from "../base/packing.ts";
import {
  type Axis,
  type AxisSizes,
  elementCount,
  formatType,
  product,
  sizeOf,
  type TensorType,
} from "../base/shapes.ts";
import type { Program } from "../ir/nodes.ts";
import { CompiledProgram, mostMemory, tooLong } from "./compiled.ts";
import {
  type Entry,
  operationsOf,
  type Part,
  type PlacedParam,
  paramsOf,
  placeParams,
  withPackedSizes,
} from "./entry.ts";
import { type KernelSet, type NativeKernels, nativeKernels } from "./native.ts";
import { Pace } from "./pace.ts";
import type { Placement, Segments } from "./placement.ts";
import { orderRows, type ShardOrder } from "./rowOrder.ts";
import { rowsAlone, shardCount } from "./shards.ts";
import { isWorthSharing, shardSizes, Team } from "./team.ts";
import {
  type Numbers,
  type Place,
  readPacked,
  readSorted,
  readTensor,
  writePacked,
  writeSorted,
  writeTensor,
} from "./tensors.ts";
import { type ThreadPool, threadPool } from "./threads.ts";

export interface CompileOptions {
  /** Only plain multiply-adds: the same bits on every machine. Default false: relaxed multiply-adds where the engine has them. */
  readonly strict?: boolean;
  /** Native kernels where they are. Default true; false compares WebAssembly with them. */
  readonly native?: boolean;
  /** At most this many threads. The result has the same bits for any number. Default: one per processor, or RECURRA_THREADS. */
  readonly threads?: number;
  /**
   * Bytes that parameters and the largest program may take. A program that would take more is used in segments, where
   * `inSegments` has it so. Default 4 GiB, which is all that WebAssembly can address, and segments from 2 GiB on.
   */
  readonly memoryLimit?: number;
  /** Names and shapes of all that the programs read or change. Default: they are looked through, and so have to be there at once. */
  readonly params?: ReadonlyMap<string, readonly number[]>;
  /** Names for parts of them, which can be read and written by themselves. */
  readonly parts?: ReadonlyMap<string, ParamPart>;
  /** The programs cut into segments along an axis; undefined when they cannot be. Asked for when the plain ones do not fit. */
  readonly inSegments?: (axis: Axis) => Readonly<Record<string, Program>> | undefined;
}

/** `count` numbers of the parameter `of`, from `offset` on. */
export interface ParamPart {
  readonly of: string;
  readonly offset: number;
  readonly count: number;
}

export interface Footprint {
  /** Of the whole memory. A program takes its part when it is first called. */
  readonly memoryBytes: number;
  /** Of the temporaries of the program that needs most, all threads together. */
  readonly arenaBytes: number;
  /** Of the modules of the programs called so far. */
  readonly moduleBytes: number;
  readonly kernels: KernelSet;
  /** Set when a program did not fit otherwise: it keeps the states at the borders of segments and computes the rest again. */
  readonly segments: Segments | undefined;
}

/** What calls of some sizes take. */
export interface Planned {
  /** Parameters with all that the optimizer keeps beside them. */
  readonly weightBytes: number;
  /** Of the temporaries of the program that needs most, all threads together. */
  readonly arenaBytes: number;
  /** Of the whole memory. */
  readonly memoryBytes: number;
  /** Undefined when all that the gradient needs is kept; otherwise it is computed again, segment by segment. */
  readonly segments: Segments | undefined;
  readonly kernels: KernelSet;
  /** At most; a call stays on one where that is faster. */
  readonly threads: number;
  /** Of the matrix products of a call, by program; of padding too. */
  readonly multiplyAdds: Readonly<Record<string, number>>;
}

export type { Numbers };

/** Without a limit of the caller's, values of long sequences are computed again rather than kept in more than half of it. */
const enoughMemory = mostMemory / 2;

/** How a packed program that was called held its rows. */
interface CalledOrder {
  readonly shards: readonly ShardOrder[];
  readonly steps: number;
}

/** Below this many floating-point operations, some microseconds, a call stays on one thread untried. */
const fewOperations = 5e5;

export class Executable {
  /** The WebAssembly kernels in use: for everything, or for what native kernels leave. */
  readonly arithmetic: Arithmetic;
  readonly #programs: ReadonlyMap<string, CompiledProgram>;
  readonly #params: ReadonlyMap<string, PlacedParam>;
  readonly #paramEnd: number;
  readonly #memory: WebAssembly.Memory;
  readonly #native: NativeKernels | undefined;
  readonly #pool: ThreadPool | undefined;
  readonly #mostThreads: number;
  readonly #orders = new Map<string, CalledOrder>();
  /** Of any program: they share the memory. */
  #turn: Pick<Place, "turn" | "turnIn"> | undefined;
  /** How many shards the last call of each program had. */
  readonly #called = new Map<string, number>();
  /** By program and size: whether several threads have been faster than one. */
  readonly #paces = new Map<string, Pace>();
  /** Whose prepared values lie in memory and still follow from the parameters; a program compiled again has another. */
  #prepared: Instantiated | undefined;

  /** With `params`, each program is read when it is first needed: they may be getters. */
  constructor(programs: Readonly<Record<string, Program>>, options: CompileOptions = {}) {
    const { strict = false, native = true, threads, memoryLimit, inSegments = () => undefined } = options;
    this.arithmetic = strict ? "plain" : bestArithmetic();
    if (memoryLimit !== undefined) checkLimit(memoryLimit);
    const limit = { wanted: memoryLimit ?? enoughMemory, most: memoryLimit ?? mostMemory };
    const { params, end } = placeParams(options.params ?? paramsOf(Object.values(programs)));
    if (end > limit.most) throw tooLong({ end, segments: undefined }, {}, limit.most);
    const parts = [...(options.parts ?? [])].map(
      ([name, { of, offset, count }]) =>
        [name, { address: params.get(of)!.address + 4 * offset, shape: [count] }] as const,
    );
    this.#params = new Map([...params, ...parts]);
    this.#paramEnd = end;
    this.#pool = threads === 1 ? undefined : threadPool();
    this.#mostThreads = threads ?? Number.POSITIVE_INFINITY;
    const shared = this.#pool !== undefined;
    this.#memory = createMemory(end, shared);
    this.#native = strict || !native ? undefined : nativeKernels();
    const surroundings = {
      memory: this.#memory,
      kernels: kernels(this.#native === undefined ? this.arithmetic : undefined, shared),
      native: this.#native,
      pool: this.#pool,
      ground: { params, paramEnd: end, threads: this.#pool?.size ?? 1 },
      limit,
      grow: (bytes: number) => {
        growMemory(this.#memory, bytes);
        for (const program of this.#programs.values()) program.rebind();
      },
    };
    const cuts = new Map<Axis, Readonly<Record<string, Program>> | undefined>();
    const cut = (axis: Axis) => {
      if (!cuts.has(axis)) cuts.set(axis, inSegments(axis));
      return cuts.get(axis);
    };
    this.#programs = new Map(
      Object.keys(programs).map((name) => [
        name,
        new CompiledProgram(
          name,
          () => programs[name]!,
          (axis) => cut(axis)?.[name],
          surroundings,
        ),
      ]),
    );
  }

  /** Names and shapes of the parameters, and of their parts. */
  get params(): ReadonlyMap<string, { readonly shape: readonly number[] }> {
    return this.#params;
  }

  get footprint(): Footprint {
    const compiled = [...this.#programs.values()].filter((program) => program.isCompiled);
    const arenas = compiled.map(({ placed: { placement } }) => placement.wholeBase - placement.arenaBase);
    return {
      memoryBytes: this.#memory.buffer.byteLength,
      arenaBytes: Math.max(0, ...arenas),
      moduleBytes: compiled.reduce((sum, { moduleBytes }) => sum + moduleBytes, 0),
      kernels: this.#kernelSet,
      segments: compiled.find(({ layout }) => layout?.segments !== undefined)?.layout?.segments,
    };
  }

  get #kernelSet(): KernelSet {
    return this.#native === undefined ? this.arithmetic : `native ${this.#native.instructionSet}`;
  }

  /**
   * What calls of these sizes would take, were they the largest; nothing is compiled and no memory is taken.
   * @throws ShapeError when an axis has no size, UnsupportedError when they would not fit.
   */
  plan(sizes: AxisSizes): Planned {
    const programs = [...this.#programs].map(([name, program]) => {
      checkSizes(program.axes, sizes);
      return { name, ...program.plan(sizes) };
    });
    const layouts = programs.map(({ layout }) => layout);
    const placements = programs.map(({ placement }) => placement);
    const shards = programs.map(({ entry }) => this.#shards(entry, sizes));
    return {
      weightBytes: this.#paramEnd,
      arenaBytes: Math.max(...placements.map(({ wholeBase, arenaBase }) => wholeBase - arenaBase)),
      memoryBytes: wholePages(Math.max(...layouts.map(({ end }) => end))),
      segments: layouts.find(({ segments }) => segments !== undefined)?.segments,
      kernels: this.#kernelSet,
      threads: Math.min(this.#mostThreads, this.#pool?.size ?? 1, Math.max(...shards)),
      multiplyAdds: Object.fromEntries(programs.map(({ name, multiplyAdds }) => [name, multiplyAdds])),
    };
  }

  /** Of a program with lengths: the axis whose padding costs nothing, or why all steps of all rows are computed. */
  packing(program: string): { readonly axis: Axis } | { readonly reason: string } {
    const { rows, notPacked } = this.#known(program).entry;
    return rows.packing === undefined ? { reason: notPacked } : { axis: rows.packing.axis };
  }

  /** A copy of a parameter. */
  readParam(name: string): Float32Array<ArrayBuffer> {
    return this.#param(name).slice();
  }

  writeParam(name: string, values: ArrayLike<number>): void {
    this.#param(name).set(values);
    this.#prepared = undefined;
  }

  /** Parameters are written by `writeParam` only: it notices that what follows from them is to be made again. */
  get memory(): WebAssembly.Memory {
    return this.#memory;
  }

  /**
   * Runs a program: writes the inputs, computes the rows shard by shard (on several threads where it pays), adds up what the
   * shards have in common, and finishes. Read the results with `output` before the next call.
   * @throws ShapeError when an axis has no size, or an input is missing or does not have its size.
   */
  call(name: string, sizes: AxisSizes, inputs: Readonly<Record<string, Numbers>>): void {
    const program = this.#known(name);
    checkSizes(program.axes, sizes);
    program.ensure(sizes);
    const { entry, placement } = program.placed;
    this.#turn = { turn: program.instance.turn, turnIn: program.turnIn };
    const most = this.#shards(entry, sizes);
    this.#orderRows(name, entry, most, sizes, inputs);
    const { team, done } = this.#team(name, program, most, sizes);
    const shards = team.isAlone ? this.#shards(entry, sizes, true) : most;
    this.#called.set(name, shards);
    this.#prepare(name, program, team, sizes);
    team.rows(name, shards, sizes, (shard) => this.#feedShard(name, entry, placement, shard, shards, sizes, inputs));
    if (entry.whole !== undefined) {
      team.sum(shards);
      for (const [input, buffer] of Object.entries(entry.whole.plan.inputs)) {
        if (entry.partials.has(input)) continue;
        const address = placement.wholeBase + placement.whole[buffer]!;
        this.#write(entry.whole, placement, buffer, address, input, inputs, sizes);
      }
      team.stages(`${name}.whole`, entry.whole.plan, sizes, placement.wholeBase);
    }
    done();
  }

  /** Threads that would take part in a large call now, the calling one included. */
  get threadsReady(): number {
    const ready = [...this.#programs.values()].flatMap(({ threadsReady }) => threadsReady ?? []);
    return ready.length === 0 ? 1 : Math.min(this.#mostThreads, ...ready);
  }

  /** Makes room for these sizes now, so that no call of such sizes compiles again. */
  reserve(sizes: AxisSizes): void {
    for (const program of this.#programs.values()) program.ensure(sizes);
  }

  /** Names of a program's outputs. */
  outputs(program: string): readonly string[] {
    return this.#known(program).outputs;
  }

  /** A copy of an output of the program called last, as [batch, time, features]. */
  output(program: string, name: string, sizes: AxisSizes): Float32Array<ArrayBuffer> {
    const { entry, placement } = this.#known(program).placed;
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
    const shards = type.axes.includes("batch") ? this.#called.get(program)! : 1;
    const called = type.axes.includes("batch") ? this.#orders.get(program) : undefined;
    for (let shard = 0; shard < shards; shard++) {
      const { first, own } = shardSizes(sizes, shards, shard);
      const address = placement.shardBase + shard * placement.shardBytes + placement.rows[buffer]!;
      const order = called?.shards[shard];
      if (called !== undefined && order !== undefined && isPackedType(type, entry.rows.packing!.axis)) {
        const features = product(type.shape);
        readPacked(this.#place(placement, address), result, called.steps, order, features);
        continue;
      }
      const perRow = elementCount(type, { ...sizes, batch: 1 });
      if (order !== undefined) readSorted(this.#floats(address, elementCount(type, own)), result, order, type, own);
      else readTensor(this.#place(placement, address), result, first * perRow, type, own);
    }
    return result;
  }

  /** The first element of an output: losses and norms. */
  scalar(program: string, name: string): number {
    return this.output(program, name, {})[0]!;
  }

  #prepare(name: string, { instance, placed }: CompiledProgram, team: Team, sizes: AxisSizes): void {
    const { prepared } = placed.entry;
    if (prepared !== undefined && this.#prepared !== instance) team.stages(`${name}.prepare`, prepared.plan, sizes, 0);
    this.#prepared = prepared?.lasts === true ? instance : undefined;
  }

  #param(name: string): Float32Array<ArrayBuffer> {
    const found = this.#params.get(name);
    if (found === undefined) throw new InternalError(`no parameter "${name}"`);
    return this.#floats(found.address, product(found.shape));
  }

  #known(name: string): CompiledProgram {
    const found = this.#programs.get(name);
    if (found === undefined) throw new InternalError(`no program "${name}"`);
    return found;
  }

  #shards({ splits, freeRows, rowsPerShard }: Entry, sizes: AxisSizes, alone = false): number {
    if (!splits) return 1;
    const batch = sizes["batch"] ?? 1;
    if (!alone || !freeRows) return shardCount(batch, rowsPerShard);
    const rows = rowsAlone(rowsPerShard);
    return shardCount(batch, rows, rows);
  }

  /** Sorts the rows of a packed program, for this call and for reading its outputs. */
  #orderRows(
    name: string,
    { rows: { packing } }: Entry,
    shards: number,
    sizes: AxisSizes,
    inputs: Readonly<Record<string, Numbers>>,
  ): void {
    this.#orders.delete(name);
    if (packing === undefined) return;
    const given = inputs[packing.lengths];
    const type = { axes: ["batch"], shape: [1] };
    if (given === undefined || given.length !== elementCount(type, sizes))
      throw wrongInput(packing.lengths, given, type, sizes);
    const steps = sizeOf(packing.axis, sizes);
    this.#orders.set(name, { shards: orderRows(given, steps, shards), steps });
  }

  #feedShard(
    name: string,
    entry: Entry,
    placement: Placement,
    shard: number,
    shards: number,
    sizes: AxisSizes,
    inputs: Readonly<Record<string, Numbers>>,
  ): void {
    const { first, own } = shardSizes(sizes, shards, shard);
    const base = placement.shardBase + shard * placement.shardBytes;
    const order = this.#orders.get(name)?.shards[shard];
    const { packed } = entry.rows.plan;
    if (order !== undefined && packed !== undefined) {
      const { firstRows, positions, packedRows } = order;
      this.#ints(base + placement.rows[packed.steps]!, firstRows.length + 2).set([packedRows, firstRows.length - 1]);
      this.#ints(base + placement.rows[packed.steps]! + 8, firstRows.length).set(firstRows);
      this.#ints(base + placement.rows[packed.positions]!, positions.length).set(positions);
    }
    for (const [input, buffer] of Object.entries(entry.rows.plan.inputs)) {
      const rows = { first, own, order };
      this.#write(entry.rows, placement, buffer, base + placement.rows[buffer]!, input, inputs, sizes, rows);
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
    shard: ShardRows = { first: 0, own: sizes, order: undefined },
  ): void {
    const type = part.types.get(buffer)!;
    const given = inputs[input];
    if (given === undefined || given.length !== elementCount(type, sizes)) throw wrongInput(input, given, type, sizes);
    const { order } = shard;
    if (order !== undefined && part.packing !== undefined && isPackedType(type, part.packing.axis)) {
      const features = product(type.shape);
      const steps = sizeOf(part.packing.axis, sizes);
      writePacked(this.#place(placement, address), given, steps, order, features);
      return;
    }
    const perRow = type.axes.includes("batch") ? elementCount(type, { ...sizes, batch: 1 }) : 0;
    if (order !== undefined && perRow > 0)
      writeSorted(this.#floats(address, elementCount(type, shard.own)), given, order, type, shard.own);
    else writeTensor(this.#place(placement, address), given, shard.first * perRow, type, shard.own);
  }

  /** The threads of a call; `done` ends its measurement. */
  #team(name: string, program: CompiledProgram, shards: number, sizes: AxisSizes): { team: Team; done: () => void } {
    const { entry } = program.placed;
    const operations = this.#operations(name, entry, program.sizes(sizes));
    const inEachCall = [entry.prepared?.lasts === false ? entry.prepared.plan : undefined, entry.whole?.plan];
    const shared = shards > 1 || isWorthSharing(inEachCall);
    const ready = operations < fewOperations || !shared ? 1 : this.#threads(program);
    if (ready === 1) return { team: new Team(program, undefined, 1), done: () => undefined };
    const pace = this.#paceOf(name, operations);
    const together = pace.next();
    const started = performance.now();
    return {
      team: new Team(program, this.#pool, together ? ready : 1),
      done: () => pace.record(together, performance.now() - started),
    };
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
  #threads(program: CompiledProgram): number {
    if (this.#pool === undefined) return 1;
    return Math.min(this.#mostThreads, this.#pool.ready(program.join(this.#pool)));
  }

  #operations(name: string, { rows: { plan, packing } }: Entry, sizes: AxisSizes): number {
    const packedRows = this.#orders.get(name)?.shards.reduce((sum, shard) => sum + shard.packedRows, 0);
    return operationsOf(plan, withPackedSizes(sizes, packing, packedRows));
  }

  /** A tensor's place between calls, when nothing lies in the arena. */
  #place({ arenaBase }: Placement, address: number): Place {
    return {
      floats: (at, length) => this.#floats(at, length),
      address,
      staging: arenaBase,
      ...this.#turn!,
    };
  }

  #ints(address: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, address, length);
  }

  #floats(address: number, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#memory.buffer as ArrayBuffer, address, length); // Shared or not, it is used alike.
  }
}

/** The part of a batch that a shard holds: rows behind each other, or these in their order. */
interface ShardRows {
  readonly first: number;
  readonly own: AxisSizes;
  readonly order: ShardOrder | undefined;
}

function checkLimit(limit: number): void {
  if (limit > 0 && limit <= mostMemory) return;
  throw new OptionError({
    where: "memoryLimit",
    given: String(limit),
    expected: "bytes, above 0 and at most 4294967296 (4 GiB)",
    mend: "WebAssembly addresses no more than 4 GiB",
  });
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
