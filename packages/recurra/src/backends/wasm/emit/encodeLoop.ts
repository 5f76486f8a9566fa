/**
 * A fused loop as a program of 32-bit words for the native kernels, which compile it or interpret it over tiles, with the widest
 * vectors of the machine, and give the bits of the WebAssembly function. The format is described in packages/native/loops.h.
 */
import { isPackedAxis } from "../../../base/packing.ts";
import { type Axis, orderAxes } from "../../../base/shapes.ts";
import type { BinaryKind, UnaryKind } from "../../../ir/nodes.ts";
import { isAheadAxis } from "../plan/ahead.ts";
import { collapse } from "../plan/dims.ts";
import {
  type Access,
  accessesOf,
  type BufferId,
  type Dim,
  equalSize,
  type Loop,
  type LoopDim,
  type LoopOp,
  loadsOf,
  type Ref,
  type Size,
  size,
  times,
  writesOf,
} from "../plan/plan.ts";

export interface LoopSite {
  readonly addressOf: (buffer: BufferId) => number;
  /** What the addresses of a buffer count from: 0 the start of memory, 1 the arena and 2 the shard of the call. */
  readonly baseOf: (buffer: BufferId) => 0 | 1 | 2;
  /** The axes of the module, in the order in which the loop is given their sizes. */
  readonly axes: readonly Axis[];
  /** The axes of the enclosing scans, outermost first: the order in which the loop is given their steps. */
  readonly steps: readonly Axis[];
  /** Whether the rows of the batch are sorted: their positions are then in memory, where the kernels do not look. Default false. */
  readonly sorted?: boolean;
}

/** How the kernels run loops: as machine code of their own, or op by op over tiles. */
export type NativeLoops = "compiled" | "interpreted";

const version = 1;
const bases = 2;
/** What the kernels take. */
const most = { axes: 8, steps: 4, dims: 6, arguments: 12 };

const unaryCodes: Readonly<Record<UnaryKind, number>> = {
  neg: 0,
  exp: 1,
  log: 2,
  tanh: 3,
  sigmoid: 4,
  abs: 5,
  sqrt: 6,
  sign: 7,
  floor: 8,
  sin: 9,
  cos: 10,
};
const binaryCodes: Readonly<Record<BinaryKind, number>> = {
  add: 0,
  sub: 1,
  mul: 2,
  div: 3,
  max: 4,
  min: 5,
  less: 6,
  equal: 7,
};
const none = size(0);
const unit = size(1);

/**
 * The program, or undefined where the loop must stay with WebAssembly. It runs with the sizes of the axes, the addresses of the
 * arena and the shard, the position of the first row in the whole batch, and the steps.
 */
