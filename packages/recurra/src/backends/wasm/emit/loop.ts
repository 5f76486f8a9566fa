/** Emits one fused loop: nested counters outside, four lanes at a time inside, single elements for the rest of a row. */

import { isPackedAxis } from "../../../base/packing.ts";
import { hashStep } from "../../../base/random.ts";
import { type Axis, orderAxes } from "../../../base/shapes.ts";
import { type Code, i32, type Local, v128 } from "../code/assembler.ts";
import { unaryEmitters } from "../code/math.ts";
import { isAheadAxis } from "../plan/ahead.ts";
import { collapse, cutOf } from "../plan/dims.ts";
import {
  type Access,
  accessesOf,
  type Dim,
  equalSize,
  type Loop,
  type LoopDim,
  type LoopOp,
  type Ref,
  type Size,
  size,
  times,
} from "../plan/plan.ts";
import { type EmitContext, isSegments, pushBuffer, pushOffset, pushSize } from "./address.ts";
import { type Part, pushPartStart } from "./parts.ts";

const none = size(0);
const unit = size(1);
/** Of a sum along a row, of four lanes each: element j is added to lane j mod 16, so that no addition waits for the one before. */
const accumulators = 4;

/** Accesses that move together share one pointer; their own addresses are immediates of the instructions. */
interface Pointer {
  /** Global that the buffers' addresses are relative to. */
  readonly base: number | undefined;
  /** The address itself, where the function is given it. */
  readonly given: Local | undefined;
  readonly start: Size;
  readonly strides: Readonly<Record<Dim, Size>>;
  /** Byte offset at each nesting level, outermost first. */
  readonly levels: Local[];
}

export interface LoopOptions {
  /** Only this part of the outermost dimension, which has a constant size. */
  readonly part?: Part | undefined;
  /** Where each access begins, where the function is given that. */
  readonly addressOf?: (access: Access) => Local;
}

export function emitLoop(
  code: Code,
  context: EmitContext,
  loop: Loop,
  steps: ReadonlyMap<Axis, Local>,
  options: LoopOptions = {},
): void {
  new LoopEmitter(code, context, loop, steps, options).emit();
}

class LoopEmitter {
  readonly #code: Code;
  readonly #context: EmitContext;
  readonly #loop: Loop;
  readonly #steps: ReadonlyMap<Axis, Local>;
  readonly #dims: readonly LoopDim[];
  readonly #pointers: Pointer[] = [];
  readonly #pointerOf = new Map<Access, Pointer>();
  /** Up-counting positions, kept only where an operation asks for them. */
  readonly #indices = new Map<Dim, Local>();
  readonly #values: Local[];
  /** For each reduction, accumulators that take turns. */
  readonly #sums: (readonly Local[])[];
  readonly #part: Part | undefined;
  readonly #addressOf: ((access: Access) => Local) | undefined;
  /** How much of the outermost dimension this part has. */
  #partCount: Local | undefined;

  constructor(
    code: Code,
    context: EmitContext,
    loop: Loop,
    steps: ReadonlyMap<Axis, Local>,
    { part, addressOf }: LoopOptions,
  ) {
    this.#part = part;
    this.#addressOf = addressOf;
    this.#code = code;
    this.#context = context;
    this.#loop = loop;
    this.#steps = steps;
    const positional = loop.ops.some((op) => op.kind === "position" || op.kind === "random");
    this.#dims = positional ? loop.dims : collapse(loop.dims, accessesOf(loop));
    if (positional) for (const dim of loop.dims) this.#indices.set(dim.name, code.local(i32));
    for (const access of accessesOf(loop)) this.#pointerOf.set(access, this.#pointerFor(access));
    this.#values = loop.ops.map(() => code.local(v128));
    this.#sums = loop.reductions.map(() => Array.from({ length: accumulators }, () => code.local(v128)));
  }

