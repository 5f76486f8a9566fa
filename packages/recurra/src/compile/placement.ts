/** Where the parts of programs lie in the one memory, and which form of a program is used: the plain one, or in segments. */
import type { ProgramToEmit } from "../backends/wasm/emit/module.ts";
import { evaluate, planMemory } from "../backends/wasm/memory/arena.ts";
import type { BufferId } from "../backends/wasm/plan/plan.ts";
import { sharesWeights } from "../backends/wasm/plan/steps.ts";
import { type Axis, type AxisSizes, segmentLength, segmentsOf } from "../base/shapes.ts";
import { type Entry, type Part, type PlacedParam, withPackedSizes } from "./entry.ts";
import { largestShard, mostAbreast, rowsAlone, shardCount } from "./shards.ts";
import { stagingBytes } from "./tensors.ts";

/** Where the parts of one program lie, for the capacity compiled for. */
export interface Placement {
  readonly rows: readonly number[];
  readonly whole: readonly number[];
  /** Of one shard. */
  readonly arenaBytes: number;
  /** Shards that one thread alone takes side by side. */
  readonly abreast: number;
  readonly shardBytes: number;
  readonly arenaBase: number;
  readonly shardBase: number;
  readonly wholeBase: number;
  /** Runs of partial sums within a shard, without large tables: offset in bytes, length in floats, a multiple of 16. */
  readonly partials: readonly Run[];
}

export interface Run {
  readonly offset: number;
  readonly count: number;
}

export interface PlacedProgram {
  readonly entry: Entry;
  readonly placement: Placement;
  readonly emitted: readonly ProgramToEmit[];
  readonly end: number;
  /** Where it would end with a thread for each shard: the form of a program is chosen by this, whatever threads there are. */
  readonly widest: number;
}

/** An axis and the length of the segments it is cut into. */
export interface Segments {
  readonly axis: Axis;
  readonly length: number;
}

/** What is the same for all programs. */
export interface Ground {
  /** Where parameters lie, and where they end. */
  readonly params: ReadonlyMap<string, PlacedParam>;
  readonly paramEnd: number;
  /** How many threads may have an arena. */
  readonly threads: number;
  /** Whether the kernels run the steps of scans, of shards side by side too. */
  readonly runsSteps: boolean;
  /** Bytes that no program may take more than. */
  readonly most: number;
}

export interface Layout {
  readonly programs: ReadonlyMap<string, PlacedProgram>;
  /** Undefined when every program has its plain form. */
  readonly segments: Segments | undefined;
  readonly end: number;
  readonly widest: number;
}

/** Sizes that tell a program how its axis is cut. */
export function inSegments(sizes: AxisSizes, segments: Segments | undefined): AxisSizes {
  if (segments === undefined) return sizes;
  const { axis, length } = segments;
  return { ...sizes, [segmentsOf(axis)]: Math.ceil((sizes[axis] ?? 1) / length), [segmentLength(axis)]: length };
}

/**
 * Places every program in its plain form where that fits below `limit`, and the others in segments: of about √T steps, where the
 * states at their borders and the values of one of them are balanced (Chen et al. 2016), or shorter ones if these do not fit.
 * The smallest of all these layouts when none fits.
 */
export function layOut(
  plain: ReadonlyMap<string, Entry>,
  cutAlong: (axis: Axis) => ReadonlyMap<string, Entry> | undefined,
  capacity: AxisSizes,
  limit: number,
  ground: Ground,
): Layout {
  const plainly = new Map([...plain].map(([name, entry]) => [name, placeProgram(name, entry, capacity, ground)]));
  let smallest = together(plainly, undefined);
  if (smallest.widest <= limit) return smallest;
  // The longest axis that can be cut; the rows of a batch have nothing in common that could be kept at a border.
  const axes = Object.keys(capacity).filter((axis) => axis !== "batch" && capacity[axis]! > 1);
  for (const axis of axes.sort((a, b) => capacity[b]! - capacity[a]!)) {
    const pieces = cutAlong(axis);
    if (pieces === undefined) continue;
    for (let length = Math.ceil(Math.sqrt(capacity[axis]!)); length >= 1; length = Math.floor(length / 2)) {
      const segments = { axis, length };
      const programs = new Map(
        [...plainly].map(([name, placed]) => {
          const piece = placed.widest > limit ? pieces.get(name) : undefined;
          if (piece === undefined) return [name, placed];
          const inPieces = placeProgram(name, piece, inSegments(capacity, segments), ground);
          return [name, inPieces.widest < placed.widest ? inPieces : placed];
        }),
      );
      const found = together(programs, segments);
      if (found.widest < smallest.widest) smallest = found;
      if (found.widest <= limit) return found;
    }
    break;
  }
  return smallest;
}

function together(programs: ReadonlyMap<string, PlacedProgram>, segments: Segments | undefined): Layout {
  const placed = [...programs.values()];
  const [end, widest] = [placed.map((one) => one.end), placed.map((one) => one.widest)];
  return { programs, segments, end: Math.max(...end), widest: Math.max(...widest) };
}

