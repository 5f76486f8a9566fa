/** Rows of a buffer as columns of wider rows: where they lie, and how what reads and writes them finds them there. */
import type { Access, BufferId, Rows, Size } from "../plan/plan.ts";
import type { Move } from "./relocate.ts";
import type { Use } from "./scopes.ts";

export interface Place {
  readonly buffer: BufferId;
  /** Numbers of a row, before and there. */
  readonly width: number;
  readonly wide: number;
  /** A row is cut into parts of this many numbers, which begin at these columns. */
  readonly part: number;
  readonly columns: readonly number[];
}

/** The same values in their new place; undefined where it takes steps that are neither of whole rows nor within a part of one. */
export function moved(access: Access, place: Place): Access | undefined {
  const { buffer, width, wide, part, columns } = place;
  const start = widened(access.start, place);
  const strides = Object.entries(access.strides).map(([dim, stride]) => [dim, widened(stride, place)] as const);
  if (start === undefined || strides.some(([, stride]) => stride === undefined)) return undefined;
  const column = access.offset % width;
  return {
    buffer,
    offset: ((access.offset - column) / width) * wide + columns[Math.floor(column / part)]! + (column % part),
    start,
    strides: Object.fromEntries(strides) as Record<string, Size>, // None is undefined.
  };
}

/** Moves what lies in the buffers that have a place. @throws where `moved` would be undefined. */
export function moveTo(places: ReadonlyMap<BufferId, Place>): Move {
  const access = (given: Access): Access => {
    const place = places.get(given.buffer);
    return place === undefined ? given : moved(given, place)!;
  };
  const rows = ({ access: at, count, stride }: Rows): Rows => {
    const place = places.get(at.buffer);
    return { access: access(at), count, stride: place === undefined ? stride : widened(stride, place)! };
  };
  return { moves: (id) => places.has(id), buffer: (id) => id, access, rows };
}

/** A distance between rows grows with them, one within a part stays. */
function widened(distance: Size, { width, wide, part }: Place): Size | undefined {
  if (distance.axes.length === 0 && distance.coefficient < part) return distance;
  const rows = distance.coefficient / width;
  return Number.isInteger(rows) ? { ...distance, coefficient: rows * wide } : undefined;
}

/** Whether all that it runs over stays within a part of a row, or steps from row to row. */
export function isMovable({ access, spans }: Use, place: Place): boolean {
  if (spans === undefined || moved(access, place) === undefined) return false;
  let last = access.offset % place.part;
  for (const { stride, count } of spans) {
    if (widened(stride, place) === undefined) return false;
    if (stride.axes.length > 0 || stride.coefficient === 0 || stride.coefficient >= place.part) continue;
    if (count.axes.length > 0) return false;
    last += (count.coefficient - 1) * stride.coefficient;
  }
  return last < place.part;
}
