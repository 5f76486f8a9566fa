/**
 * A scan that reads, for the last time, what another one has left, and leaves values of its own for the same elements, leaves them over
 * what it reads: the gradients of gates, side by side in rows that a product reads, take the memory of the gates. Those lie in
 * these wide rows from the first.
 */
import { touchedBy } from "./constants.ts";
import { noSize } from "./layout.ts";
import {
  type Access,
  accessesOf,
  type BufferId,
  type Command,
  equalSize,
  type Loop,
  loadsOf,
  type Plan,
  type Rows,
  type Scan,
  type Size,
  size,
  times,
} from "./plan.ts";
import { relocated } from "./relocate.ts";

/** Rows of `width` numbers become columns, from `offset` on, of rows in another buffer that are `wider` times as wide. */
interface Place {
  readonly buffer: BufferId;
  readonly offset: number;
  readonly width: number;
  readonly wider: number;
}

export function stackInPlace(plan: Plan): Plan {
  const places = new Map<BufferId, Place>();
  findPlaces(plan, plan.commands, undefined, places);
  if (places.size === 0) return plan;
  const access = (given: Access): Access => {
    const place = places.get(given.buffer);
    return place === undefined ? given : moved(given, place)!;
  };
  const rows = ({ access: at, count, stride }: Rows): Rows => {
    const place = places.get(at.buffer);
    return { access: access(at), count, stride: place === undefined ? stride : widened(stride, place)! };
  };
  const move = { buffer: (id: BufferId) => id, access, rows };
  return { ...plan, commands: plan.commands.map((command) => relocated(command, move)) };
}

/** Of the buffers whose home is `home`: nothing but `commands` touches them. */
function findPlaces(
  plan: Plan,
  commands: readonly Command[],
  home: number | undefined,
  places: Map<BufferId, Place>,
): void {
  const touching = new Map<BufferId, Command[]>();
  for (const command of commands) {
    const { reads, writes } = touchedBy(command);
    for (const buffer of new Set([...reads, ...writes]))
      touching.set(buffer, [...(touching.get(buffer) ?? []), command]);
  }
  const uses = commands.flatMap(usesOf);
  const isOwn = (buffer: BufferId) => {
    const { role, home: own, enough, sizes } = plan.buffers[buffer]!;
    return role === "temporary" && own === home && enough === undefined && sizes.length === 1;
  };
  const begins = (buffer: BufferId, scan: Scan) => isOwn(buffer) && touching.get(buffer)![0] === scan;
  const ends = (buffer: BufferId, scan: Scan) => {
    const [first, ...others] = touching.get(buffer)!;
    return isOwn(buffer) && touchedBy(first!).writes.includes(buffer) && others.at(-1) === scan;
  };
  for (const scan of commands) {
    if (scan.kind !== "scan") continue;
    findPlaces(plan, scan.body, scan.id, places);
    for (const loop of scan.body) {
      if (loop.kind !== "loop") continue;
      const loads = loadsOf(loop).filter(({ buffer }) => ends(buffer, scan) && isTouchedBy(scan, loop, buffer));
      /** Where the buffer of `load` may lie, so that the loop's result is stored over what it reads. */
      const placeFor = (load: Access, store: Access): Place | undefined => {
        const place = placeOver(plan, load, store);
        if (place === undefined) return undefined;
        const isMoved = ({ buffer }: Access) => buffer === load.buffer;
        const stays = uses.filter(({ access }) => isMoved(access)).every((use) => isMovable(use, place));
        return stays && loads.filter(isMoved).every((other) => isSame(moved(other, place), store)) ? place : undefined;
      };
      const begin = loop.stores.map(({ access }) => access.buffer).filter((buffer) => begins(buffer, scan));
      for (const wide of new Set(begin)) {
        if (!isWrittenBy(scan, loop, wide)) continue;
        const over = new Map<BufferId, Place>();
        for (const { access: store } of loop.stores) {
          if (store.buffer !== wide) continue;
          for (const load of loads) {
            if (places.has(load.buffer) || over.has(load.buffer)) continue;
            const place = placeFor(load, store);
            if (place === undefined) continue;
            over.set(load.buffer, place);
            break;
          }
        }
        // Otherwise the rest of the wide rows would take memory from the first scan on.
        if ([...over.values()][0]?.wider === over.size) for (const [buffer, place] of over) places.set(buffer, place);
      }
    }
  }
}

