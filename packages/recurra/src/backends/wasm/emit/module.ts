/** From plans to one WebAssembly module: a function per loop, and one exported function per program. */
import { InternalError } from "../../../base/errors.ts";
import { packedAxis, stepsAxis } from "../../../base/packing.ts";
import type { Axis } from "../../../base/shapes.ts";
import { type Code, type FunctionIndex, i32, ModuleAssembler } from "../code/assembler.ts";
import { aheadAxes, aheadAxis } from "../plan/ahead.ts";
import type { Access, BufferId, Command, Loop, Outer, Plan, Size } from "../plan/plan.ts";
import { eachShard } from "./abreast.ts";
import { type EmitContext, pushAddress, pushBuffer, pushSize } from "./address.ts";
import type { NativeLoops } from "./encodeLoop.ts";
import { deepestNativeLoop, type Enclosing, i32s, LoopCalls, type NativeSite, SharedLoops } from "./loopCalls.ts";
import { type Part, pushPartStart } from "./parts.ts";
import { emitRowMoves } from "./rowMoves.ts";
import { cutAxes, type EmitBody, emitScan, emitScanOfKernels, packedSizesOf, stepsOf } from "./scan.ts";

export interface ProgramToEmit {
  /**
   * The export's name. Its arguments are the sizes of `axes`, in that order, then the addresses of the arena (temporaries) and of
   * the shard (inputs and outputs) that the call works in, and the position of its first row in the whole batch. A plan in stages has
   * an export for each too, NAME.0, NAME.1, …, which take two arguments more: which part, and of how many. A program that takes shards
   * abreast has four more: how many, and how far the next one is in the arena, among the shards and in the batch.
   */
  readonly name: string;
  readonly plan: Plan;
  /** Of temporaries relative to the arena, of inputs and outputs relative to the shard, of parameters from the start of memory. */
  readonly addresses: readonly number[];
  /** Buffers, other than parameters, whose addresses count from the start of memory too. */
  readonly absolute: ReadonlySet<BufferId>;
  /** Whether a call takes several shards of the same sizes, which go through scans side by side. Default false. */
  readonly abreast?: boolean;
}

interface Kernels {
  readonly pack: FunctionIndex;
  readonly gemm: FunctionIndex;
  readonly outer: FunctionIndex;
  /** Of native kernels. */
  readonly outerPair: FunctionIndex | undefined;
}

export interface EmitOptions {
  /** Whether the memory is shared between threads. */
  readonly shared?: boolean;
  /** How the kernels run loops, if they do: those that gain by it are encoded, and called from the size on that pays. */
  readonly nativeLoops?: NativeLoops | undefined;
}

export interface EmittedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Programs of loops and steps that the kernels run: position i is handle i. */
  readonly loops: readonly Int32Array[];
}

