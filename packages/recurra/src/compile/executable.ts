/** Programs compiled to WebAssembly over one memory, each when it is first called: parameters stay, inputs go in, outputs come out. */
import {
  bestArithmetic,
  createMemory,
  growMemory,
  type Instantiated,
  kernels,
  wholePages,
} from "../backends/wasm/code/instantiate.ts";
import { InternalError, OptionError } from "../base/errors.ts";
import { type Axis, type AxisSizes, product } from "../base/shapes.ts";
import type { Program } from "../ir/nodes.ts";
import { CompiledProgram, mostMemory, tooLong } from "./compiled.ts";
import { type PlacedParam, paramsOf, placeParams } from "./entry.ts";
import { orderOf, writeInputs } from "./given.ts";
import { type KernelSet, nativeKernels } from "./native.ts";
import { type CalledOrder, readOutput } from "./outputs.ts";
import { Pace } from "./pace.ts";
import type { Segments } from "./placement.ts";
import { type SizedCall, shardsOf } from "./sized.ts";
import { alone, Several, type Team } from "./team.ts";
import type { Numbers } from "./tensors.ts";
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

/** Below this many floating-point operations, some microseconds, a call stays on one thread untried. */
const fewOperations = 5e5;

export class Executable {
  readonly #programs: ReadonlyMap<string, CompiledProgram>;
  readonly #params: ReadonlyMap<string, PlacedParam>;
  readonly #paramEnd: number;
  readonly #memory: WebAssembly.Memory;
  readonly #kernelSet: KernelSet;
  readonly #pool: ThreadPool | undefined;
  readonly #mostThreads: number;
  /** All of the memory; another view when that has grown. */
  #floats: Float32Array<ArrayBuffer>;
  /** By program and size: whether several threads have been faster than one. */
  readonly #paces = new Map<string, Pace>();
  /** Whose prepared values lie in memory and still follow from the parameters; a program compiled again has another. */
  #prepared: Instantiated | undefined;

  /** With `params`, each program is read when it is first needed: they may be getters. */
  constructor(programs: Readonly<Record<string, Program>>, options: CompileOptions = {}) {
    const { strict = false, native = true, threads, memoryLimit, inSegments = () => undefined } = options;
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
    this.#floats = floatsOf(this.#memory);
    const kernelsInC = strict || !native ? undefined : nativeKernels();
    // Which arithmetic the engine has is asked for where it counts.
    const arithmetic = strict ? "plain" : kernelsInC === undefined ? bestArithmetic() : undefined;
    this.#kernelSet = arithmetic ?? `native ${kernelsInC!.instructionSet}`;
    const ownKernels = () => kernels(arithmetic, shared);
    // An engine that does not take them is refused at once.
    if (kernelsInC === undefined) ownKernels();
    const surroundings = {
      memory: this.#memory,
      kernels: ownKernels,
      native: kernelsInC,
      pool: this.#pool,
      ground: {
        params,
        paramEnd: end,
        threads: this.#pool?.size ?? 1,
        runsSteps: kernelsInC?.loops === "compiled",
        most: limit.most,
      },
      limit,
      grow: (bytes: number) => {
        growMemory(this.#memory, bytes);
        this.#floats = floatsOf(this.#memory);
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

  /**
   * What calls of these sizes would take, were they the largest; nothing is compiled and no memory is taken.
   * @throws ShapeError when an axis has no size, UnsupportedError when they would not fit.
   */
  plan(sizes: AxisSizes): Planned {
    const programs = [...this.#programs].map(([name, program]) => {
      return { name, ...program.plan(sizes) };
    });
    const layouts = programs.map(({ layout }) => layout);
    const placements = programs.map(({ placement }) => placement);
    const shards = programs.map(({ entry }) => shardsOf(entry, sizes, false));
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
    this.changeParam(name, (own) => own.set(values));
  }

  /** Lets `change` write the values of a parameter where they lie. They begin as zeros. */
  changeParam(name: string, change: (values: Float32Array) => void): void {
    change(this.#param(name));
    this.#prepared = undefined;
  }

  /** Parameters are written by `changeParam` only: it notices that what follows from them is to be made again. */
  get memory(): WebAssembly.Memory {
    return this.#memory;
  }

  /**
   * Runs a program: writes the inputs (`scalars` are those of one number), computes the rows shard by shard (on several threads where it pays), adds up what the
   * shards have in common, and finishes. Read the results with `output` before the next call.
   * @throws ShapeError when an axis has no size, or an input is missing or does not have its size.
   */
  call(
    name: string,
    sizes: AxisSizes,
    inputs: Readonly<Record<string, Numbers>>,
    scalars: Readonly<Record<string, number>> = {},
  ): void {
    const program = this.#known(name);
    const call = program.sized(sizes);
    const room = program.room(this.#floats);
    const order = call.packing === undefined ? undefined : orderOf(call.packing, call.shards.length, sizes, inputs);
    const given = { sizes, inputs, scalars, order };
    const pace = this.#pool === undefined ? undefined : this.#paceOf(name, program, call, order);
    const together = pace?.next() ?? false;
    const started = pace === undefined ? 0 : performance.now();
    const team = together ? new Several(name, program, this.#pool!, this.#threads(program)) : alone;
    program.called = { shards: team.shardsOf(call).length, order };
    this.#prepare(program, call, team);
    writeInputs(room, call.writes, given);
    team.rows(room, call, given);
    if (call.whole !== undefined) {
      team.sum(call);
      team.stages(call.whole);
    }
    pace?.record(together, performance.now() - started);
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
    const compiled = this.#known(program);
    return readOutput(compiled.room(this.#floats), compiled.placed, compiled.called, name, sizes);
  }

  /** The first element of an output of the program called last: losses and norms. */
  scalar(program: string, name: string): number {
    return this.#floats[this.#known(program).firstOf(name)]!;
  }

  #prepare({ instance, placed: { entry } }: CompiledProgram, call: SizedCall, team: Team): void {
    if (call.prepare !== undefined && this.#prepared !== instance) team.stages(call.prepare);
    this.#prepared = entry.prepared?.lasts === true ? instance : undefined;
  }

  #param(name: string): Float32Array<ArrayBuffer> {
    const found = this.#params.get(name);
    if (found === undefined) throw new InternalError(`no parameter "${name}"`);
    const from = found.address / 4;
    return this.#floats.subarray(from, from + product(found.shape));
  }

  #known(name: string): CompiledProgram {
    const found = this.#programs.get(name);
    if (found === undefined) throw new InternalError(`no program "${name}"`);
    return found;
  }

  /** What is known of calls of this size; undefined where they stay on one thread. Sizes of nearly the same work share it. */
  #paceOf(name: string, program: CompiledProgram, call: SizedCall, order: CalledOrder | undefined): Pace | undefined {
    if (!call.isShared) return undefined;
    const operations = call.operations(order?.packedRows);
    if (operations < fewOperations || this.#threads(program) === 1) return undefined;
    const key = `${name} ${Math.round(2 * Math.log2(operations))}`;
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
}

function floatsOf(memory: WebAssembly.Memory): Float32Array<ArrayBuffer> {
  return new Float32Array(memory.buffer as ArrayBuffer); // Shared or not, it is used alike.
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