/** Where the rows of `load` lie when each element lies where `store` puts its result. */
function placeOver({ buffers }: Plan, load: Access, store: Access): Place | undefined {
  const [narrow, wide] = [buffers[load.buffer]!.sizes[0]!, buffers[store.buffer]!.sizes[0]!];
  const wider = wide.coefficient / narrow.coefficient;
  if (!Number.isInteger(wider) || !equalSize(wide, times(narrow, size(wider)))) return undefined;
  const rows = Object.entries(load.strides)
    .filter(([dim, stride]) => !equalSize(stride, store.strides[dim] ?? noSize))
    .flatMap(([, stride]) => (stride.axes.length === 0 ? [stride.coefficient] : []));
  if (wider > 1 && rows.length === 0) return undefined;
  const place = {
    buffer: store.buffer,
    offset: store.offset,
    width: wider === 1 ? narrow.coefficient : Math.min(...rows),
    wider,
  };
  return isSame(moved(load, place), store) ? place : undefined;
}

function isSame(a: Access | undefined, b: Access): boolean {
  if (a === undefined) return false;
  const dims = new Set([...Object.keys(a.strides), ...Object.keys(b.strides)]);
  return (
    a.buffer === b.buffer &&
    a.offset === b.offset &&
    equalSize(a.start, b.start) &&
    [...dims].every((dim) => equalSize(a.strides[dim] ?? noSize, b.strides[dim] ?? noSize))
  );
}

/** Undefined where it goes over the end of a row. */
function moved(access: Access, place: Place): Access | undefined {
  const { buffer, offset, width, wider } = place;
  const start = widened(access.start, place);
  const strides = Object.entries(access.strides).map(([dim, stride]) => [dim, widened(stride, place)] as const);
  if (start === undefined || strides.some(([, stride]) => stride === undefined)) return undefined;
  const column = access.offset % width;
  return {
    buffer,
    offset: offset + (access.offset - column) * wider + column,
    start,
    strides: Object.fromEntries(strides) as Record<string, Size>, // None is undefined.
  };
}

/** A distance between rows grows with them, one within a row stays. */
function widened(distance: Size, { width, wider }: Place): Size | undefined {
  if (distance.axes.length === 0 && distance.coefficient < width) return distance;
  return distance.coefficient % width === 0 ? times(distance, size(wider)) : undefined;
}

/** An access, with what it runs over: undefined where that is not told by strides. */
interface Use {
  readonly access: Access;
  readonly spans: readonly { readonly stride: Size; readonly count: Size }[] | undefined;
}

function usesOf(command: Command): readonly Use[] {
  const rows = ({ access, stride, count }: Rows, features: number): Use => ({
    access,
    spans: [
      { stride, count },
      { stride: size(1), count: size(features) },
    ],
  });
  const whole = (access: Access): Use => ({ access, spans: undefined });
  switch (command.kind) {
    case "loop":
      return accessesOf(command).map((access) => ({
        access,
        spans: command.dims.map((dim) => ({ stride: access.strides[dim.name] ?? noSize, count: dim.size })),
      }));
    case "pack":
      return [whole(command.source)];
    case "gemm":
      return [rows(command.a, command.k), rows(command.c, command.n)];
    case "outer":
      return [rows(command.a, command.m), rows(command.b, command.n), whole(command.c)];
    case "gather":
      return [whole(command.table), rows(command.index, 1), rows(command.target, command.features)];
    case "scatterAdd":
      return [rows(command.source, command.features), rows(command.index, 1), whole(command.target)];
    case "scan":
      return [...(command.ahead?.products ?? []), ...command.body].flatMap(usesOf);
  }
}

/** Whether it stays within a row wherever it does not step from one to another. */
function isMovable({ access, spans }: Use, place: Place): boolean {
  if (spans === undefined || moved(access, place) === undefined) return false;
  let last = access.offset % place.width;
  for (const { stride, count } of spans) {
    if (widened(stride, place) === undefined) return false;
    if (stride.axes.length > 0 || stride.coefficient === 0 || stride.coefficient >= place.width) continue;
    if (count.axes.length > 0) return false;
    last += (count.coefficient - 1) * stride.coefficient;
  }
  return last < place.width;
}

/** Whether no other command of the scan touches the buffer. */
function isTouchedBy(scan: Scan, loop: Loop, buffer: BufferId): boolean {
  return everyOther(scan, loop, ({ reads, writes }) => ![...reads, ...writes].includes(buffer));
}

/** Whether no other command of the scan writes the buffer, and this one only stores into it. */
function isWrittenBy(scan: Scan, loop: Loop, buffer: BufferId): boolean {
  return (
    everyOther(scan, loop, ({ writes }) => !writes.includes(buffer)) &&
    loadsOf(loop).every((load) => load.buffer !== buffer) &&
    loop.reductions.every(({ access }) => access.buffer !== buffer)
  );
}

function everyOther({ ahead, body }: Scan, loop: Loop, holds: (touched: ReturnType<typeof touchedBy>) => boolean) {
  return [...(ahead?.products ?? []), ...body].every((other) => other === loop || holds(touchedBy(other)));
}