export function emitModule(
  programs: readonly ProgramToEmit[],
  axes: readonly Axis[],
  { shared: sharedMemory = false, nativeLoops }: EmitOptions = {},
): EmittedModule {
  const module = new ModuleAssembler(sharedMemory);
  // Sizes that packed programs find in memory, behind those that every call is given.
  const packedSizes = new Set(
    programs.flatMap(({ plan: { packed } }) => (packed === undefined ? [] : packedSizesOf(packed.axis))),
  );
  const sizes = [...axes, ...packedSizes];
  const kernels: Kernels = {
    pack: module.importFunction("kernels", "pack", i32s(6)),
    gemm: module.importFunction("kernels", "gemm", i32s(9)),
    outer: module.importFunction("kernels", "outer", i32s(10)),
    outerPair: nativeLoops === undefined ? undefined : module.importFunction("kernels", "outerPair", i32s(16)),
  };
  // One function, imported once for each number of steps that follow: its arguments are as many.
  const byDepth = (name: string, own: number, loops: boolean) =>
    Array.from({ length: loops ? deepestNativeLoop + 1 : 0 }, (_, depth) =>
      module.importFunction("kernels", name, i32s(own + sizes.length + 3 + depth)),
    );
  const runLoops = byDepth("runLoops", 2, nativeLoops !== undefined);
  const runSteps = byDepth("runSteps", 7, nativeLoops === "compiled");
  const runPart =
    nativeLoops === undefined ? undefined : module.importFunction("kernels", "runPart", i32s(3 + sizes.length + 3));
  const globals = new Map(sizes.map((axis) => [axis, module.global()]));
  for (const axis of new Set(programs.flatMap(({ plan }) => aheadAxes(plan.commands).map(aheadAxis))))
    globals.set(axis, module.global());
  const starts = new Map(
    [...new Set(programs.flatMap(({ plan }) => cutAxes(plan.commands)))].map((axis) => [axis, module.global()]),
  );
  const [arena, shard, firstRow] = [module.global(), module.global(), module.global()];
  const ofAbreast = programs.some(({ abreast }) => abreast === true)
    ? {
        shards: module.global(),
        apart: [arena, shard, firstRow].map(() => module.global()),
        places: [arena, shard, firstRow],
      }
    : undefined;
  const shared = new SharedLoops(module);
  const site: NativeSite = {
    native: nativeLoops,
    runLoops,
    runPart,
    runSteps,
    axes: sizes,
    arena,
    shard,
    programs: [],
  };
  for (const { name, plan, addresses, absolute, abreast = false } of programs) {
    const context: EmitContext = {
      module,
      addressOf: (buffer) => addresses[buffer]!,
      baseOf: (buffer) => {
        const { role } = plan.buffers[buffer]!;
        if (role === "param" || absolute.has(buffer)) return undefined;
        return role === "temporary" ? arena : shard;
      },
      sizeGlobal: (axis) => globals.get(axis)!,
      starts,
      packed: plan.packed,
      firstRow,
      abreast: abreast ? ofAbreast : undefined,
    };
    const loops = new LoopCalls(context, shared, site);
    const enter = (code: Code) => {
      for (const [i, axis] of axes.entries()) code.get(code.parameter(i)).setGlobal(globals.get(axis)!);
      const given = [
        arena,
        shard,
        firstRow,
        ...(context.abreast === undefined ? [] : [context.abreast.shards, ...context.abreast.apart]),
      ];
      for (const [i, global] of given.entries()) code.get(code.parameter(axes.length + i)).setGlobal(global);
      if (plan.packed === undefined) return;
      const { axis, steps } = plan.packed;
      [packedAxis(axis), stepsAxis(axis)].forEach((name, i) => {
        pushBuffer(code, context, steps, 4 * i);
        code.i32Load(0).setGlobal(globals.get(name)!);
      });
    };
    if (plan.stages === undefined) {
      loops.add(plan.commands);
      module.function(name, i32s(axes.length + (abreast ? 7 : 3)), (code) => {
        enter(code);
        emitRows(code, context, kernels, loops, plan.commands);
      });
    }
    const stages = plan.stages?.map(({ together, commands }, i) => {
      if (together) loops.addParts(commands);
      else loops.add(commands);
      return module.function(stageName(name, i), i32s(axes.length + 5), (code) => {
        enter(code);
        if (!together) emitCommands(code, context, kernels, loops, commands, []);
        else {
          const part = { part: code.parameter(axes.length + 3), parts: code.parameter(axes.length + 4) };
          for (const command of commands) emitPart(code, context, kernels, loops, command, part);
        }
      });
    });
    if (stages === undefined) continue;
    module.function(name, i32s(axes.length + 3), (code) => {
      for (const stage of stages) {
        for (let i = 0; i < axes.length + 3; i++) code.get(code.parameter(i));
        code.i32(0).i32(1).call(stage);
      }
    });
  }
  return { bytes: module.finish(), loops: site.programs };
}

/** The names under which a program is exported. */
export function exportsOf({ name, plan }: ProgramToEmit): readonly string[] {
  return plan.stages?.map((_, i) => stageName(name, i)) ?? [name];
}

/** The export of a stage. */
export function stageName(program: string, stage: number): string {
  return `${program}.${stage}`;
}

/** Columns that weights are cut at when they are packed: whole panels of all kernels. */
const packUnit = 64;