export function encodeLoop(
  loop: Loop,
  { addressOf, baseOf, axes, steps, sorted = false }: LoopSite,
): Int32Array | undefined {
  const positional = loop.ops.some((op) => op.kind === "position" || op.kind === "random");
  if (sorted && positional && loop.dims.some(({ name }) => name === "batch")) return undefined;
  const [loads, writes] = [loadsOf(loop), writesOf(loop)];
  const accesses = [...loads, ...writes];
  const dims = positional ? loop.dims : collapse(loop.dims, accesses);
  if (!canEncode({ axes, steps }) || dims.length > most.dims) return undefined;
  if (loads.some((load) => writes.some((write) => mayCollide(load, write, loop.dims)))) return undefined;

  const inner = dims.at(-1);
  const inLanes = liesAlong(accesses, inner);
  /** By their words. */
  const pointers = new Map<string, number>();
  const pointerWords: number[] = [];
  const pointerOf = (access: Access): number => {
    const words: number[] = [baseOf(access.buffer)];
    pushSize(words, access.start, axes);
    for (const { name } of dims) pushSize(words, access.strides[name] ?? none, axes);
    for (const axis of steps) pushSize(words, access.strides[axis] ?? none, axes);
    const key = words.join();
    const known = pointers.get(key);
    if (known !== undefined) return known;
    pointerWords.push(...words);
    pointers.set(key, pointers.size);
    return pointers.size - 1;
  };
  const address = (access: Access) => addressOf(access.buffer) + access.offset * 4;
  const overwritten = new Set(writes.map(({ buffer }) => buffer));
  const loaded = new Set(loads.map(({ buffer }) => buffer));
  const written = new Set<Ref>();
  for (const { value } of loop.stores) written.add(value);
  for (const { value } of loop.reductions) written.add(value);

  const dimOf = (dim: Dim) => dims.findIndex(({ name }) => name === dim);
  const ops: number[] = [];
  const pushOp = (op: LoopOp, ref: Ref) => {
    switch (op.kind) {
      case "load": {
        // A value that is written as it is must not change before: stores come one after the other.
        const mustKeep = written.has(ref) && overwritten.has(op.access.buffer);
        ops.push(0, pointerOf(op.access), address(op.access), mustKeep ? 1 : 0);
        break;
      }
      case "literal":
        ops.push(1, new Int32Array(Float32Array.of(op.value).buffer)[0]!);
        break;
      case "position":
        ops.push(2, dimOf(op.dim));
        break;
      case "step":
        ops.push(3, steps.indexOf(op.axis));
        break;
      case "random": {
        // The order of emitLoop: axes of the value and of enclosing scans, then features.
        const own = op.dims.filter((dim) => !dim.startsWith("#"));
        const features = op.dims.filter((dim) => dim.startsWith("#"));
        const enclosing = steps.filter((axis) => !isPackedAxis(axis) && !isAheadAxis(axis));
        const positions = [...orderAxes([...own, ...enclosing]), ...features].map((dim) =>
          steps.includes(dim) && !own.includes(dim) ? -2 - steps.indexOf(dim) : dimOf(dim),
        );
        ops.push(4, op.seed, op.stream, positions.length, ...positions);
        break;
      }
      case "unary":
        ops.push(5, unaryCodes[op.op], op.x);
        break;
      case "binary":
        ops.push(6, binaryCodes[op.op], op.a, op.b);
        break;
      case "select":
        ops.push(7, op.condition, op.a, op.b);
        break;
    }
  };
  loop.ops.forEach(pushOp);
  const results: number[] = [];
  for (const { value, access } of loop.stores)
    results.push(value, pointerOf(access), address(access), loaded.has(access.buffer) ? 0 : 1);
  for (const { value, op, access, carried } of loop.reductions) {
    const inRegister = equalSize(strideAlong(access, inner), none);
    results.push(value, op === "sum" ? 0 : 1, pointerOf(access), address(access), inRegister ? 1 : 0, carried ? 1 : 0);
  }
  const head = [
    version,
    axes.length,
    bases,
    steps.length,
    dims.length,
    pointers.size,
    loop.ops.length,
    loop.stores.length,
    loop.reductions.length,
    inLanes ? 1 : 0,
    dimOf("batch"),
  ];
  for (const dim of dims) pushSize(head, dim.size, axes);
  return Int32Array.from(head.concat(pointerWords, ops, results));
}

/** Whether the kernels can be given as many sizes and steps. */
export function canEncode({ axes, steps }: Pick<LoopSite, "axes" | "steps">): boolean {
  if (axes.length > most.axes || steps.length > most.steps) return false;
  return axes.length + steps.length <= most.arguments && new Set(steps).size === steps.length;
}

/** Writes a size behind the words of a program for `axes`. */
export function pushSize(words: number[], { coefficient, axes: factors }: Size, axes: readonly Axis[]): void {
  words.push(coefficient, factors.length);
  for (const axis of factors) words.push(axes.indexOf(axis));
}

function strideAlong(access: Access, dim: LoopDim | undefined): Size {
  return dim === undefined ? none : (access.strides[dim.name] ?? none);
}

/** Whether every access goes along the dimension element by element, or stays where it is. */
function liesAlong(accesses: readonly Access[], dim: LoopDim | undefined): boolean {
  const strides = accesses.map((access) => strideAlong(access, dim));
  return strides.every((stride) => equalSize(stride, none) || equalSize(stride, unit));
}

/** Loops over as many elements, and how many of them are enough. */
export interface Enough {
  readonly elements: Size;
  readonly fewest: number;
}

/**
 * When the kernels are faster at loops, called once for all of them, than the WebAssembly functions: where one of these holds.
 * None where they never are.
 */