function placeProgram(name: string, entry: Entry, capacity: AxisSizes, ground: Ground): PlacedProgram {
  const batch = capacity["batch"] ?? 1;
  const shards = entry.splits ? shardCount(batch, entry.rowsPerShard) : 1;
  const alone = rowsAlone(entry.rowsPerShard);
  const largest = entry.freeRows ? largestShard(batch, alone, alone) : largestShard(batch, entry.rowsPerShard);
  const rowCapacity = entry.splits ? { ...capacity, batch: largest } : capacity;
  const packed = withPackedSizes(rowCapacity, entry.rows.packing);
  const kept = placeKept(entry, capacity, ground.paramEnd);
  const placed = new Map([...placedParams(entry.rows, ground), ...kept.addresses]);
  const rows = planMemory(entry.rows.plan, packed, placed);
  const shardBase = kept.end;
  // The largest number of shards of any batch up to the capacity is that of the capacity.
  const arenaBase = shardBase + shards * rows.shardBytes;
  const partials = partialRuns(entry, rows.addresses, rows.shardBytes);
  const wholeParams = entry.whole === undefined ? new Map<BufferId, number>() : placedParams(entry.whole, ground);
  // The sums of all shards lie where shard 0 had its own.
  const summed = new Map(
    [...entry.partials].flatMap(([partial, output]) => {
      const input = entry.whole?.plan.inputs[partial];
      return input === undefined ? [] : [[input, shardBase + rows.addresses[output]!] as const];
    }),
  );
  const whole =
    entry.whole === undefined
      ? undefined
      : planMemory(entry.whole.plan, capacity, new Map([...wholeParams, ...summed]));
  const staging = [...entry.rows.types.values()].map((type) => stagingBytes(type, rowCapacity));
  const wholeStaging = [...(entry.whole?.types.values() ?? [])].map((type) => stagingBytes(type, capacity));
  const first = entry.prepared === undefined ? undefined : planMemory(entry.prepared.plan, packed, placed);
  const other = Math.max(first?.arenaBytes ?? 0, whole?.arenaBytes ?? 0, ...staging, ...wholeStaging);
  const widest = arenaBase + Math.ceil(Math.max(shards * rows.arenaBytes, other) / 64) * 64 + (whole?.shardBytes ?? 0);
  const gains = ground.runsSteps && widest <= ground.most && sharesWeights(entry.rows.plan);
  const abreast = gains ? Math.min(shards, mostAbreast) : 1;
  const arenas = Math.min(shards, Math.max(ground.threads, abreast));
  const room = Math.max(arenas * rows.arenaBytes, other);
  const wholeBase = arenaBase + Math.ceil(room / 64) * 64;
  const absolute = new Set(kept.addresses.keys());
  const ofRows = { name, plan: entry.rows.plan, addresses: rows.addresses, absolute, abreast: abreast > 1 };
  const emitted: ProgramToEmit[] = [ofRows];
  if (entry.prepared !== undefined && first !== undefined) {
    emitted.push({ name: `${name}.prepare`, plan: entry.prepared.plan, addresses: first.addresses, absolute });
  }
  if (entry.tables !== undefined) {
    // Those of all shards lie where shard 0 has its sums.
    const targets = new Set(entry.tables.places.map(({ buffer }) => buffer));
    const addresses = rows.addresses.map((address, id) =>
      targets.has(id as BufferId) ? shardBase + address : address,
    );
    const all = new Set([...absolute, ...targets]);
    emitted.push({ name: `${name}.clear`, plan: entry.tables.clear, addresses, absolute: all });
    emitted.push({ name: `${name}.add`, plan: entry.tables.add, addresses, absolute: all });
  }
  if (entry.whole !== undefined && whole !== undefined) {
    emitted.push({
      name: `${name}.whole`,
      plan: entry.whole.plan,
      addresses: whole.addresses,
      absolute: new Set(summed.keys()),
    });
  }
  const placement = {
    rows: rows.addresses,
    whole: whole?.addresses ?? [],
    arenaBytes: rows.arenaBytes,
    abreast,
    shardBytes: rows.shardBytes,
    arenaBase,
    shardBase,
    wholeBase,
    partials,
  };
  return { entry, placement, emitted, end: wholeBase + (whole?.shardBytes ?? 0), widest };
}

/** What the rows read of what was prepared, one behind the other. */
function placeKept({ prepared }: Entry, capacity: AxisSizes, start: number) {
  const addresses = new Map<BufferId, number>();
  let end = start;
  for (const buffer of prepared?.kept ?? []) {
    const { sizes } = prepared!.plan.buffers[buffer]!;
    addresses.set(buffer, end);
    end += Math.ceil((sizes.reduce((sum, size) => sum + evaluate(size, capacity), 0) * 4) / 64) * 64;
  }
  return { addresses, end };
}

function placedParams({ plan }: Part, { params }: Ground): Map<BufferId, number> {
  return new Map(Object.entries(plan.params).map(([param, buffer]) => [buffer, params.get(param)!.address]));
}

/**
 * Partial sums are outputs of the rows, made one after the other, so they lie in one run. It is cut where large tables are, which are no sums:
 * at whole cache lines, and what lies in one with the end of a table is added up with the others.
 */
function partialRuns(
  { partials, tables, rows }: Pick<Entry, "partials" | "tables" | "rows">,
  addresses: readonly number[],
  shardBytes: number,
): readonly Run[] {
  const sums = new Set(partials.values());
  if (sums.size === 0) return [];
  const first = Math.min(...[...sums].map((buffer) => addresses[buffer]!));
  const isBehind = (address: number, buffer: number) =>
    address > first && !sums.has(buffer as BufferId) && ["input", "output"].includes(rows.plan.buffers[buffer]!.role);
  const end = Math.min(shardBytes, ...addresses.filter(isBehind));
  const line = 64;
  const runs: Run[] = [];
  let from = first;
  const add = (to: number) => {
    if (to > from) runs.push({ offset: from, count: (to - from) / 4 });
  };
  const gaps = (tables?.places ?? []).map(({ buffer, offset, count }) => {
    const begin = addresses[buffer]! + 4 * offset;
    return { begin, end: begin + 4 * count };
  });
  for (const gap of gaps.sort((a, b) => a.begin - b.begin)) {
    add(Math.ceil(gap.begin / line) * line);
    from = Math.floor(gap.end / line) * line;
  }
  add(end);
  return runs;
}
