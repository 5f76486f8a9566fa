/**
 * Gradients of large tables, such as embeddings, of which a batch reads some rows only. A sum over rows is made in each shard and then
 * added up; for a table that would be many zeros, written and added once for each shard. So the rows leave what they would have added,
 * and the one table behind them takes it from all shards, one after the other.
 *
 *     rows:   0 → T;  T[index] += x          rows:         x stays
 *     sums:   T += T of each other shard     behind them:  0 → T;  T[index] += x, for each shard
 */
import { touchedBy } from "./constants.ts";
import { elementsOf } from "./dims.ts";
import { type BufferId, type Command, equalSize, type Loop, type Plan } from "./plan.ts";

type ScatterAdd = Extract<Command, { kind: "scatterAdd" }>;

/** What is left to do for tables behind the rows. */
export interface LateSums {
  /** Of all rows, once. */
  readonly clear: readonly Loop[];
  /** Of each shard. */
  readonly add: readonly ScatterAdd[];
}

/** Numbers of a table from which on it counts as large, 1 MiB: below, what is added for each shard is less than what one thread would do alone. */
const largeTable = 2 ** 18;

/** The plan without the sums into large tables among `sums`, the buffers of partial sums. What they read stays until the next call. */
export function tablesLast(
  plan: Plan,
  sums: ReadonlySet<BufferId>,
): { readonly plan: Plan; readonly late: LateSums | undefined } {
  const read = new Set(plan.commands.flatMap((command) => touchedBy(command).reads));
  const found = plan.commands.flatMap((command) => {
    if (command.kind !== "scatterAdd" || !sums.has(command.target.buffer)) return [];
    // What the rows themselves go on with must be there at once.
    if (read.has(command.target.buffer)) return [];
    const clear = plan.commands.find((other): other is Loop => other.kind === "loop" && clears(other, command));
    const numbers = command.targetRows * command.features;
    if (clear === undefined || numbers < largeTable || command.targetRow !== command.features) return [];
    return [{ clear, add: command }];
  });
  if (found.length === 0) return { plan, late: undefined };
  const clear = found.map((each) => each.clear);
  const add = found.map((each) => each.add);
  const taken = new Set<Command>([...clear, ...add]);
  const kept = new Set(add.flatMap(({ source, index }) => [source.access.buffer, index.access.buffer]));
  const buffers = plan.buffers.map((buffer, id) =>
    kept.has(id as BufferId) && buffer.role === "temporary" ? { ...buffer, role: "output" as const } : buffer,
  );
  const commands = plan.commands.filter((command) => !taken.has(command));
  return { plan: { ...plan, buffers, commands }, late: { clear, add } };
}

/** Whether the loop does nothing but fill the target with zeros. */
function clears(loop: Loop, { target, targetRows, features }: ScatterAdd): boolean {
  const [store] = loop.stores;
  if (store === undefined || loop.stores.length > 1 || loop.reductions.length > 0) return false;
  const value = loop.ops[store.value]!;
  return (
    value.kind === "literal" &&
    value.value === 0 &&
    store.access.buffer === target.buffer &&
    store.access.offset === target.offset &&
    equalSize(store.access.start, target.start) &&
    elementsOf(loop) === targetRows * features
  );
}
