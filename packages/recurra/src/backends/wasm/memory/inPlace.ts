/**
 * A loop that reads a value for the last time, element by element, writes its result over it: a softmax, its exponentials and its gradient
 * take the memory of the logits, one buffer in the cache instead of three.
 */
import { touchedBy } from "../plan/constants.ts";
import { accessesOf, type BufferId, type Command, loadsOf, type Plan, samePlace } from "../plan/plan.ts";
import { relocated, renaming } from "./relocate.ts";

export function inPlace(plan: Plan): Plan {
  const [first, last] = [new Map<BufferId, Command>(), new Map<BufferId, Command>()];
  for (const command of plan.commands) {
    const { reads, writes } = touchedBy(command);
    for (const buffer of [...reads, ...writes]) {
      if (!first.has(buffer)) first.set(buffer, command);
      last.set(buffer, command);
    }
  }
  /** The buffer that another one lies in. */
  const lies = new Map<BufferId, BufferId>();
  const isTemporary = (buffer: BufferId) => {
    const { role, home, enough } = plan.buffers[buffer]!;
    return role === "temporary" && home === undefined && enough === undefined;
  };
  // What was made before this plan runs, once for many calls, stays.
  const writtenFirst = (buffer: BufferId) => touchedBy(first.get(buffer)!).writes.includes(buffer);
  const sizesOf = (buffer: BufferId) => JSON.stringify(plan.buffers[buffer]!.sizes);
  for (const command of plan.commands) {
    if (command.kind !== "loop") continue;
    const taken = new Set<BufferId>();
    for (const { access } of command.stores) {
      const { buffer } = access;
      if (!isTemporary(buffer) || first.get(buffer) !== command || lies.has(buffer)) continue;
      const ended = loadsOf(command).find(
        (load) =>
          isTemporary(load.buffer) &&
          last.get(load.buffer) === command &&
          writtenFirst(load.buffer) &&
          !taken.has(load.buffer) &&
          sizesOf(load.buffer) === sizesOf(buffer) &&
          accessesOf(command).every(
            (other) => (other.buffer !== load.buffer && other.buffer !== buffer) || samePlace(other, access, command),
          ),
      );
      if (ended === undefined) continue;
      taken.add(ended.buffer);
      lies.set(buffer, lies.get(ended.buffer) ?? ended.buffer);
    }
  }
  if (lies.size === 0) return plan;
  const move = renaming(lies);
  const commands = plan.commands
    .map((command) => relocated(command, move))
    .filter((command) => !isCopyOntoItself(command));
  return { ...plan, commands };
}

/** What was a copy of a value into memory of its own. */
function isCopyOntoItself(command: Command): boolean {
  if (command.kind !== "loop" || command.reductions.length > 0) return false;
  return command.stores.every(({ value, access }) => {
    const op = command.ops[value]!;
    return op.kind === "load" && op.access.buffer === access.buffer && samePlace(op.access, access, command);
  });
}
