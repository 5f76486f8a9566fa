/**
 * The functions of a module's loops, and their calls. Every loop is a function: small functions compile fast and get registers of their
 * own. Loops over constant sizes that differ in their addresses only, as the updates of the weights of one shape do, are one
 * function, which is given them.
 */
import type { Axis } from "../../../base/shapes.ts";
import { type Code, type FunctionIndex, i32, type Local, type ModuleAssembler } from "../code/assembler.ts";
import { cutOf } from "../plan/dims.ts";
import {
  type Access,
  accessesOf,
  type BufferId,
  type Command,
  type Loop,
  type LoopOp,
  type Scan,
} from "../plan/plan.ts";
import { stepsOfKernels } from "../plan/steps.ts";
import { type EmitContext, isSegments, pushBuffer, pushSize } from "./address.ts";
import { encodeLoop, fewestElements, gains, type LoopSite, type NativeLoops } from "./encodeLoop.ts";
import { encodeSteps } from "./encodeSteps.ts";
import { emitLoop } from "./loop.ts";
import { type Part, pushPartStart } from "./parts.ts";
import { stepsOf } from "./scan.ts";

/** Steps of enclosing scans, at most, of the loops that the kernels run; a scan has up to two, see `stepsOf`. */
export const deepestNativeLoop = 3;

interface LoopFunction {
  readonly index: FunctionIndex;
  /** What it is given the addresses of. */
  readonly places: readonly Access[];
}

/** Functions that loops of one module share, by all that they have in common. */
export class SharedLoops {
  readonly #module: ModuleAssembler;
  readonly #functions = new Map<string, FunctionIndex>();

  constructor(module: ModuleAssembler) {
    this.#module = module;
  }

  /** `parts`: the function takes which part of the outermost dimension, and of how many, before the addresses. */
  functionOf(context: EmitContext, loop: Loop, parts: boolean): LoopFunction {
    const places: Access[] = [];
    const numbers = new Map<string, number>();
    const numberOf = (access: Access) => {
      const name = `${access.buffer}+${access.offset}`;
      const known = numbers.get(name);
      if (known !== undefined) return known;
      numbers.set(name, places.length);
      return places.push(access) - 1;
    };
    const accesses = accessesOf(loop).map((access) => ({ ...access, buffer: numberOf(access), offset: 0 }));
    const unplaced = [...loop.ops, ...loop.stores, ...loop.reductions].map((part) =>
      "access" in part ? { ...part, access: undefined } : part,
    );
    const key = JSON.stringify([parts, loop.dims, unplaced, accesses]);
    const known = this.#functions.get(key);
    if (known !== undefined) return { index: known, places };
    const before = parts ? 2 : 0;
    const index = this.#module.function(undefined, i32s(before + places.length), (code) => {
      const part = parts ? { part: code.parameter(0), parts: code.parameter(1) } : undefined;
      emitLoop(code, context, loop, new Map(), {
        part,
        addressOf: (access) => code.parameter(before + numberOf(access)),
      });
    });
    this.#functions.set(key, index);
    return { index, places };
  }
}

/** Of constant sizes, and nothing in it counts positions. */
function isShareable({ dims, ops }: Loop): boolean {
  return dims.every(({ size: { axes } }) => axes.length === 0) && !ops.some(isPosition);
}

/** Counts on from segment to segment, which the native kernels do not know. */
function isPosition(op: LoopOp): boolean {
  return op.kind === "position" || op.kind === "step" || op.kind === "random";
}

export function i32s(count: number): (typeof i32)[] {
  return Array.from({ length: count }, () => i32);
}

export interface Enclosing {
  readonly axis: Axis;
  readonly step: Local;
}

/** Runs `count` steps of a scan, from those at which its own positions stand. */
export type StepsCall = (count: Local, own: readonly Local[]) => void;

/** What calling the native kernels needs. */
export interface NativeSite {
  /** How the kernels run loops; undefined where they do not. */
  readonly native: NativeLoops | undefined;
  /** `runLoops` by the number of enclosing scans; empty without native kernels. */
  readonly runLoops: readonly FunctionIndex[];
  readonly runPart: FunctionIndex | undefined;
  /** `runSteps` by the number of steps, as `runLoops`. */
  readonly runSteps: readonly FunctionIndex[];
  readonly axes: readonly Axis[];
  readonly arena: number;
  readonly shard: number;
  /** Programs of loops and steps that the kernels run: position i is handle i. */
  readonly programs: Int32Array[];
}