function emitPart(
  code: Code,
  context: EmitContext,
  kernels: Kernels,
  loops: LoopCalls,
  command: Command,
  part: Part,
): void {
  if (command.kind === "loop") {
    loops.callPart(code, command, part);
    return;
  }
  if (command.kind !== "pack") throw new InternalError(`a ${command.kind} cannot be shared between threads`);
  const { source, rowStride, columnStride, target, k, n } = command;
  const [first, end] = [code.local(i32), code.local(i32)];
  pushPartStart(code, part, n, packUnit);
  code.set(first);
  pushPartStart(code, part, n, packUnit, true);
  code.set(end);
  pushAddress(code, context, source, new Map());
  code
    .get(first)
    .i32(4 * columnStride)
    .do("i32.mul", "i32.add")
    .i32(rowStride)
    .i32(columnStride);
  pushBuffer(code, context, target);
  code
    .get(first)
    .i32(4 * k)
    .do("i32.mul", "i32.add")
    .i32(k)
    .get(end)
    .get(first)
    .do("i32.sub")
    .call(kernels.pack);
}

/** Commands for each shard of the call, but for scans that the kernels run: all shards go through them together. */
function emitRows(
  code: Code,
  context: EmitContext,
  kernels: Kernels,
  loops: LoopCalls,
  commands: readonly Command[],
): void {
  const ofOne = { ...context, abreast: undefined };
  let from = 0;
  const emit = (end: number) => {
    const own = commands.slice(from, end);
    if (own.length > 0) eachShard(code, context.abreast, () => emitCommands(code, ofOne, kernels, loops, own, []));
  };
  for (const [i, command] of commands.entries()) {
    if (context.abreast === undefined || !loops.runsSteps(command)) continue;
    emit(i);
    emitCommands(code, context, kernels, loops, [command], []);
    from = i + 1;
  }
  emit(commands.length);
}

function emitCommands(
  code: Code,
  context: EmitContext,
  kernels: Kernels,
  loops: LoopCalls,
  commands: readonly Command[],
  enclosing: readonly Enclosing[],
): void {
  const address = (access: Access) =>
    pushAddress(code, context, access, new Map(enclosing.map(({ axis, step }) => [axis, step])));
  const push = (...values: readonly (Size | number)[]) => {
    for (const value of values) pushSize(code, context, value);
  };
  const sum = ({ b, c, cRow, n, scratch }: Outer) => {
    address(b.access);
    push(b.stride);
    address(c);
    push(cRow, n);
    pushBuffer(code, context, scratch);
  };
  const emitOuter = (command: Outer) => {
    const { a, b, c, cRow, m, n, scratch, pair } = command;
    address(a.access);
    push(a.stride);
    if (pair !== undefined && kernels.outerPair !== undefined) {
      push(m, a.count);
      sum(command);
      sum(pair);
      code.call(kernels.outerPair);
      return;
    }
    address(b.access);
    push(b.stride);
    address(c);
    push(cRow, m, n, a.count);
    pushBuffer(code, context, scratch);
    code.call(kernels.outer);
    if (pair !== undefined) emitOuter(pair);
  };
  for (const [i, command] of commands.entries()) {
    switch (command.kind) {
      case "loop": {
        // Together with those that follow.
        if (commands[i - 1]?.kind === "loop") break;
        const end = commands.findIndex(({ kind }, j) => j > i && kind !== "loop");
        loops.call(code, commands.slice(i, end < 0 ? undefined : end) as readonly Loop[], enclosing); // None of them is another.
        break;
      }
      case "pack":
        address(command.source);
        push(command.rowStride, command.columnStride);
        pushBuffer(code, context, command.target);
        push(command.k, command.n);
        code.call(kernels.pack);
        break;
      case "gemm":
        address(command.a.access);
        push(command.a.stride);
        pushBuffer(code, context, command.packed);
        address(command.c.access);
        push(command.c.stride, command.c.count, command.n, command.k, 0);
        code.call(kernels.gemm);
        break;
      case "outer":
        emitOuter(command);
        break;
      case "gather":
      case "scatterAdd":
        emitRowMoves(code, context, command, address);
        break;
      case "scan": {
        const emit: EmitBody = (commands, steps) => {
          const own = stepsOf(command).flatMap((axis, i) => (i < steps.length ? [{ axis, step: steps[i]! }] : []));
          emitCommands(code, context, kernels, loops, commands, [...enclosing, ...own]);
        };
        const callSteps = loops.stepsCall(code, command, enclosing);
        if (callSteps === undefined) emitScan(code, context, command, emit);
        else emitScanOfKernels(code, context, command, emit, callSteps);
        break;
      }
    }
  }
}
