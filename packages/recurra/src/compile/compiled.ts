/** One program of an executable: planned, emitted and compiled when it is first called, and again for larger sizes. */
import { type Instantiated, instantiate } from "../backends/wasm/code/instantiate.ts";
import { emitModule, exportsOf } from "../backends/wasm/emit/module.ts";
import { ShapeError, UnsupportedError } from "../base/errors.ts";
import type { Axis, AxisSizes } from "../base/shapes.ts";
import type { Program } from "../ir/nodes.ts";
import { axesOf, type Entry, makeEntry, operationsOf, withPackedSizes } from "./entry.ts";
import { type BoundKernels, type NativeKernels, nativeImports } from "./native.ts";
import { type Called, firstOf } from "./outputs.ts";
import { type Ground, inSegments, type Layout, layOut, type PlacedProgram } from "./placement.ts";
import { SizedCall } from "./sized.ts";
import type { Room } from "./tensors.ts";
import type { ThreadPool } from "./threads.ts";

/** WebAssembly's addresses have 32 bits. */
export const mostMemory = 2 ** 32;

/** Sizes that are remembered: sequences may come in many lengths. */
const mostSized = 64;

/** What the programs of an executable share. */
export interface Surroundings {
  readonly memory: WebAssembly.Memory;
  readonly kernels: () => WebAssembly.Module;
  readonly native: NativeKernels | undefined;
  readonly pool: ThreadPool | undefined;
  readonly ground: Ground;
  /** Bytes: from `wanted` on a program is used in segments, more than `most` it may not take. */
  readonly limit: { readonly wanted: number; readonly most: number };
  /** Makes the memory at least this long, for all programs. */
  readonly grow: (bytes: number) => void;
}

export class CompiledProgram {
  readonly #name: string;
  readonly #program: () => Program;
  readonly #inSegments: (axis: Axis) => Program | undefined;
  readonly #around: Surroundings;
  readonly #bound: BoundKernels | undefined;
  readonly #cuts = new Map<Axis, Entry | undefined>();
  #axes: readonly Axis[] | undefined;
  #plain: Entry | undefined;
  #capacity: AxisSizes | undefined;
  #layout: Layout | undefined;
  #placed: PlacedProgram | undefined;
  #module: WebAssembly.Module | undefined;
  #instance: Instantiated | undefined;
  #room: Room | undefined;
  readonly #firsts = new Map<string, number>();
  #loops: readonly Int32Array[] = [];
  #moduleBytes = 0;
  /** Its number in the pool, once a call has been large enough for threads. */
  #registered: number | undefined;
  /** By the sizes of `axes`. */
  readonly #sized = new Map<string, SizedCall>();
  #last: SizedCall | undefined;
  /** How it was called last. */
  called: Called | undefined;

  constructor(
    name: string,
    program: () => Program,
    inSegments: (axis: Axis) => Program | undefined,
    surroundings: Surroundings,
  ) {
    this.#name = name;
    this.#program = program;
    this.#inSegments = inSegments;
    this.#around = surroundings;
    this.#bound = surroundings.native?.bind(surroundings.memory);
  }

  /** Those that callers give sizes for. */
  get axes(): readonly Axis[] {
    this.#axes ??= axesOf(this.#program());
    return this.#axes;
  }

