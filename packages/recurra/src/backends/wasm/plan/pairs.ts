/**
 * Sums of outer products over the same rows become pairs, as the gradients of both weights of a recurrent layer do: kernels that pack these
 * rows do it once for both.
 */
import { touchedBy } from "./constants.ts";
import { isSameAccess } from "./layout.ts";
import { type Command, equalSize, type Outer, type Plan } from "./plan.ts";

export function outersInPairs(plan: Plan): Plan {
  const commands: Command[] = [];
  const moved = new Set<Command>();
  plan.commands.forEach((command, i) => {
    if (moved.has(command)) return;
    if (command.kind !== "outer") {
      commands.push(command);
      return;
    }
    const pair = pairOf(command, plan.commands.slice(i + 1), plan);
    if (pair !== undefined) moved.add(pair);
    commands.push(pair === undefined ? command : { ...command, pair });
  });
  return { ...plan, commands };
}

/** The first sum over the same rows behind this one, if nothing between them stands against computing it here. */
function pairOf(sum: Outer, behind: readonly Command[], plan: Plan): Outer | undefined {
  const at = behind.findIndex((other) => hasSameRows(sum, other));
  const found = behind[at] as Outer | undefined;
  return found !== undefined && isMovable(found, behind.slice(0, at), plan) ? found : undefined;
}

function hasSameRows({ a, m }: Outer, other: Command): boolean {
  if (other.kind !== "outer" || other.m !== m) return false;
  const { access, stride, count } = other.a;
  return isSameAccess(a.access, access) && equalSize(a.stride, stride) && equalSize(a.count, count);
}

/** Whether a sum may run before these. What they write of an output beside it are other elements: each of them is one value. */
function isMovable(sum: Outer, before: readonly Command[], { buffers }: Plan): boolean {
  const { reads, writes } = touchedBy(sum);
  return before.every((other) => {
    const touched = touchedBy(other);
    return (
      !touched.reads.some((buffer) => writes.includes(buffer)) &&
      !touched.writes.some(
        (buffer) => reads.includes(buffer) || (writes.includes(buffer) && buffers[buffer]!.role !== "output"),
      )
    );
  });
}