/** The loops of one program. */
export class LoopCalls {
  readonly #context: EmitContext;
  readonly #shared: SharedLoops;
  readonly #site: NativeSite;
  readonly #sorted: boolean;
  readonly #functions = new Map<Command, LoopFunction>();
  /** Of loops that the kernels run in parts, and of scans whose steps they run. */
  readonly #handles = new Map<Command, number>();

  constructor(context: EmitContext, shared: SharedLoops, site: NativeSite) {
    this.#context = context;
    this.#shared = shared;
    this.#site = site;
    this.#sorted = context.packed !== undefined;
  }

  /** Writes the functions, those of the bodies of scans too where the kernels do not run their steps. */
  add(commands: readonly Command[], enclosing: readonly Axis[] = []): void {
    for (const command of commands) {
      if (command.kind === "scan") {
        const handle = this.#handleOfSteps(command, enclosing);
        if (handle === undefined) this.add(command.body, [...enclosing, ...stepsOf(command)]);
        else this.#handles.set(command, handle);
      } else if (command.kind === "loop") this.#functions.set(command, this.#functionOf(command, enclosing));
    }
  }

  /** Loops that are called in parts: the kernels run those that are long enough, others are functions. */
  addParts(commands: readonly Command[]): void {
    for (const command of commands) {
      if (command.kind !== "loop") continue;
      const handle = this.#isLong(command) ? this.#handleOf(command, []) : undefined;
      if (handle !== undefined) this.#handles.set(command, handle);
      else this.#functions.set(command, this.#shared.functionOf(this.#context, command, true));
    }
  }

