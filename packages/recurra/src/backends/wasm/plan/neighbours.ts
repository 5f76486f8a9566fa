/**
 * Loops over large values next to each other: the native kernels then run them in turns, some rows of one and the same rows of the
 * next, which finds them in the cache. So with the logits of a language model, their exponentials and their gradient, between which
 * the loss is summed up:
 *
 *     before:  logits → top;  exp(logits − top), total;  total → loss, counts;  logits → gradient
 *     after:   logits → top;  exp(logits − top), total;  counts;  logits → gradient;  total → loss
 */
import { touchedBy } from "./constants.ts";
import { type Command, type Loop, type LoopOp, loadsOf, type Plan, type Ref } from "./plan.ts";

/** Columns of a row, at least, for which others make way: rows of 16 KiB. */
const wideRow = 4096;

export function largeLoopsTogether(plan: Plan): Plan {
  const commands: Command[] = [];
  let run: Loop[] = [];
  for (const command of plan.commands) {
    if (command.kind === "loop") run.push(command);
    else {
      commands.push(...ordered(run), command);
      run = [];
    }
  }
  return { ...plan, commands: [...commands, ...ordered(run)] };
}

/** What large loops need and waits for none of them, these with what stands between them, the rest: each in its order. */
function ordered(given: readonly Loop[]): readonly Loop[] {
  const large = given.filter(isLarge);
  if (large.length < 2) return given;
  const [first, last] = [given.indexOf(large[0]!), given.indexOf(large.at(-1)!)];
  const run = given.flatMap((loop, i) => (i > first && i < last && !isLarge(loop) ? apart(loop) : [loop]));
  const needed = new Set<Loop>();
  for (const loop of [...run].reverse())
    if (isLarge(loop) || [...needed].some((later) => waits(later, loop))) needed.add(loop);
  const between = new Set<Loop>();
  for (const loop of run)
    if (isLarge(loop) || (needed.has(loop) && [...between].some((earlier) => waits(loop, earlier)))) between.add(loop);
  const before = run.filter((loop) => needed.has(loop) && !between.has(loop));
  return [...before, ...between, ...run.filter((loop) => !needed.has(loop))];
}

function isLarge({ dims }: Loop): boolean {
  const columns = dims.at(-1)?.size;
  if (columns === undefined || columns.axes.length > 0 || columns.coefficient < wideRow) return false;
  return dims.some(({ size }) => size.axes.length > 0);
}

/** Whether a loop must stay behind one before it. */
function waits(loop: Loop, before: Loop): boolean {
  const [own, other] = [touchedBy(loop), touchedBy(before)];
  return (
    own.writes.some((buffer) => other.reads.includes(buffer) || other.writes.includes(buffer)) ||
    own.reads.some((buffer) => other.writes.includes(buffer))
  );
}

/** What is made element by element and what is summed up, each by itself, where the one does not overwrite what the other reads. */
function apart(loop: Loop): readonly Loop[] {
  const { stores, reductions } = loop;
  const read = new Set(loadsOf(loop).map(({ buffer }) => buffer));
  if (stores.length === 0 || reductions.length === 0 || stores.some(({ access }) => read.has(access.buffer)))
    return [loop];
  return [needing({ ...loop, reductions: [] }), needing({ ...loop, stores: [] })];
}

/** The loop with those ops only that its results are made of. */
function needing(loop: Loop): Loop {
  const needed = new Set<Ref>([...loop.stores, ...loop.reductions].map(({ value }) => value));
  for (let ref = loop.ops.length - 1; ref >= 0; ref--)
    if (needed.has(ref)) for (const operand of refsOf(loop.ops[ref]!)) needed.add(operand);
  const places = new Map([...needed].sort((a, b) => a - b).map((ref, place) => [ref, place]));
  const at = (ref: Ref) => places.get(ref)!;
  const moved = <R extends { readonly value: Ref }>(result: R): R => ({ ...result, value: at(result.value) });
  return {
    ...loop,
    ops: loop.ops.filter((_, ref) => needed.has(ref)).map((op) => withRefs(op, at)),
    stores: loop.stores.map(moved),
    reductions: loop.reductions.map(moved),
  };
}

function refsOf(op: LoopOp): readonly Ref[] {
  const refs: Ref[] = [];
  withRefs(op, (ref) => refs.push(ref));
  return refs;
}

function withRefs(op: LoopOp, map: (ref: Ref) => Ref): LoopOp {
  switch (op.kind) {
    case "random":
      return { ...op, seed: map(op.seed) };
    case "unary":
      return { ...op, x: map(op.x) };
    case "binary":
      return { ...op, a: map(op.a), b: map(op.b) };
    case "select":
      return { ...op, condition: map(op.condition), a: map(op.a), b: map(op.b) };
    default:
      return op;
  }
}
