/**
 * A scan that reads, for the last time, what another one has left, and leaves values of its own for the same elements, leaves them over
 * what it reads: the gradients of gates, side by side in rows that a product reads, take the memory of the gates. Those lie in
 * these wide rows from the first.
 */
import { isSameAccess, noSize } from "../plan/layout.ts";
import { type Access, type BufferId, equalSize, loadsOf, type Plan, size, times } from "../plan/plan.ts";
import { relocated } from "./relocate.ts";
import { isStoredOnlyBy, isTouchedOnlyBy, loopsOfScans } from "./scopes.ts";
import { isMovable, moved, moveTo, type Place } from "./widerRows.ts";

export function stackInPlace(plan: Plan): Plan {
  const places = new Map<BufferId, Place>();
  /** What has been laid over others stays where it is. */
  const wides = new Set<BufferId>();
  for (const { scan, loop, uses, begins, ends } of loopsOfScans(plan)) {
    const loads = loadsOf(loop).filter(({ buffer }) => ends(buffer) && isTouchedOnlyBy(scan, loop, buffer));
    /** Where the buffer of `load` may lie, one of so many equal parts, so that the loop's result is stored over what it reads. */
    const placeFor = (load: Access, store: Access, parts: number): Place | undefined => {
      const place = placeOver(plan, load, store);
      if (place === undefined || place.wide !== parts * place.width || store.offset % place.width !== 0)
        return undefined;
      const inLoop = loads.filter(({ buffer }) => buffer === load.buffer);
      const fits = inLoop.every((other) => isSameAccess(moved(other, place), store));
      return fits && uses(load.buffer).every((use) => isMovable(use, place)) ? place : undefined;
    };
    for (const wide of new Set(loop.stores.map(({ access }) => access.buffer))) {
      if (places.has(wide) || !begins(wide) || !isStoredOnlyBy(scan, loop, wide)) continue;
      const stores = loop.stores.filter(({ access }) => access.buffer === wide);
      const over = new Map<BufferId, Place>();
      for (const { access: store } of stores) {
        for (const load of loads) {
          if (wides.has(load.buffer) || places.has(load.buffer) || over.has(load.buffer)) continue;
          const place = placeFor(load, store, stores.length);
          if (place === undefined) continue;
          over.set(load.buffer, place);
          break;
        }
      }
      // Otherwise the rest of the wide rows would take memory from the first scan on.
      if (over.size < stores.length) continue;
      for (const [buffer, place] of over) places.set(buffer, place);
      wides.add(wide);
    }
  }
  if (places.size === 0) return plan;
  const move = moveTo(places);
  return { ...plan, commands: plan.commands.map((command) => relocated(command, move)) };
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
  const width = wider === 1 ? narrow.coefficient : Math.min(...rows);
  const place = { buffer: store.buffer, width, wide: wider * width, part: width, columns: [store.offset] };
  return isSameAccess(moved(load, place), store) ? place : undefined;
}
