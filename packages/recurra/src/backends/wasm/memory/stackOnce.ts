/**
 * A loop leaves a value in one stack, not in two: rows of gradients of gates, as the product with the input needs them, differ from those
 * that the product with the state needs in one gate or none. What a second stack has in common with the first is read there, what it has
 * of its own is appended. A sum of outer products over columns that then lie apart is taken of each run of them.
 */
import { isSameAccess } from "../plan/layout.ts";
import {
  type BufferId,
  type Command,
  equalSize,
  type Loop,
  type Outer,
  type Plan,
  type Ref,
  type Scan,
  type Size,
  size,
  times,
} from "../plan/plan.ts";
import { relocated } from "./relocate.ts";
import { isStoredOnlyBy, loopsOfScans, type Use } from "./scopes.ts";
import { isMovable, moveTo, type Place } from "./widerRows.ts";

/** What one loop leaves in a buffer: rows with `part` numbers for each of its values. */
interface Stack {
  readonly buffer: BufferId;
  readonly part: number;
  readonly values: readonly Ref[];
}

export function stackOnce(plan: Plan): Plan {
  const places = new Map<BufferId, Place>();
  for (const { scan, loop, uses, begins } of loopsOfScans(plan)) {
    const stacks = [...new Set(loop.stores.map(({ access }) => access.buffer))]
      .filter((buffer) => begins(buffer) && isStoredOnlyBy(scan, loop, buffer))
      .flatMap((buffer) => stackOf(loop, buffer) ?? []);
    for (const kept of stacks) {
      for (const joined of stacks) {
        if (kept === joined || places.has(kept.buffer) || places.has(joined.buffer)) continue;
        const both = join(plan, kept, joined);
        if (both === undefined) continue;
        const fits = [...both].every(([buffer, place]) =>
          uses(buffer).every((use) => isMovable(use, place) || canBeCut(use, place)),
        );
        if (fits) for (const [buffer, place] of both) places.set(buffer, place);
      }
    }
  }
  if (places.size === 0) return plan;
  const move = moveTo(places);
  const changed = (command: Command): readonly Command[] => {
    if (command.kind === "outer")
      return runsOf(command, places.get(command.a.access.buffer)).map((run) => relocated(run, move));
    const there = relocated(command, move);
    if (there.kind === "loop") return [withoutRepeats(there)];
    return command.kind === "scan" ? [{ ...(there as Scan), body: command.body.flatMap(changed) }] : [there]; // It keeps its kind.
  };
  return {
    ...plan,
    buffers: plan.buffers.map((buffer, id) => {
      const place = places.get(id as BufferId); // The position in the list is the id.
      if (place?.buffer !== id) return buffer;
      return {
        ...buffer,
        sizes: buffer.sizes.map((one) => ({ ...one, coefficient: (one.coefficient / place.width) * place.wide })),
      };
    }),
    commands: plan.commands.flatMap(changed),
  };
}

/** Undefined where the loop's stores are no whole rows of equal parts. */
function stackOf(loop: Loop, buffer: BufferId): Stack | undefined {
  const stores = loop.stores
    .filter(({ access }) => access.buffer === buffer)
    .sort((a, b) => a.access.offset - b.access.offset);
  const part = stores[1]?.access.offset ?? 0;
  const inLine = stores.every(({ access }, i) => isSameAccess(access, { ...stores[0]!.access, offset: i * part }));
  const betweenRows = Object.values(stores[0]!.access.strides).filter(
    ({ coefficient, axes }) => axes.length === 0 && coefficient >= part,
  );
  const isWhole = betweenRows.some(({ coefficient }) => coefficient === stores.length * part);
  return part > 0 && inLine && isWhole ? { buffer, part, values: stores.map(({ value }) => value) } : undefined;
}

/** Places of both in the buffer of `kept`; undefined where they have no value in common or other rows. */
function join({ buffers }: Plan, kept: Stack, joined: Stack): Map<BufferId, Place> | undefined {
  const { buffer, part } = kept;
  const own = joined.values.filter((value) => !kept.values.includes(value));
  const all = [...kept.values, ...own];
  const [width, joinedWidth, wide] = [kept.values, joined.values, all].map((values) => values.length * part) as [
    number,
    number,
    number,
  ];
  const [ofKept, ofJoined] = [buffer, joined.buffer].map((id) => buffers[id]!.sizes[0]!) as [Size, Size];
  const sameRows = equalSize(times(ofKept, size(joinedWidth)), times(ofJoined, size(width)));
  if (own.length === joined.values.length || part !== joined.part || !sameRows) return undefined;
  const columns = joined.values.map((value) => part * all.indexOf(value));
  const together = columns.every((column, i) => column === columns[0]! + i * part);
  const parts = together ? { part: joinedWidth, columns: [columns[0]!] } : { part, columns };
  return new Map([
    [buffer, { buffer, width, wide, part: width, columns: [0] }],
    [joined.buffer, { buffer, width: joinedWidth, wide, ...parts }],
  ]);
}

/** Whether it is a sum of outer products over whole parts of rows. */
function canBeCut({ access, outer }: Use, place: Place): boolean {
  if (outer === undefined) return false;
  const { a, m } = outer;
  const { width, part } = place;
  const column = access.offset % width;
  const ofPart = [
    { stride: a.stride, count: a.count },
    { stride: size(1), count: size(part) },
  ];
  return column % part === 0 && m % part === 0 && column + m <= width && isMovable({ access, spans: ofPart }, place);
}

/** Sums over the columns that stay next to each other, of which each gives some rows of the result. */
function runsOf(outer: Outer, place: Place | undefined): readonly Outer[] {
  if (place === undefined || outer.m <= place.part) return [outer];
  const { a, c, cRow, m } = outer;
  const { width, part, columns } = place;
  const first = (a.access.offset % width) / part;
  const runs: { from: number; parts: number }[] = [];
  for (let from = 0; from < m / part; from++) {
    const last = runs.at(-1);
    if (last !== undefined && columns[first + from] === columns[first + from - 1]! + part) last.parts++;
    else runs.push({ from, parts: 1 });
  }
  return runs.map(({ from, parts }) => ({
    ...outer,
    a: { ...a, access: { ...a.access, offset: a.access.offset + from * part } },
    c: { ...c, offset: c.offset + from * part * cRow },
    m: parts * part,
  }));
}

/** A value is stored once where it lies once. */
function withoutRepeats(loop: Loop): Loop {
  const isRepeat = (at: number) => {
    const { value, access } = loop.stores[at]!;
    return loop.stores.slice(0, at).some((store) => store.value === value && isSameAccess(store.access, access));
  };
  return { ...loop, stores: loop.stores.filter((_, at) => !isRepeat(at)) };
}
