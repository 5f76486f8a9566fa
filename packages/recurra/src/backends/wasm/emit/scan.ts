/** Emits a scan: the counter of its steps, and what changes with it: rows alive, products made ahead, the size of a segment. */
import { aliveAxis, packedAxis, stepsAxis } from "../../../base/packing.ts";
import { type Axis, segmentLength } from "../../../base/shapes.ts";
import { type Code, i32, type Local } from "../code/assembler.ts";
import { aheadAxis } from "../plan/ahead.ts";
import type { Ahead, Command, Scan } from "../plan/plan.ts";
import { eachShard } from "./abreast.ts";
import { type EmitContext, pushBuffer, pushSize } from "./address.ts";

/** The axes that scans cut into segments. */
export function cutAxes(commands: readonly Command[]): Axis[] {
  return commands.flatMap((command) =>
    command.kind === "scan" ? [...(command.cuts === undefined ? [] : [command.cuts]), ...cutAxes(command.body)] : [],
  );
}

/** What a packed program reads from memory before it begins, and at each step. */
export function packedSizesOf(axis: Axis): readonly Axis[] {
  return [packedAxis(axis), stepsAxis(axis), aliveAxis(axis)];
}

/**
 * The axes along which a scan moves what its body reads: its own and, of packed rows, that of the step's first row, or of products
 * made ahead that of their steps.
 */
export function stepsOf({ axis, rows, ahead }: Scan): readonly Axis[] {
  if (rows === "alive") return [axis, packedAxis(axis)];
  return ahead === undefined ? [axis] : [axis, aheadAxis(axis)];
}

/** Emits commands at a step, that is at its positions along `stepsOf`; products made ahead know the first one only. */
export type EmitBody = (commands: readonly Command[], steps: readonly Local[]) => void;

export function emitScan(code: Code, context: EmitContext, scan: Scan, emit: EmitBody): void {
  const [remaining, step] = [code.local(i32), code.local(i32)];
  const segment = scan.cuts === undefined ? undefined : segmentSizes(code, context, scan.cuts);
  const alive = scan.rows === "alive";
  code.getGlobal(context.sizeGlobal(alive ? stepsAxis(scan.axis) : scan.axis)).set(remaining);
  if (scan.direction === "forward") code.i32(0).set(step);
  else code.get(remaining).i32(1).do("i32.sub").set(step);
  const [firstRow, left] = [code.local(i32), code.local(i32)];
  const ahead = scan.ahead === undefined ? undefined : stepsAhead(code, context, scan, scan.ahead, remaining, emit);
  code.times(remaining, () => {
    if (ahead !== undefined) {
      code.get(left).do("i32.eqz");
      code.if(() => {
        ahead.make(step);
        code.get(ahead.count).set(left);
      });
    }
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
    if (ahead !== undefined) code.advance(left, -1).advance(ahead.since, scan.direction === "forward" ? 1 : -1);
    code.advance(step, scan.direction === "forward" ? 1 : -1);
  });
  segment?.leave();
}

/** A scan whose steps the kernels run, for all shards of the call: one call, or one behind each time that products are made ahead. */
export function emitScanOfKernels(
  code: Code,
  context: EmitContext,
  scan: Scan,
  emit: EmitBody,
  callSteps: (count: Local, own: readonly Local[]) => void,
): void {
  const [remaining, step] = [code.local(i32), code.local(i32)];
  code.getGlobal(context.sizeGlobal(scan.axis)).set(remaining);
  if (scan.direction === "forward") code.i32(0).set(step);
  else code.get(remaining).i32(1).do("i32.sub").set(step);
  if (scan.ahead === undefined) {
    callSteps(remaining, [step]);
    return;
  }
  const ofEachShard: EmitBody = (products, steps) => eachShard(code, context.abreast, () => emit(products, steps));
  const { make, count, since } = stepsAhead(code, context, scan, scan.ahead, remaining, ofEachShard);
  code.get(remaining).if(() =>
    code.loop(() => {
      make(step);
      callSteps(count, [step, since]);
      code
        .get(step)
        .get(count)
        .do(scan.direction === "forward" ? "i32.add" : "i32.sub")
        .set(step);
      code.get(remaining).get(count).do("i32.sub").tee(remaining).continueIf();
    }),
  );
}

/**
 * `make` makes the products of the next `count` steps: those that remain, from `step` on, as far as there is room for them; `since` is
 * then the position of this step, counted from the first of them.
 */
function stepsAhead(
  code: Code,
  context: EmitContext,
  { axis, direction }: Scan,
  { products, budget, ofStep }: Ahead,
  remaining: Local,
  emit: EmitBody,
): { readonly since: Local; readonly count: Local; make(step: Local): void } {
  const [most, count, first, since] = [0, 1, 2, 3].map(() => code.local(i32)) as [Local, Local, Local, Local];
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
  // As many products as that takes, but all of nearly as many steps: a last one of few rows would read the whole weight for them.
  const timesLess1 = code.local(i32);
  code.get(remaining).if(() => {
    code.get(remaining).i32(1).do("i32.sub").get(most).do("i32.div_u").tee(timesLess1);
    code.get(remaining).do("i32.add").get(timesLess1).i32(1).do("i32.add", "i32.div_u").set(most);
  });
  return {
    since,
    count,
    make(step) {
      code.get(most).set(count);
      code.get(remaining).get(most).do("i32.lt_s");
      code.if(() => code.get(remaining).set(count));
      code.get(count).setGlobal(context.sizeGlobal(aheadAxis(axis)));
      code.get(step).set(first).i32(0).set(since);
      if (direction === "backward") {
        code.get(count).i32(1).do("i32.sub").set(since);
        code.get(step).get(since).do("i32.sub").set(first);
      }
      emit(products, [first]);
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