  /** Of constant sizes: whether the kernels are faster at all of it. */
  #isLong(loop: Loop): boolean {
    const { native } = this.#site;
    if (native === undefined) return false;
    return fewestElements([loop], native).some(({ elements, fewest }) => elements.coefficient >= fewest);
  }

  #functionOf(loop: Loop, enclosing: readonly Axis[]): LoopFunction {
    if (enclosing.length === 0 && isShareable(loop)) return this.#shared.functionOf(this.#context, loop, false);
    const index = this.#context.module.function(undefined, i32s(enclosing.length), (code) => {
      emitLoop(code, this.#context, loop, new Map(enclosing.map((axis, i) => [axis, code.parameter(i)])));
    });
    return { index, places: [] };
  }

  callPart(code: Code, loop: Loop, part: Part): void {
    const handle = this.#handles.get(loop);
    if (handle === undefined) {
      code.get(part.part).get(part.parts);
      this.#callOwn(code, loop);
      return;
    }
    const { outermost, unit } = cutOf(loop);
    const first = code.local(i32);
    pushPartStart(code, part, outermost.size.coefficient, unit);
    code.set(first).i32(handle).get(first);
    pushPartStart(code, part, outermost.size.coefficient, unit, true);
    code.get(first).do("i32.sub");
    this.#pushPlace(code);
    code.call(this.#site.runPart!);
  }

  /** Whether the kernels run the steps of it. */
  runsSteps(command: Command): boolean {
    return command.kind === "scan" && this.#handles.has(command);
  }

  /** How the kernels are told to run so many steps of a scan, from these on; undefined where they do not run it. */
  stepsCall(code: Code, scan: Scan, enclosing: readonly Enclosing[]): StepsCall | undefined {
    const handle = this.#handles.get(scan);
    if (handle === undefined) return undefined;
    return (count, own) => {
      code
        .i32(handle)
        .get(count)
        .i32(scan.direction === "forward" ? 1 : -1);
      const { abreast } = this.#context;
      if (abreast === undefined || enclosing.length > 0) code.i32(1).i32(0).i32(0).i32(0);
      else for (const global of [abreast.shards, ...abreast.apart]) code.getGlobal(global);
      this.#pushPlace(code);
      const steps = [...enclosing.map(({ step }) => step), ...own];
      for (const step of steps) code.get(step);
      code.call(this.#site.runSteps[steps.length]!);
    };
  }

  /** Calls loops that follow each other: their own functions, or from a size on the kernels, once for as many as they take. */
  call(code: Code, loops: readonly Loop[], enclosing: readonly Enclosing[]): void {
    const steps = enclosing.map(({ axis }) => axis);
    let together: Loop[] = [];
    let first = 0;
    const finish = () => {
      if (together.length > 0) this.#callTogether(code, together, first, enclosing);
      together = [];
    };
    for (const loop of loops) {
      const handle = this.#handleOf(loop, steps);
      if (handle === undefined || this.#site.native === "interpreted") finish();
      if (handle === undefined) {
        for (const { step } of enclosing) code.get(step);
        this.#callOwn(code, loop);
        continue;
      }
      if (together.length === 0) first = handle;
      together.push(loop);
    }
    finish();
  }

  /** The kernels run all of them where one is long enough. */
  #callTogether(code: Code, loops: readonly Loop[], first: number, enclosing: readonly Enclosing[]): void {
    const steps = () => {
      for (const { step } of enclosing) code.get(step);
    };
    const { native, runLoops } = this.#site;
    fewestElements(loops, native!).forEach(({ elements, fewest }, i) => {
      pushSize(code, this.#context, elements);
      code.i32(fewest).do("i32.ge_s");
      if (i > 0) code.do("i32.or");
    });
    code.if(
      () => {
        code.i32(first).i32(loops.length);
        this.#pushPlace(code);
        steps();
        code.call(runLoops[enclosing.length]!);
      },
      () => {
        for (const loop of loops) {
          steps();
          this.#callOwn(code, loop);
        }
      },
    );
  }

  /** What the kernels evaluate sizes and addresses with. */
  #pushPlace(code: Code): void {
    const { axes, arena, shard } = this.#site;
    for (const axis of axes) code.getGlobal(this.#context.sizeGlobal(axis));
    code.getGlobal(arena).getGlobal(shard).getGlobal(this.#context.firstRow);
  }

  #callOwn(code: Code, loop: Loop): void {
    const { index, places } = this.#functions.get(loop)!; // `add` has seen every loop.
    for (const { buffer, offset } of places) pushBuffer(code, this.#context, buffer, offset * 4);
    code.call(index);
  }

  /** The handle of a loop, which is encoded; undefined where it stays with WebAssembly. */
  #handleOf(loop: Loop, steps: readonly Axis[]): number | undefined {
    const encoded = this.#encoded(loop, steps);
    return encoded === undefined ? undefined : this.#site.programs.push(encoded) - 1;
  }

  /** The handle of the steps of a scan, which are encoded: where every loop is machine code, so that short ones gain too. */
  #handleOfSteps(scan: Scan, enclosing: readonly Axis[]): number | undefined {
    const { native, programs, runSteps } = this.#site;
    const commands = stepsOfKernels(scan);
    const own = stepsOf(scan);
    const steps = [...enclosing, ...own];
    if (native !== "compiled" || commands === undefined || steps.length >= runSteps.length) return undefined;
    const loops = new Map<Loop, Int32Array>();
    for (const command of commands) {
      if (command.kind !== "loop") continue;
      const encoded = this.#encoded(command, steps);
      if (encoded === undefined) return undefined;
      loops.set(command, encoded);
    }
    const handleOf = (loop: Loop) => programs.push(loops.get(loop)!) - 1;
    const encoded = encodeSteps(commands, this.#siteOf(steps), own.length, handleOf);
    return encoded === undefined ? undefined : programs.push(encoded) - 1;
  }

  /** The program of a loop; undefined where it stays with WebAssembly. */
  #encoded(loop: Loop, steps: readonly Axis[]): Int32Array | undefined {
    const { native, runLoops } = this.#site;
    if (native === undefined || steps.length >= runLoops.length) return undefined;
    if (!gains(loop, native)) return undefined;
    if (steps.some((axis) => isSegments(this.#context, axis)) && loop.ops.some(isPosition)) return undefined;
    return encodeLoop(loop, this.#siteOf(steps));
  }

  #siteOf(steps: readonly Axis[]): LoopSite {
    const { arena, shard, axes } = this.#site;
    const { addressOf } = this.#context;
    const baseOf = (buffer: BufferId) => {
      const base = this.#context.baseOf(buffer);
      return base === arena ? 1 : base === shard ? 2 : 0;
    };
    return { addressOf, baseOf, axes, steps, sorted: this.#sorted };
  }
}
