/** From plans to one WebAssembly module: a function per loop, and one exported function per program. */
import { InternalError } from "../../base/errors.ts";
import { aliveAxis, packedAxis, stepsAxis } from "../../base/packing.ts";
import { type Axis, segmentLength } from "../../base/shapes.ts";
import { type EmitContext, isSegments, pushAddress, pushBuffer, pushSize } from "./address.ts";
import { aheadAxes, aheadAxis } from "./ahead.ts";
import { type Code, type FunctionIndex, i32, type Local, ModuleAssembler, type ValueType } from "./assembler.ts";
import { emitLoop, type LoopPart, pushPartStart } from "./emitLoop.ts";
import { encodeLoop, fewestElements } from "./encodeLoop.ts";
import {
  type Access,
  type Ahead,
  type BufferId,
  type Command,
  type Loop,
  type LoopOp,
  type Plan,
  type Scan,
  type Size,
  size,
  times,
} from "./plan.ts";

export interface ProgramToEmit {
  /**
   * The export's name. Its arguments are the sizes of `axes`, in that order, then the addresses of the arena (temporaries) and of
   * the shard (inputs and outputs) that the call works in, and the position of its first row in the whole batch. A plan in stages has
   * an export for each, NAME.0, NAME.1, …, which take two arguments more: which part, and of how many.
   */
  readonly name: string;
  readonly plan: Plan;
  /** Of temporaries relative to the arena, of inputs and outputs relative to the shard, of parameters from the start of memory. */
  readonly addresses: readonly number[];
  /** Buffers, other than parameters, whose addresses count from the start of memory too. */
  readonly absolute: ReadonlySet<BufferId>;
}

interface Kernels {
  readonly pack: FunctionIndex;
  readonly gemm: FunctionIndex;
  readonly outer: FunctionIndex;
  /** `runLoop` by the number of enclosing scans; empty without native kernels. */
  readonly runLoop: readonly FunctionIndex[];
}

export interface EmitOptions {
  /** Whether the memory is shared between threads. */
  readonly shared?: boolean;
  /** Whether the kernels run loops too: those that gain by it are encoded, and called from the size on that pays. */
  readonly nativeLoops?: boolean;
}

export interface EmittedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Programs of the loops that the kernels run: position i is handle i. */
  readonly loops: readonly Int32Array[];
}

/** Steps of enclosing scans, at most, of the loops that the kernels run; a scan has up to two, see `stepsOf`. */
const deepestNativeLoop = 3;

