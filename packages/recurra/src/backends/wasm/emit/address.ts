/** Code that computes addresses and run-time sizes: what every emitter of a module needs. */
import { type Axis, segmentsOf } from "../../../base/shapes.ts";
import type { Code, Local, ModuleAssembler } from "../code/assembler.ts";
import type { Access, BufferId, PackedRows, Size } from "../plan/plan.ts";
import type { Abreast } from "./abreast.ts";

/** What all emitters of a module share. */
export interface EmitContext {
  readonly module: ModuleAssembler;
  readonly addressOf: (buffer: BufferId) => number;
  /** Global to which the addresses of a buffer are relative; undefined where they are absolute. */
  readonly baseOf: (buffer: BufferId) => number | undefined;
  /** Global that holds the run-time size of an axis. */
  readonly sizeGlobal: (axis: Axis) => number;
  /** By axis that a scan cuts: the global that holds where its current segment begins. */
  readonly starts?: ReadonlyMap<Axis, number>;
  /** Packed rows of the program being emitted. */
  readonly packed?: PackedRows | undefined;
  /** Global that holds the position of the first row of this call in the whole batch. */
  readonly firstRow: number;
  /** Of a program that takes shards side by side. */
  readonly abreast?: Abreast | undefined;
}

/** Whether an axis counts the segments of another. */
export function isSegments(context: Pick<EmitContext, "starts">, axis: Axis): boolean {
  return [...(context.starts?.keys() ?? [])].some((cut) => segmentsOf(cut) === axis);
}

/** Leaves the byte address of a buffer on the stack. */
export function pushBuffer(code: Code, context: EmitContext, buffer: BufferId, offset = 0): void {
  const base = context.baseOf(buffer);
  code.i32(context.addressOf(buffer) + offset);
  if (base !== undefined) code.getGlobal(base).do("i32.add");
}

/** Leaves the byte address of the access' first element on the stack. */
export function pushAddress(code: Code, context: EmitContext, access: Access, steps: ReadonlyMap<Axis, Local>): void {
  pushBuffer(code, context, access.buffer, access.offset * 4);
  pushOffset(code, context, access, steps);
  code.do("i32.add");
}

/** Leaves on the stack, in bytes, what start and the enclosing scans add to an access' address. */
export function pushOffset(
  code: Code,
  context: EmitContext,
  access: Pick<Access, "start" | "strides">,
  steps: ReadonlyMap<Axis, Local>,
): void {
  pushSize(code, context, access.start);
  for (const [axis, step] of steps) {
    const stride = access.strides[axis];
    if (stride === undefined) continue;
    code.get(step);
    pushSize(code, context, stride);
    code.do("i32.mul", "i32.add");
  }
  code.i32(2).do("i32.shl");
}

export function pushSize(code: Code, context: EmitContext, size: Size | number): void {
  if (typeof size === "number") {
    code.i32(size);
    return;
  }
  code.i32(size.coefficient);
  for (const axis of size.axes) code.getGlobal(context.sizeGlobal(axis)).do("i32.mul");
}
