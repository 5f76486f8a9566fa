/**
 * Cuts what is done once for the whole batch into stages, so that threads can share it: in a stage that they do together each of them
 * takes a part of the outermost dimension of every loop, and a part of the columns of every weight that is packed. Parts do not meet,
 * and no element depends on where they are cut: any number of threads gives the same bits.
 */

import { type Touched, touchedBy } from "./constants.ts";
import { cutOf } from "./dims.ts";
import {
  type Access,
  type BufferId,
  type Command,
  equalSize,
  type Loop,
  loadsOf,
  type Plan,
  type Stage,
  samePlace,
  size,
  writesOf,
} from "./plan.ts";

export function inStages(plan: Plan): Plan {
  const stages: { together: boolean; commands: TouchingCommand[]; elements: number }[] = [];
  for (const command of plan.commands) {
    const together = canBeShared(command);
    const touching = { command, ...touchedBy(command) };
    const earliest = stages.reduce((latest, stage, i) => {
      if (!stage.commands.some((before) => mustPrecede(before, touching))) return latest;
      // In a stage that one thread does, commands keep their order.
      return Math.max(latest, stage.together ? i + 1 : i);
    }, 0);
    let at = stages.findIndex((stage, i) => i >= earliest && stage.together === together);
    if (at < 0) at = stages.push({ together, commands: [], elements: 0 }) - 1;
    stages[at]!.commands.push(touching);
    stages[at]!.elements += together ? elementsOf(command) : 0;
  }
  const cut = stages.map((stage) => ({ ...stage, commands: stage.commands.map(({ command }) => command) }));
  return { ...plan, stages: cut, commands: cut.flatMap(({ commands }) => commands) };
}

type TouchingCommand = Touched & { readonly command: Command };

function mustPrecede(before: TouchingCommand, after: TouchingCommand): boolean {
  const meets = (a: readonly BufferId[], b: readonly BufferId[]) => a.some((buffer) => b.includes(buffer));
  if (meets(before.writes, after.reads) || meets(before.reads, after.writes)) return true;
  return meets(before.writes, after.writes) && !writeApart(before.command, after.command);
}

/** Whether two loops write different runs of each buffer that both write, as parts of a concatenation are. */
function writeApart(a: Command, b: Command): boolean {
  if (a.kind !== "loop" || b.kind !== "loop" || a.reductions.length > 0 || b.reductions.length > 0) return false;
  return a.stores.every(({ access: one }) =>
    b.stores.every(({ access: other }) => {
      if (one.buffer !== other.buffer) return true;
      const [x, y] = [runOf(one, a), runOf(other, b)];
      return x !== undefined && y !== undefined && (x.end <= y.start || y.end <= x.start);
    }),
  );
}

/** From its first to its last element, where all sizes are constants. */
function runOf({ offset, start, strides }: Access, { dims }: Loop): { start: number; end: number } | undefined {
  const sizes = [start, ...dims.flatMap(({ name, size: count }) => [count, strides[name] ?? size(0)])];
  if (sizes.some(({ axes }) => axes.length > 0)) return undefined;
  const first = offset + start.coefficient;
  const reach = dims.reduce(
    (sum, { name, size: count }) => sum + (count.coefficient - 1) * (strides[name]?.coefficient ?? 0),
    0,
  );
  return { start: first, end: first + reach + 1 };
}

function canBeShared(command: Command): boolean {
  if (command.kind === "pack") return true;
  return command.kind === "loop" && canBeCut(command);
}

/** Whether the parts of a loop's outermost dimension write different elements and read none of each other's. */
function canBeCut(loop: Loop): boolean {
  if (loop.dims.length === 0 || loop.dims.some(({ size: { axes } }) => axes.length > 0)) return false;
  if (loop.ops.some(({ kind }) => kind === "position" || kind === "random" || kind === "step")) return false;
  const [loads, writes] = [loadsOf(loop), writesOf(loop)];
  const outermost = cutOf(loop).outermost.name;
  return writes.every(
    (write) =>
      !equalSize(write.strides[outermost] ?? size(0), size(0)) &&
      loads.every((load) => load.buffer !== write.buffer || samePlace(load, write, loop)),
  );
}

function elementsOf(command: Command): number {
  if (command.kind === "pack") return command.k * command.n;
  if (command.kind !== "loop") return 0;
  return command.dims.reduce((product, dim) => product * dim.size.coefficient, 1);
}

/** The stages of a plan: all of it in one where it is not cut. */
export function stagesOf({ stages, commands }: Plan): readonly Stage[] {
  return stages ?? [{ together: false, commands, elements: 0 }];
}