export function emitModule(
  programs: readonly ProgramToEmit[],
  axes: readonly Axis[],
  { shared = false, nativeLoops = false }: EmitOptions = {},
): EmittedModule {
  const module = new ModuleAssembler(shared);
  const native: Int32Array[] = [];
  // Sizes that packed programs find in memory, behind those that every call is given.
  const packedSizes = new Set(
    programs.flatMap(({ plan: { packed } }) => (packed === undefined ? [] : sizesOf(packed.axis))),
  );
  const sizes = [...axes, ...packedSizes];
  const kernels: Kernels = {
    pack: module.importFunction("kernels", "pack", i32s(6)),
    gemm: module.importFunction("kernels", "gemm", i32s(10)),
    outer: module.importFunction("kernels", "outer", i32s(10)),
    runLoop: nativeLoops
      ? Array.from({ length: deepestNativeLoop + 1 }, (_, depth) =>
          module.importFunction("kernels", `runLoop${depth}`, i32s(1 + sizes.length + 3 + depth)),
        )
      : [],
  };
  const globals = new Map(sizes.map((axis) => [axis, module.global()]));
  for (const axis of new Set(programs.flatMap(({ plan }) => aheadAxes(plan.commands).map(aheadAxis))))
    globals.set(axis, module.global());
  const starts = new Map(
    [...new Set(programs.flatMap(({ plan }) => cutAxes(plan.commands)))].map((axis) => [axis, module.global()]),
  );
  const [arena, shard, firstRow] = [module.global(), module.global(), module.global()];
  for (const { name, plan, addresses, absolute } of programs) {
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
    };
    const site: NativeSite = {
      axes: sizes,
      arena,
      shard,
      handleOf: (loop, steps) => {
        if (!nativeLoops || steps.length > deepestNativeLoop || !Number.isFinite(fewestElements(loop)))
          return undefined;
        if (steps.some((axis) => isSegments(context, axis)) && loop.ops.some(isPosition)) return undefined;
        const base = (buffer: BufferId) =>
          ({ undefined: 0, [arena]: 1, [shard]: 2 })[String(context.baseOf(buffer))] as 0 | 1 | 2;
        const encoded = encodeLoop(loop, {
          addressOf: context.addressOf,
          baseOf: base,
          axes: sizes,
          steps,
          sorted: plan.packed !== undefined,
        });
        return encoded === undefined ? undefined : native.push(encoded) - 1;
      },
    };
    const enter = (code: Code) => {
      for (const [i, axis] of axes.entries()) code.get(code.parameter(i)).setGlobal(globals.get(axis)!);
      for (const [i, global] of [arena, shard, firstRow].entries())
        code.get(code.parameter(axes.length + i)).setGlobal(global);
      if (plan.packed === undefined) return;
      const { axis, steps } = plan.packed;
      [packedAxis(axis), stepsAxis(axis)].forEach((name, i) => {
        pushBuffer(code, context, steps, 4 * i);
        code.i32Load(0).setGlobal(globals.get(name)!);
      });
    };
    if (plan.stages === undefined) {
      const loops = emitLoops(context, plan.commands, []);
      module.function(name, i32s(axes.length + 3), (code) => {
        enter(code);
        emitCommands(code, context, kernels, { functions: loops, site }, plan.commands, []);
      });
    }
    plan.stages?.forEach(({ together, commands }, i) => {
      const loops = together ? emitParts(context, commands) : emitLoops(context, commands, []);
      module.function(stageName(name, i), i32s(axes.length + 5), (code) => {
        enter(code);
        if (!together) emitCommands(code, context, kernels, { functions: loops, site }, commands, []);
        else {
          const part = { part: code.parameter(axes.length + 3), parts: code.parameter(axes.length + 4) };
          for (const command of commands) emitPart(code, context, kernels, loops, command, part);
        }
      });
    });
  }
  return { bytes: module.finish(), loops: native };
}

/** The names under which a program is exported. */
export function exportsOf({ name, plan }: ProgramToEmit): readonly string[] {
  return plan.stages?.map((_, i) => stageName(name, i)) ?? [name];
}

/** The export of a stage. */
export function stageName(program: string, stage: number): string {
  return `${program}.${stage}`;
}

/** Loops that take which part, and of how many. */
function emitParts(context: EmitContext, commands: readonly Command[]): LoopFunctions {
  return new Map(
    commands.flatMap((command) => {
      if (command.kind !== "loop") return [];
      const index = context.module.function(undefined, i32s(2), (code) => {
        const part = { part: code.parameter(0), parts: code.parameter(1) };
        emitLoop(code, context, command, new Map(), part);
      });
      return [[command, index] as const];
    }),
  );
}

/** Columns that weights are cut at when they are packed: whole panels of all kernels. */
const packUnit = 64;

