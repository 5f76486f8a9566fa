/** The arena: an address for every buffer. Temporaries whose lifetimes do not meet share their bytes. */
import { type AxisSizes, segmentLength, sizeOf } from "../../../base/shapes.ts";
import { touchedBy } from "../plan/constants.ts";
import type { Buffer, BufferId, Command, Plan, Size, Stage } from "../plan/plan.ts";

export interface MemoryPlan {
  /** Byte address of each buffer, by id: of temporaries within the arena, of inputs and outputs within the shard. */
  readonly addresses: readonly number[];
  readonly arenaBytes: number;
  readonly shardBytes: number;
}

/** Cache lines: no two buffers share one. */
const alignment = 64;

/**
 * Places the buffers of one program: inputs and outputs one behind the other, temporaries by lifetime. `placed` gives the
 * addresses of buffers that lie elsewhere: parameters, and what is kept between calls. `capacity` is the largest size of each axis.
 */
export function planMemory(plan: Plan, capacity: AxisSizes, placed: ReadonlyMap<BufferId, number>): MemoryPlan {
  const addresses: number[] = [];
  let fixedEnd = 0;
  const inScan = capacities(plan.commands, capacity);
  const bytes = (buffer: Buffer) => {
    const sizes = buffer.home === undefined ? capacity : inScan.get(buffer.home)!;
    const floats = (of: readonly Size[]) => of.reduce((total, size) => total + evaluate(size, sizes), 0);
    return align(Math.min(floats(buffer.sizes), buffer.enough === undefined ? Infinity : floats(buffer.enough)) * 4);
  };
  plan.buffers.forEach((buffer, id) => {
    const known = placed.get(id as BufferId); // The position in the list is the id.
    if (known !== undefined) addresses[id] = known;
    else if (buffer.role !== "temporary") {
      addresses[id] = fixedEnd;
      fixedEnd += bytes(buffer);
    }
  });

  let end = 0;
  const lifetimes = lifetimesOf(plan);
  const active: { readonly last: number; readonly from: number; readonly to: number }[] = [];
  const order = [...lifetimes.entries()]
    .filter(([id]) => plan.buffers[id]!.role === "temporary" && !placed.has(id))
    .sort(([, a], [, b]) => a.first - b.first);
  for (const [id, { first, last }] of order) {
    for (let i = active.length - 1; i >= 0; i--) if (active[i]!.last < first) active.splice(i, 1);
    const needed = bytes(plan.buffers[id]!);
    let from = 0;
    // First fit between the buffers alive now, which are kept in the order of their addresses.
    for (const other of active) {
      if (from + needed <= other.from) break;
      from = Math.max(from, other.to);
    }
    addresses[id] = from;
    const behind = active.findIndex((other) => other.from > from);
    active.splice(behind < 0 ? active.length : behind, 0, { last, from, to: from + needed });
    end = Math.max(end, from + needed);
  }
  return { addresses, arenaBytes: end, shardBytes: fixedEnd };
}

/** By scan: the largest sizes in its body. An axis that is cut is no longer than a segment there. */
function capacities(
  commands: readonly Command[],
  capacity: AxisSizes,
  found = new Map<number, AxisSizes>(),
): ReadonlyMap<number, AxisSizes> {
  for (const command of commands) {
    if (command.kind !== "scan") continue;
    const { cuts } = command;
    const inside =
      cuts === undefined
        ? capacity
        : { ...capacity, [cuts]: Math.min(sizeOf(cuts, capacity), sizeOf(segmentLength(cuts), capacity)) };
    found.set(command.id, inside);
    capacities(command.body, inside, found);
  }
  return found;
}

export function evaluate(size: Size, sizes: AxisSizes): number {
  return size.axes.reduce((total, axis) => total * sizeOf(axis, sizes), size.coefficient);
}

interface Lifetime {
  first: number;
  last: number;
}

/** First and last command that touches each buffer. What lives outside a scan lives through the whole scan if its body touches it. */
function lifetimesOf(plan: Plan): Map<BufferId, Lifetime> {
  const lifetimes = new Map<BufferId, Lifetime>();
  let position = 0;
  const touch = (id: BufferId, at: number) => {
    const known = lifetimes.get(id);
    if (known === undefined) lifetimes.set(id, { first: at, last: at });
    else {
      known.first = Math.min(known.first, at);
      known.last = Math.max(known.last, at);
    }
  };
  // Threads that work together are at different commands of a stage at the same time: its buffers live through all of it.
  const stageOf = new Map(
    (plan.stages ?? []).flatMap((stage) =>
      stage.together ? stage.commands.map((command) => [command, stage] as const) : [],
    ),
  );
  let stage: Stage | undefined;
  const visit = (commands: readonly Command[], enclosing: readonly number[]): Set<BufferId> => {
    const touched = new Set<BufferId>();
    for (const command of commands) {
      const own = stageOf.get(command);
      if (own === undefined || own !== stage) position++;
      stage = own;
      if (command.kind === "scan") {
        const begin = position;
        const inside = visit([...(command.ahead?.products ?? []), ...command.body], [...enclosing, command.id]);
        const finish = ++position;
        for (const id of inside) {
          touched.add(id);
          const { home } = plan.buffers[id]!;
          if (home === undefined || enclosing.includes(home)) {
            touch(id, begin);
            touch(id, finish);
          }
        }
      } else {
        const { reads, writes } = touchedBy(command);
        for (const list of [reads, writes]) {
          for (const id of list) {
            touched.add(id);
            touch(id, position);
          }
        }
      }
    }
    return touched;
  };
  visit(plan.commands, []);
  return lifetimes;
}

function align(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