  get outputs(): readonly string[] {
    return Object.keys(this.#program().outputs);
  }

  /** As it is used: the plain form, or in segments. */
  get entry(): Entry {
    return this.#layout === undefined ? this.#plainEntry() : this.placed.entry;
  }

  /** There once it has been compiled, see `isCompiled`. */
  get placed(): PlacedProgram {
    return this.#placed!;
  }

  get instance(): Instantiated {
    return this.#instance!;
  }

  get isCompiled(): boolean {
    return this.#layout !== undefined;
  }

  get layout(): Layout | undefined {
    return this.#layout;
  }

  get moduleBytes(): number {
    return this.#moduleBytes;
  }

  /** Threads that would take part in a large call now, the calling one included; undefined before the first one. */
  get threadsReady(): number | undefined {
    return this.#registered === undefined ? undefined : this.#around.pool?.ready(this.#registered);
  }

  /** The axes whose sizes the module's functions are called with, in this order. */
  get moduleAxes(): readonly Axis[] {
    return this.entry.axes;
  }

  /** Calls of these sizes; plans and compiles, unless what is compiled has room for them. @throws ShapeError when an axis has no size. */
  sized(sizes: AxisSizes): SizedCall {
    if (this.#last?.isOf(sizes) === true) return this.#last;
    const key = this.axes.map((axis) => sizes[axis]).join(" ");
    this.#last = this.#sized.get(key) ?? this.#makeSized(key, sizes);
    return this.#last;
  }

  #makeSized(key: string, sizes: AxisSizes): SizedCall {
    checkSizes(this.axes, sizes);
    this.ensure(sizes);
    const own = Object.fromEntries(this.axes.map((axis) => [axis, sizes[axis]!]));
    const { placed, instance, moduleAxes } = this;
    const callable = { name: this.#name, placed, instance, axes: moduleAxes };
    const made = new SizedCall(callable, own, inSegments(own, this.#layout?.segments));
    if (this.#sized.size === mostSized) this.#sized.clear();
    this.#sized.set(key, made);
    return made;
  }

  /** Plans and compiles, unless what is compiled has room for these sizes. */
  ensure(sizes: AxisSizes): void {
    const asked = Object.fromEntries(this.axes.map((axis) => [axis, sizes[axis] ?? 1]));
    const capacity = this.#capacity;
    if (capacity !== undefined && this.axes.every((axis) => asked[axis]! <= capacity[axis]!)) return;
    // Room for all sizes seen so far, or for these alone: the longest sequence and the largest batch may be of different calls.
    const grown = Object.fromEntries(this.axes.map((axis) => [axis, Math.max(asked[axis]!, capacity?.[axis] ?? 1)]));
    const largest = this.#plan(grown);
    const fits = largest.widest <= this.#around.limit.most;
    const layout = fits ? largest : this.#fitting(asked);
    this.#layout = layout;
    this.#placed = layout.programs.get(this.#name);
    this.#capacity = fits ? grown : asked;
    this.#compile(layout);
  }

  /** Where the first element of an output lies, among the floats of the memory. */
  firstOf(output: string): number {
    const known = this.#firsts.get(output);
    if (known !== undefined) return known;
    const first = firstOf(this.placed, output) / 4;
    this.#firsts.set(output, first);
    return first;
  }

  /** What moves its inputs and outputs between calls, when nothing lies in the arena. */
  room(floats: Float32Array): Room {
    if (this.#room?.floats !== floats) {
      const { turn } = this.instance;
      this.#room = { floats, staging: this.placed.placement.arenaBase, turn, turnIn: this.#bound?.turnIn };
    }
    return this.#room;
  }

  /** Native kernels look at the memory anew, after it has grown. */
  rebind(): void {
    this.#bound?.rebind();
  }

  /** Its number in the pool. */
  join(pool: ThreadPool): number {
    if (this.#registered === undefined) {
      this.#registered = pool.register({
        module: this.#module!,
        kernels: this.#around.kernels(),
        memory: this.#around.memory,
        programs: this.placed.emitted.flatMap(exportsOf),
        native: this.#around.native?.path(),
        loops: this.#loops,
      });
      forgetWithOwner.register(this, { pool, model: this.#registered }, this);
    }
    return this.#registered;
  }

  #plainEntry(): Entry {
    this.#plain ??= makeEntry(this.#program());
    return this.#plain;
  }

  /**
   * What a call of these sizes would take, were it the largest; nothing is compiled.
   * @throws ShapeError when an axis has no size, UnsupportedError when it would not fit.
   */
  plan(sizes: AxisSizes) {
    checkSizes(this.axes, sizes);
    const isCompiled =
      this.#capacity !== undefined && this.axes.every((axis) => sizes[axis] === this.#capacity?.[axis]);
    const layout = isCompiled
      ? this.#layout!
      : this.#fitting(Object.fromEntries(this.axes.map((axis) => [axis, sizes[axis] ?? 1])));
    const { entry, placement } = layout.programs.get(this.#name)!;
    const all = inSegments(sizes, layout.segments);
    const ofRows = operationsOf(entry.rows.plan, withPackedSizes(all, entry.rows.packing));
    const ofWhole = entry.whole === undefined ? 0 : operationsOf(entry.whole.plan, all);
    return { layout, entry, placement, multiplyAdds: (ofRows + ofWhole) / 2 };
  }

  #fitting(capacity: AxisSizes): Layout {
    const layout = this.#plan(capacity);
    if (layout.end > this.#around.limit.most) throw tooLong(layout, capacity, this.#around.limit.most);
    return layout;
  }

  #plan(capacity: AxisSizes): Layout {
    const { ground, limit } = this.#around;
    const cutAlong = (axis: Axis) => {
      if (!this.#cuts.has(axis)) {
        const cut = this.#inSegments(axis);
        this.#cuts.set(axis, cut === undefined ? undefined : makeEntry(cut));
      }
      const entry = this.#cuts.get(axis);
      return entry === undefined ? undefined : new Map([[this.#name, entry]]);
    };
    return layOut(new Map([[this.#name, this.#plainEntry()]]), cutAlong, capacity, limit.wanted, ground);
  }

  #compile({ end }: Layout): void {
    const { memory, kernels, native, pool, grow } = this.#around;
    this.#leavePool();
    const options = { shared: pool !== undefined, nativeLoops: native?.loops };
    const { bytes, loops } = emitModule(this.placed.emitted, this.moduleAxes, options);
    this.#sized.clear();
    this.#last = undefined;
    this.#room = undefined;
    this.#firsts.clear();
    this.#loops = loops;
    this.#moduleBytes = bytes.length;
    this.#module = new WebAssembly.Module(bytes);
    grow(end);
    const imports = this.#bound === undefined ? undefined : nativeImports(this.#bound, loops);
    this.#instance = instantiate(this.#module, memory, kernels, imports);
  }

  #leavePool(): void {
    if (this.#registered === undefined) return;
    forgetWithOwner.unregister(this);
    this.#around.pool?.unregister(this.#registered);
    this.#registered = undefined;
  }
}

/** Workers forget a program when nobody holds it any more. */
const forgetWithOwner = new FinalizationRegistry<{ readonly pool: ThreadPool; readonly model: number }>(
  ({ pool, model }) => pool.unregister(model),
);

export function tooLong(
  { end, segments }: Pick<Layout, "end" | "segments">,
  capacity: AxisSizes,
  limit: number,
): UnsupportedError {
  const sizes = Object.entries(capacity).map(([axis, size]) => `${axis} ${size}`);
  const how = segments === undefined ? "" : `, in segments of ${segments.length} along "${segments.axis}"`;
  const raise = limit < mostMemory ? ", or raise memoryLimit" : "";
  return new UnsupportedError({
    where: "the model's memory",
    given: `${gibibytes(end)} for ${sizes.join(", ")}${how}`,
    expected: `at most ${gibibytes(limit)}, ${limit < mostMemory ? "the memoryLimit" : "what WebAssembly can address"}`,
    mend: `use a smaller batch or shorter sequences (a long one in windows: truncated backpropagation through time)${raise}`,
  });
}

function gibibytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
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