function emitPart(
  code: Code,
  context: EmitContext,
  kernels: Kernels,
  functions: LoopFunctions,
  command: Command,
  part: LoopPart,
): void {
  if (command.kind === "loop") {
    code.get(part.part).get(part.parts).call(functions.get(command)!);
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

/** The axes that scans cut into segments. */
function cutAxes(commands: readonly Command[]): Axis[] {
  return commands.flatMap((command) =>
    command.kind === "scan" ? [...(command.cuts === undefined ? [] : [command.cuts]), ...cutAxes(command.body)] : [],
  );
}

/** Counts on from segment to segment, which the native interpreter does not know. */
function isPosition(op: LoopOp): boolean {
  return op.kind === "position" || op.kind === "step" || op.kind === "random";
}

/** What calling the native interpreter needs. */
interface NativeSite {
  readonly axes: readonly Axis[];
  readonly arena: number;
  readonly shard: number;
  /** The handle of a loop, which is encoded on the way; undefined where it stays with WebAssembly. */
  readonly handleOf: (loop: Loop, steps: readonly Axis[]) => number | undefined;
}

interface Loops {
  readonly functions: LoopFunctions;
  readonly site: NativeSite;
}

function i32s(count: number): ValueType[] {
  return Array.from({ length: count }, () => i32);
}

type LoopFunctions = ReadonlyMap<Command, FunctionIndex>;

/** Every loop is a function of its own: small functions compile fast and get registers of their own. */
function emitLoops(context: EmitContext, commands: readonly Command[], enclosing: readonly Axis[]): LoopFunctions {
  const found = new Map<Command, FunctionIndex>();
  for (const command of commands) {
    if (command.kind === "scan") {
      for (const [inner, index] of emitLoops(context, command.body, [...enclosing, ...stepsOf(command)]))
        found.set(inner, index);
    } else if (command.kind === "loop") {
      const index = context.module.function(undefined, i32s(enclosing.length), (code) => {
        emitLoop(code, context, command, new Map(enclosing.map((axis, i) => [axis, code.parameter(i)])));
      });
      found.set(command, index);
    }
  }
  return found;
}

interface Enclosing {
  readonly axis: Axis;
  readonly step: Local;
}

function emitCommands(
  code: Code,
  context: EmitContext,
  kernels: Kernels,
  loops: Loops,
  commands: readonly Command[],
  enclosing: readonly Enclosing[],
): void {
  const address = (access: Access) =>
    pushAddress(code, context, access, new Map(enclosing.map(({ axis, step }) => [axis, step])));
  const push = (...values: readonly (Size | number)[]) => {
    for (const value of values) pushSize(code, context, value);
  };
  for (const command of commands) {
    switch (command.kind) {
      case "loop":
        emitLoopCall(code, context, kernels, loops, command, enclosing);
        break;
      case "pack":
        address(command.source);
        push(command.rowStride, command.columnStride);
        pushBuffer(code, context, command.target);
        push(command.k, command.n);
        code.call(kernels.pack);
        break;
      case "gemm":
        address(command.a.access);
        push(command.a.stride, 1);
        pushBuffer(code, context, command.packed);
        address(command.c.access);
        push(command.c.stride, command.c.count, command.n, command.k, 0);
        code.call(kernels.gemm);
        break;
      case "outer":
        address(command.a.access);
        push(command.a.stride);
        address(command.b.access);
        push(command.b.stride);
        address(command.c);
        push(command.cRow, command.m, command.n, command.a.count);
        pushBuffer(code, context, command.scratch);
        code.call(kernels.outer);
        break;
      case "gather":
      case "scatterAdd":
        emitRowMoves(code, context, command, address);
        break;
      case "scan":
        emitScan(code, context, command, (commands, steps) => {
          const own = stepsOf(command).flatMap((axis, i) => (i < steps.length ? [{ axis, step: steps[i]! }] : []));
          emitCommands(code, context, kernels, loops, commands, [...enclosing, ...own]);
        });
        break;
    }
  }
}

/** Calls the loop's own function, or from a size on the native interpreter. */
function emitLoopCall(
  code: Code,
  context: EmitContext,
  kernels: Kernels,
  { functions, site }: Loops,
  loop: Loop,
  enclosing: readonly Enclosing[],
): void {
  const steps = () => {
    for (const { step } of enclosing) code.get(step);
  };
  const own = () => {
    steps();
    code.call(functions.get(loop)!);
  };
  const handle = site.handleOf(
    loop,
    enclosing.map(({ axis }) => axis),
  );
  if (handle === undefined) {
    own();
    return;
  }
  pushSize(
    code,
    context,
    loop.dims.reduce((product, dim) => times(product, dim.size), size(1)),
  );
  code
    .i32(fewestElements(loop))
    .do("i32.ge_s")
    .if(() => {
      code.i32(handle);
      for (const axis of site.axes) code.getGlobal(context.sizeGlobal(axis));
      code.getGlobal(site.arena).getGlobal(site.shard).getGlobal(context.firstRow);
      steps();
      code.call(kernels.runLoop[enclosing.length]!);
    }, own);
}

/** What a packed program reads from memory before it begins, and at each step. */
function sizesOf(axis: Axis): readonly Axis[] {
  return [packedAxis(axis), stepsAxis(axis), aliveAxis(axis)];
}

/**
 * The axes along which a scan moves what its body reads: its own and, of packed rows, that of the step's first row, or of products
 * made ahead that of their steps.
 */
function stepsOf({ axis, rows, ahead }: Scan): readonly Axis[] {
  if (rows === "alive") return [axis, packedAxis(axis)];
  return ahead === undefined ? [axis] : [axis, aheadAxis(axis)];
}

function emitScan(
  code: Code,
  context: EmitContext,
  scan: Scan,
  emit: (commands: readonly Command[], steps: readonly Local[]) => void,
): void {
  const [remaining, step] = [code.local(i32), code.local(i32)];
  const segment = scan.cuts === undefined ? undefined : segmentSizes(code, context, scan.cuts);
  const alive = scan.rows === "alive";
  code.getGlobal(context.sizeGlobal(alive ? stepsAxis(scan.axis) : scan.axis)).set(remaining);
  if (scan.direction === "forward") code.i32(0).set(step);
  else code.get(remaining).i32(1).do("i32.sub").set(step);
  const firstRow = code.local(i32);
  const ahead = scan.ahead === undefined ? undefined : stepsAhead(code, context, scan, scan.ahead, remaining, emit);
  code.times(remaining, () => {
    ahead?.enter(step);
    segment?.enter(step);
    if (alive) {
      const entry = code.local(i32);
      pushBuffer(code, context, context.packed!.steps, 8);
      code.get(step).i32(2).do("i32.shl", "i32.add").tee(entry).i32Load(0).set(firstRow);
      code
        .get(entry)
        .i32Load(4)
        .get(firstRow)
        .do("i32.sub")
        .setGlobal(context.sizeGlobal(aliveAxis(scan.axis)));
    }
    emit(scan.body, [step, ahead?.since ?? firstRow]);
    ahead?.leave();
    code.advance(step, scan.direction === "forward" ? 1 : -1);
  });
  segment?.leave();
}

/** Where the products of the steps before have been read, those of the next ones are made; `since` counts from the first of them. */
function stepsAhead(
  code: Code,
  context: EmitContext,
  { axis, direction }: Scan,
  { products, budget, ofStep }: Ahead,
  remaining: Local,
  emit: (commands: readonly Command[], steps: readonly Local[]) => void,
): { readonly since: Local; enter(step: Local): void; leave(): void } {
  const [most, count, left, first, since] = [0, 1, 2, 3, 4].map(() => code.local(i32)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const floats = code.local(i32);
  code.i32(0);
  for (const each of ofStep) {
    pushSize(code, context, each);
    code.do("i32.add");
  }
  code.tee(floats).do("i32.eqz");
  // No rows: whatever many steps have no products.
  code.if(() => code.i32(1).set(floats));
  code.i32(budget).get(floats).do("i32.div_u").tee(most).do("i32.eqz");
  code.if(() => code.i32(1).set(most));
  return {
    since,
    enter(step) {
      code.get(left).do("i32.eqz");
      code.if(() => {
        code.get(most).set(count);
        code.get(remaining).get(most).do("i32.lt_s");
        code.if(() => code.get(remaining).set(count));
        code
          .get(count)
          .tee(left)
          .setGlobal(context.sizeGlobal(aheadAxis(axis)));
        code.get(step).set(first).i32(0).set(since);
        if (direction === "backward") {
          code.get(count).i32(1).do("i32.sub").set(since);
          code.get(step).get(since).do("i32.sub").set(first);
        }
        emit(products, [first]);
      });
    },
    leave() {
      code.advance(left, -1).advance(since, direction === "forward" ? 1 : -1);
    },
  };
}

/** While a segment runs, the size of the axis is that of the segment, the last one having what is left. */
function segmentSizes(code: Code, context: EmitContext, axis: Axis): { enter(step: Local): void; leave(): void } {
  const [size, length] = [context.sizeGlobal(axis), context.sizeGlobal(segmentLength(axis))];
  const start = context.starts!.get(axis)!; // emitModule has one for each axis that is cut.
  const [whole, left] = [code.local(i32), code.local(i32)];
  code.getGlobal(size).set(whole);
  return {
    enter(step) {
      code.get(step).getGlobal(length).do("i32.mul").setGlobal(start);
      code.get(whole).getGlobal(start).do("i32.sub").set(left);
      code.get(left).getGlobal(length).do("i32.lt_u");
      code.if(
        () => code.get(left).setGlobal(size),
        () => code.getGlobal(length).setGlobal(size),
      );
    },
    leave() {
      code.get(whole).setGlobal(size);
      code.i32(0).setGlobal(start);
    },
  };
}

/**
 * Rows of a table to rows of a tensor, or back, added. An index that is not the number of a row touches no memory: gather makes
 * the row NaN, scatterAdd leaves it out.
 */
function emitRowMoves(
  code: Code,
  context: EmitContext,
  command: Extract<Command, { kind: "gather" | "scatterAdd" }>,
  address: (access: Access) => void,
): void {
  const [row, index, dense, table, feature] = [0, 1, 2, 3, 4].map(() => code.local(i32)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const gather = command.kind === "gather";
  const rows = gather ? command.target : command.source;
  const tableAccess = gather ? command.table : command.target;
  const tableRows = gather ? command.tableRows : command.targetRows;
  const tableRow = gather ? command.tableRow : command.targetRow;
  address(command.index.access);
  code.set(index);
  address(rows.access);
  const denseStart = code.local(i32);
  code.set(denseStart);
  const eachFeature = (body: () => void) => {
    code.get(denseStart).set(dense).i32(command.features).set(feature);
    code.times(feature, () => {
      body();
      code.advance(dense, 4);
    });
  };
  pushSize(code, context, rows.count);
  code.set(row);
  code.times(row, () => {
    // Saturating, so that NaN and huge numbers do not trap; they and fractions differ from what they are truncated to.
    code.get(index).f32Load(0).do("i32.trunc_sat_f32_s").tee(table).do("f32.convert_i32_s");
    code.get(index).f32Load(0).do("f32.eq");
    // Unsigned: a negative index is a huge one.
    code.get(table).i32(tableRows).do("i32.lt_u", "i32.and");
    code.if(
      () => {
        address(tableAccess);
        code
          .get(table)
          .i32(tableRow * 4)
          .do("i32.mul", "i32.add")
          .set(table);
        eachFeature(() => {
          if (gather) code.get(dense).get(table).f32Load(0).f32Store(0);
          else code.get(table).get(table).f32Load(0).get(dense).f32Load(0).do("f32.add").f32Store(0);
          code.advance(table, 4);
        });
      },
      gather ? () => eachFeature(() => code.get(dense).f32(Number.NaN).f32Store(0)) : undefined,
    );
    for (const [pointer, stride] of [
      [index, command.index.stride],
      [denseStart, rows.stride],
    ] as const) {
      code.get(pointer);
      pushSize(code, context, stride);
      code.i32(2).do("i32.shl", "i32.add").set(pointer);
    }
  });
}