  emit(): void {
    for (const pointer of this.#pointers) {
      pushOffset(this.#code, this.#context, pointer, this.#steps);
      if (pointer.base !== undefined) this.#code.getGlobal(pointer.base).do("i32.add");
      if (pointer.given !== undefined) this.#code.get(pointer.given).do("i32.add");
      this.#code.set(pointer.levels[0]!);
    }
    if (this.#part !== undefined) this.#partCount = this.#enterPart(this.#part);
    for (const index of this.#indices.values()) this.#code.i32(0).set(index);
    this.#loop.ops.forEach((op, ref) => {
      if (op.kind === "literal") this.#code.f32x4(op.value).set(this.#values[ref]!);
      if (op.kind === "step")
        this.#pushStep(op.axis, this.#steps.get(op.axis)!)
          .do("f32.convert_i32_s", "f32x4.splat")
          .set(this.#values[ref]!);
    });
    this.#level(0);
  }

  /** Moves all pointers to where the part begins. */
  #enterPart(part: Part): Local {
    const code = this.#code;
    const [first, count] = [code.local(i32), code.local(i32)];
    const { outermost, unit } = cutOf(this.#loop);
    pushPartStart(code, part, outermost.size.coefficient, unit);
    code.set(first);
    pushPartStart(code, part, outermost.size.coefficient, unit, true);
    code.get(first).do("i32.sub").set(count);
    for (const { levels, strides } of this.#pointers) {
      code.get(levels[0]!).get(first);
      this.#pushSize(times(strides[outermost.name] ?? none, size(4)));
      code.do("i32.mul", "i32.add").set(levels[0]!);
    }
    return count;
  }

  #level(level: number): void {
    if (level >= this.#dims.length - 1) {
      this.#row(level);
      return;
    }
    const dim = this.#dims[level]!;
    const counter = this.#code.local(i32);
    this.#pushCount(level, dim.size);
    this.#code.set(counter);
    const index = this.#indices.get(dim.name);
    if (index !== undefined) this.#code.i32(0).set(index);
    this.#code.times(counter, () => {
      for (const { levels } of this.#pointers) this.#code.get(levels[level]!).set(levels[level + 1]!);
      this.#level(level + 1);
      for (const { levels, strides } of this.#pointers) this.#advance(levels[level]!, strides[dim.name] ?? none, 1);
      if (index !== undefined) this.#code.advance(index, 1);
    });
  }

  /** The innermost dimension. */
  #row(level: number): void {
    const code = this.#code;
    const dim = this.#dims[level];
    const count = dim?.size ?? unit;
    const inner = (access: Access): Size =>
      dim === undefined ? none : (this.#pointerOf.get(access)!.strides[dim.name] ?? none);
    const vectorizable = accessesOf(this.#loop).every(
      (access) => equalSize(inner(access), none) || equalSize(inner(access), unit),
    );
    const index = dim === undefined ? undefined : this.#indices.get(dim.name);
    if (index !== undefined) code.i32(0).set(index);

    // What does not move along the row is loaded once.
    this.#loop.ops.forEach((op, ref) => {
      if (op.kind === "load" && equalSize(inner(op.access), none)) this.#load(op.access, level, "splat", ref);
    });
    const reductions = this.#loop.reductions.map((reduction, i) => ({
      ...reduction,
      sums: this.#sums[i]!,
      register: equalSize(inner(reduction.access), none),
    }));
    const registers = reductions.filter(({ register }) => register);
    const known = count.axes.length === 0 && !this.#isPart(level) ? count.coefficient : undefined;
    /** Where there are no sixteen elements, the first accumulator is enough. */
    const inTurns = vectorizable && registers.length > 0 && (known === undefined || known >= 4 * accumulators);
    for (const { op, sums } of registers)
      for (const sum of inTurns ? sums : sums.slice(0, 1))
        code.f32x4(op === "sum" ? 0 : Number.NEGATIVE_INFINITY).set(sum);

    const body = (lanes: "full" | "one", turn = 0) => {
      this.#loop.ops.forEach((op, ref) => {
        if (op.kind === "load") {
          if (!equalSize(inner(op.access), none)) this.#load(op.access, level, lanes, ref);
        } else this.#operate(op, ref, dim?.name);
      });
      for (const { value, access } of this.#loop.stores) this.#store(this.#values[value]!, access, level, lanes);
      for (const { value, op, access, sums, register } of reductions) {
        if (register) this.#accumulate(this.#values[value]!, op, sums[turn]!, lanes);
        else {
          const combined = code.local(v128);
          this.#pushPointer(access, level);
          code
            .vectorLoad(lanes, this.#immediate(access))
            .get(this.#values[value]!)
            .do(op === "sum" ? "f32x4.add" : "f32x4.max")
            .set(combined);
          this.#store(combined, access, level, lanes);
        }
      }
      const width = lanes === "full" ? 4 : 1;
      for (const { levels, strides } of this.#pointers)
        if (dim !== undefined) this.#advance(levels[level]!, strides[dim.name] ?? none, width);
      if (index !== undefined) code.advance(index, width);
    };
    const counter = code.local(i32);
    /** `run` as often as `(count & mask) >> shift` says. */
    const repeat = (mask: number, shift: number, run: () => void) => {
      if (known !== undefined && (known & mask) >> shift <= 1) {
        if ((known & mask) >> shift === 1) run();
        return;
      }
      this.#pushCount(level, count);
      if (mask !== -1) code.i32(mask).do("i32.and");
      if (shift > 0) code.i32(shift).do("i32.shr_u");
      code.set(counter).times(counter, run);
    };
    if (!vectorizable) repeat(-1, 0, () => body("one"));
    else {
      if (inTurns) {
        repeat(-1, 4, () => {
          for (let turn = 0; turn < accumulators; turn++) body("full", turn);
        });
        for (const { op, sums } of registers) this.#foldTurns(op, sums);
      }
      repeat(inTurns ? 15 : -1, 2, () => body("full"));
      repeat(3, 0, () => body("one"));
    }

    for (const { op, access, sums, carried } of registers) this.#finishReduction(sums[0]!, op, access, level, carried);
  }

  #isPart(level: number): boolean {
    return level === 0 && this.#partCount !== undefined;
  }

  #pushCount(level: number, count: Size): void {
    if (level === 0 && this.#partCount !== undefined) this.#code.get(this.#partCount);
    else this.#pushSize(count);
  }

  #operate(op: Exclude<LoopOp, { kind: "load" }>, ref: Ref, innermost: Dim | undefined): void {
    const code = this.#code;
    const value = (other: Ref) => this.#values[other]!;
    switch (op.kind) {
      case "literal":
      case "step":
        return; // Set once, before the loop.
      case "unary":
        unaryEmitters[op.op](code, value(op.x));
        break;
      case "binary":
        code.get(value(op.a)).get(value(op.b));
        if (op.op === "less") code.do("f32x4.lt").f32x4(1).do("v128.and");
        else if (op.op === "equal") code.do("f32x4.eq").f32x4(1).do("v128.and");
        else code.do(`f32x4.${op.op}`);
        break;
      case "select":
        code.get(value(op.b)).get(value(op.a)).get(value(op.condition)).f32x4(0).do("f32x4.eq", "v128.bitselect");
        break;
      case "position":
        this.#pushPosition(op.dim, innermost);
        code.do("f32x4.convert_i32x4_s");
        break;
      case "random":
        this.#random(op, innermost);
        break;
    }
    code.set(value(ref));
  }

  /** hashUniform of base/random.ts, lane by lane. */
  #random(op: Extract<LoopOp, { kind: "random" }>, innermost: Dim | undefined): void {
    const code = this.#code;
    const hash = code.local(v128);
    const start = Math.imul(op.stream + 1, hashStep);
    code
      .get(this.#values[op.seed]!)
      .do("i32x4.trunc_sat_f32x4_s")
      .i32x4(start, start, start, start)
      .do("v128.xor")
      .set(hash);
    this.#mix(hash);
    const axes = op.dims.filter((dim) => !dim.startsWith("#"));
    const features = op.dims.filter((dim) => dim.startsWith("#"));
    // The count of segments is no position of its own, nor are packed rows and steps ahead: positions along the axis count on.
    const steps = [...this.#steps.keys()].filter(
      (axis) => !isSegments(this.#context, axis) && !isPackedAxis(axis) && !isAheadAxis(axis),
    );
    for (const dim of [...orderAxes([...axes, ...steps]), ...features]) {
      const step = this.#steps.get(dim);
      code.get(hash);
      if (step !== undefined && !axes.includes(dim)) this.#pushStep(dim, step).do("i32x4.splat");
      else this.#pushPosition(dim, innermost);
      code
        .i32x4(1, 1, 1, 1)
        .do("i32x4.add")
        .i32x4(hashStep, hashStep, hashStep, hashStep)
        .do("i32x4.mul", "i32x4.add")
        .set(hash);
      this.#mix(hash);
    }
    code
      .get(hash)
      .i32(8)
      .do("i32x4.shr_u", "f32x4.convert_i32x4_u")
      .f32x4(2 ** -24)
      .do("f32x4.mul");
  }

  /** mix32 of base/random.ts. */
  #mix(hash: Local): void {
    const code = this.#code;
    const xorShift = (bits: number) => code.get(hash).get(hash).i32(bits).do("i32x4.shr_u", "v128.xor");
    const multiply = (factor: number) => code.i32x4(factor, factor, factor, factor).do("i32x4.mul").set(hash);
    xorShift(16);
    multiply(0x85ebca6b);
    xorShift(13);
    multiply(0xc2b2ae35);
    xorShift(16);
    code.set(hash);
  }

  /** Leaves the position along a dimension on the stack, as four whole numbers. A dimension of size 1 is at 0. */
  #pushPosition(dim: Dim, innermost: Dim | undefined): void {
    const index = this.#indices.get(dim);
    const { packed } = this.#context;
    if (index === undefined) this.#code.i32x4(0, 0, 0, 0);
    else if (dim === "batch" && packed !== undefined) {
      // Packed rows are sorted: their positions in the batch are in memory.
      pushBuffer(this.#code, this.#context, packed.positions);
      this.#code.get(index).i32(2).do("i32.shl", "i32.add");
      this.#code.vectorLoad(dim === innermost ? "full" : "splat", 0);
    } else {
      this.#code.get(index);
      if (dim === "batch") this.#code.getGlobal(this.#context.firstRow).do("i32.add");
      this.#addStart(dim);
      this.#code.do("i32x4.splat");
      if (dim === innermost) this.#code.i32x4(0, 1, 2, 3).do("i32x4.add");
    }
  }

  /** Leaves the position of an enclosing scan on the stack. */
  #pushStep(axis: Axis, step: Local): Code {
    this.#code.get(step);
    this.#addStart(axis);
    return this.#code;
  }

  #addStart(dim: Dim): void {
    const start = this.#context.starts?.get(dim);
    if (start !== undefined) this.#code.getGlobal(start).do("i32.add");
  }

  #accumulate(value: Local, op: "sum" | "max", sum: Local, lanes: "full" | "one"): void {
    const code = this.#code;
    code.get(sum).get(value);
    if (lanes === "one") {
      // Lanes 1 to 3 hold nothing: they must not change the sum or the maximum.
      if (op === "sum") code.i32x4(-1, 0, 0, 0).do("v128.and");
      else code.f32x4(Number.NEGATIVE_INFINITY).i32x4(-1, 0, 0, 0).do("v128.bitselect");
    }
    code.do(op === "sum" ? "f32x4.add" : "f32x4.max").set(sum);
  }

  /** Adds the other accumulators to the first. */
  #foldTurns(op: "sum" | "max", [first, ...others]: readonly Local[]): void {
    const code = this.#code;
    code.get(first!);
    for (const other of others) code.get(other).do(op === "sum" ? "f32x4.add" : "f32x4.max");
    code.set(first!);
  }

  #finishReduction(sum: Local, op: "sum" | "max", access: Access, level: number, carried: boolean): void {
    const code = this.#code;
    const combine = op === "sum" ? "f32.add" : "f32.max";
    this.#pushPointer(access, level);
    code.get(sum).extractLane(0).get(sum).extractLane(1).do(combine);
    code.get(sum).extractLane(2).get(sum).extractLane(3).do(combine, combine);
    if (carried) {
      this.#pushPointer(access, level);
      code.f32Load(this.#immediate(access)).do(combine);
    }
    code.f32Store(this.#immediate(access));
  }

  #load(access: Access, level: number, kind: "full" | "one" | "splat", ref: Ref): void {
    this.#pushPointer(access, level);
    this.#code.vectorLoad(kind, this.#immediate(access)).set(this.#values[ref]!);
  }

  #store(value: Local, access: Access, level: number, kind: "full" | "one"): void {
    this.#pushPointer(access, level);
    this.#code.get(value).vectorStore(kind, this.#immediate(access));
  }

  #pushPointer(access: Access, level: number): void {
    this.#code.get(this.#pointerOf.get(access)!.levels[level]!);
  }

  #immediate(access: Access): number {
    if (this.#addressOf !== undefined) return 0;
    return this.#context.addressOf(access.buffer) + access.offset * 4;
  }

  #advance(pointer: Local, stride: Size, count: number): void {
    if (equalSize(stride, none)) return;
    this.#code.get(pointer);
    this.#pushSize(times(stride, size(4 * count)));
    this.#code.do("i32.add").set(pointer);
  }

  #pushSize(amount: Size): void {
    pushSize(this.#code, this.#context, amount);
  }

  #pointerFor(access: Access): Pointer {
    const relevant: Record<Dim, Size> = {};
    for (const [dim, stride] of Object.entries(access.strides)) {
      if (this.#dims.some(({ name }) => name === dim) || this.#steps.has(dim)) relevant[dim] = stride;
    }
    const given = this.#addressOf?.(access);
    const base = given === undefined ? this.#context.baseOf(access.buffer) : undefined;
    const same = this.#pointers.find(
      (pointer) =>
        pointer.base === base &&
        pointer.given === given &&
        equalSize(pointer.start, access.start) &&
        sameStrides(pointer.strides, relevant),
    );
    if (same !== undefined) return same;
    const pointer: Pointer = {
      base,
      given,
      start: access.start,
      strides: relevant,
      levels: Array.from({ length: Math.max(1, this.#dims.length) }, () => this.#code.local(i32)),
    };
    this.#pointers.push(pointer);
    return pointer;
  }
}

function sameStrides(a: Readonly<Record<Dim, Size>>, b: Readonly<Record<Dim, Size>>): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => b[key] !== undefined && equalSize(a[key]!, b[key]!))
  );
}