export function fewestElements(loops: readonly Loop[], native: NativeLoops): readonly Enough[] {
  const groups = new Map<string, { readonly elements: Size; saved: number }>();
  const cost = loops.reduce((sum, loop) => sum + costOf(loop, native), native === "compiled" ? 80 : 110);
  for (const loop of loops) {
    const elements = loop.dims.reduce((product, dim) => times(product, dim.size), unit);
    const key = `${elements.coefficient} ${elements.axes.join()}`;
    const group = groups.get(key) ?? { elements, saved: 0 };
    groups.set(key, group);
    group.saved += savedBy(loop, native);
  }
  return [...groups.values()].flatMap(({ elements, saved }) =>
    saved > 0 ? [{ elements, fewest: Math.ceil(cost / saved) }] : [],
  );
}

/** Whether the kernels are faster at a loop that is long enough. */
export function gains(loop: Loop, native: NativeLoops): boolean {
  return savedBy(loop, native) > 0;
}

/** Machine code goes along rows. */
function isCompiled(loop: Loop, native: NativeLoops): boolean {
  return native === "compiled" && liesAlong(accessesOf(loop), loop.dims.at(-1));
}

/**
 * What a loop costs however short it is, beside the call: 80 with machine code, else 110. All of these are nanoseconds, measured
 * with AVX-512 on one core (`npm run bench -w packages/native`).
 */
function costOf(loop: Loop, native: NativeLoops): number {
  return isCompiled(loop, native) ? 20 : 10 * countOps(loop).all;
}

/**
 * What an element saves. In WebAssembly an elementary function takes 2.3, any other op 0.016: it keeps all values in registers, as
 * machine code does. There the first takes 0.6 and the others a little less than in WebAssembly; sums take as long, because they add in the
 * same order, while the largest of rows from 32 elements on takes 0.5 or less instead of 1.1. The interpreter takes 0.2 and 0.045: it gains only by elementary functions.
 */
function savedBy(loop: Loop, native: NativeLoops): number {
  const { all, elementary } = countOps(loop);
  const largest = loop.reductions.filter(({ op }) => op === "max").length;
  if (isCompiled(loop, native))
    return 1.7 * elementary + 0.3 * largest + 0.015 * (all - elementary + loop.stores.length);
  return 2.1 * elementary - 0.03 * (all + loop.stores.length + 8 * loop.reductions.length) - (10 * all) / 1024;
}

function countOps({ ops }: Loop): { readonly all: number; readonly elementary: number } {
  let [all, elementary] = [0, 0];
  for (const op of ops) {
    if (op.kind === "literal" || op.kind === "step") continue;
    all++;
    if (op.kind === "random" || (op.kind === "unary" && elementaryFunctions.has(op.op))) elementary++;
  }
  return { all, elementary };
}

const elementaryFunctions: ReadonlySet<UnaryKind> = new Set(["exp", "log", "tanh", "sigmoid", "sin", "cos"]);

/**
 * Whether a tile could overwrite what a later element of it, or a later tile, loads. Within one buffer that is safe only when
 * both pass through it alike and either meet element by element or never.
 */
function mayCollide(load: Access, write: Access, dims: readonly LoopDim[]): boolean {
  if (load.buffer !== write.buffer) return false;
  const stride = (access: Access, name: Dim) => access.strides[name] ?? none;
  if (!dims.every(({ name }) => equalSize(stride(load, name), stride(write, name)))) return true;
  if (equalSize(load.start, write.start)) {
    if (load.offset === write.offset) return false;
    // Columns of one matrix: apart when neither run reaches the other and no row reaches the next.
    const inner = dims.at(-1);
    if (inner === undefined) return false;
    if (!equalSize(stride(load, inner.name), unit) || inner.size.axes.length > 0) return true;
    const apart = Math.abs(load.offset - write.offset);
    const next = dims.at(-2);
    const row = next === undefined ? undefined : stride(load, next.name);
    if (apart < inner.size.coefficient) return true;
    return row !== undefined && row.coefficient < apart + inner.size.coefficient;
  }
  // Slots of a sequence of states: one starts where the other ends.
  const outermost = dims[0];
  if (load.offset !== write.offset || outermost === undefined) return load.offset !== write.offset;
  const [first, second] = load.start.coefficient === 0 ? [load.start, write.start] : [write.start, load.start];
  return first.coefficient !== 0 || !equalSize(second, times(stride(load, outermost.name), outermost.size));
}
