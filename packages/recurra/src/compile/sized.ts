/** What all calls of a program with the same sizes have in common: worked out at the first of them, for many follow it in training. */

import type { Exported, Instantiated } from "../backends/wasm/code/instantiate.ts";
import { stageName } from "../backends/wasm/emit/module.ts";
import type { BufferId, Plan } from "../backends/wasm/plan/plan.ts";
import { stagesOf } from "../backends/wasm/plan/stages.ts";
import { isPackedType, type Packing } from "../base/packing.ts";
import { type Axis, type AxisSizes, elementCount, type TensorType } from "../base/shapes.ts";
import { type Entry, operationsOf, type Part, withPackedSizes } from "./entry.ts";
import type { PlacedProgram, Placement } from "./placement.ts";
import { rowsAlone, shardCount, shardRows } from "./shards.ts";
import { type Extent, extentOf } from "./tensors.ts";

/**
 * Numbers that a stage writes from which on it is shared: below it one thread is done while the others still notice. With two threads that
 * wait, the update of 20,000 weights takes 26 microseconds alone and 28 together, that of 35,000 takes 50 and 41.
 */
export const fewElements = 2 ** 15;
/**
 * Where the rows are for one thread, the others sleep, and waking them should pay too: training steps of an LSTM (batch 1) take as
 * long with two threads as with one at 300,000 weights, and are 1.1 times as fast at 530,000.
 */
const manyElements = 2 ** 19;

/** An input, or the rows of it that a shard has. */
export interface Write {
  readonly input: string;
  readonly type: TensorType;
  /** Numbers that are given for the whole batch. */
  readonly given: number;
  /** The first of them that is written, if the rows are not sorted. */
  readonly from: number;
  readonly address: number;
  readonly extent: Extent;
  /** Whether there are rows, which may be sorted, and whether they are packed then. */
  readonly rows: "none" | "sorted" | "packed";
}

export interface ShardCall {
  readonly index: number;
  readonly address: number;
  /** Computes it in the calling thread. */
  readonly run: () => void;
  /** Adds what its rows have for large tables. */
  readonly addToTables: (() => void) | undefined;
  readonly writes: readonly Write[];
}

/** What is cut into stages. */
export interface StagesCall {
  /** All of them, in the calling thread. */
  readonly alone: () => void;
  readonly stages: readonly StageCall[];
  /** Whether threads share any of them. */
  readonly isShared: boolean;
}

export interface StageCall {
  readonly name: string;
  readonly run: Exported;
  /** What it is called with before the number of the thread and how many there are. */
  readonly numbers: readonly number[];
  readonly isShared: boolean;
}

/** A sum over shards. */
export interface SumCall {
  readonly run: Exported;
  /** Address of the first shard's numbers, bytes to the next shard's, and how many numbers. */
  readonly first: number;
  readonly shardBytes: number;
  readonly count: number;
}

/** A program that is compiled: its parts, where they lie, and its functions. */
export interface Callable {
  readonly name: string;
  readonly placed: PlacedProgram;
  readonly instance: Instantiated;
  /** The axes whose sizes the module's functions are called with, in this order. */
  readonly axes: readonly Axis[];
}

export class SizedCall {
  /** The sizes of the whole batch, in the order of the module. */
  readonly numbers: readonly number[];
  /** Inputs of what is done once for all rows. */
  readonly writes: readonly Write[];
  readonly prepare: StagesCall | undefined;
  /** Fills large tables with zeros, behind the rows. */
  readonly clear: StagesCall | undefined;
  readonly whole: StagesCall | undefined;
  /** For several threads. */
  readonly shards: readonly ShardCall[];
  /** For one thread alone, which has larger ones where rows are free. */
  readonly shardsAlone: readonly ShardCall[];
  /** Computes them, in the calling thread. */
  readonly runsAlone: readonly (() => void)[];
  /** Whether several threads find something to do. */
  readonly isShared: boolean;
  readonly sums: readonly SumCall[];
  /** Of the rows, where their lengths differ. */
  readonly packing: Packing | undefined;
  readonly placed: PlacedProgram;
  /** Rows of the batch. */
  readonly batch: number;
  readonly #program: Callable;
  readonly #sizes: AxisSizes;
  readonly #all: AxisSizes;
  readonly #operations: number;

  /** `sizes` of the batch; `all`: with those of the segments, where the program is in segments. */
  constructor(program: Callable, sizes: AxisSizes, all: AxisSizes) {
    const { name, placed, instance } = program;
    const { entry, placement } = placed;
    const { prepared, tables, whole } = entry;
    const { shardBase, shardBytes, partials } = placement;
    this.#program = program;
    this.placed = placed;
    this.packing = entry.rows.packing;
    this.batch = sizes["batch"] ?? 1;
    this.sums = partials.map(({ offset, count }) => {
      return { run: instance.sumShards, first: shardBase + offset, shardBytes, count };
    });
    this.#sizes = sizes;
    this.#all = all;
    this.numbers = this.#arguments(all);
    this.prepare = prepared === undefined ? undefined : this.#stages(`${name}.prepare`, prepared.plan, 0);
    this.clear = tables === undefined ? undefined : this.#stages(`${name}.clear`, tables.clear, placement.shardBase);
    this.whole = whole === undefined ? undefined : this.#stages(`${name}.whole`, whole.plan, placement.wholeBase);
    this.writes = whole === undefined ? [] : this.#writesOf(whole, placement.whole, placement.wholeBase, sizes, 0);
    const counts = [shardsOf(entry, sizes, false), shardsOf(entry, sizes, true)] as const;
    this.shards = this.#shards(counts[0]);
    this.shardsAlone = counts[0] === counts[1] ? this.shards : this.#shards(counts[1]);
    this.runsAlone = this.#runs(this.shardsAlone);
    this.isShared =
      this.shards.length > 1 || isWorthSharing([prepared?.lasts === false ? prepared.plan : undefined, whole?.plan]);
    this.#operations = operationsOf(entry.rows.plan, withPackedSizes(all, entry.rows.packing));
  }

  isOf(sizes: AxisSizes): boolean {
    for (const axis in this.#sizes) if (sizes[axis] !== this.#sizes[axis]) return false;
    return true;
  }

  /** Floating-point operations of the matrix products of the rows; where they are packed, of so many. */
  operations(packedRows: number | undefined): number {
    if (packedRows === undefined) return this.#operations;
    const { plan, packing } = this.#program.placed.entry.rows;
    return operationsOf(plan, withPackedSizes(this.#all, packing, packedRows));
  }

  #shards(count: number): readonly ShardCall[] {
    return Array.from({ length: count }, (_, index) => this.#shard(index, count));
  }

  /** Shards of the same sizes go side by side, as many as there are arenas for. */
  #runs(shards: readonly ShardCall[]): readonly (() => void)[] {
    const { name, instance, placed } = this.#program;
    const { abreast, arenaBytes, shardBytes } = placed.placement;
    const count = shards.length;
    if (abreast === 1 || count === 1 || this.batch % count > 0) return shards.map(({ run }) => run);
    const together = Math.min(abreast, count);
    return Array.from({ length: count / together }, (_, i) => {
      const numbers = this.#numbersOf(i * together, count);
      return instance.programs
        .get(name)!
        .bind(undefined, ...numbers, together, arenaBytes, shardBytes, this.batch / count);
    });
  }

  /** What a program is called with for a shard. */
  #numbersOf(index: number, count: number): readonly number[] {
    const { arenaBase, shardBase, shardBytes } = this.#program.placed.placement;
    const { first, own } = shardSizes(this.#sizes, count, index);
    return [...this.#arguments({ ...this.#all, ...own }), arenaBase, shardBase + index * shardBytes, first];
  }

  #shard(index: number, count: number): ShardCall {
    const { name, instance, placed } = this.#program;
    const { entry, placement } = placed;
    const { first, own } = shardSizes(this.#sizes, count, index);
    const address = placement.shardBase + index * placement.shardBytes;
    const numbers = [...this.#numbersOf(index, count), ...(placement.abreast > 1 ? oneAlone : [])];
    // Bound once: a spread would make an array in every call.
    const bound = (program: string) => instance.programs.get(program)?.bind(undefined, ...numbers);
    return {
      index,
      address,
      run: bound(name)!,
      addToTables: bound(`${name}.add`),
      writes: this.#writesOf(entry.rows, placement.rows, address, own, first),
    };
  }

  #writesOf(part: Part, addresses: Placement["rows"], base: number, own: AxisSizes, first: number): readonly Write[] {
    const { partials } = this.#program.placed.entry;
    const inputs = Object.entries<BufferId>(part.plan.inputs).filter(([input]) => !partials.has(input));
    return inputs.map(([input, buffer]) => {
      const type = part.types.get(buffer)!;
      const hasRows = type.axes.includes("batch");
      const isPacked = part.packing !== undefined && isPackedType(type, part.packing.axis);
      const perRow = hasRows ? elementCount(type, { ...this.#sizes, batch: 1 }) : 0;
      return {
        input,
        type,
        given: elementCount(type, this.#sizes),
        from: first * perRow,
        address: base + addresses[buffer]!,
        extent: extentOf(type, own),
        rows: isPacked ? "packed" : hasRows ? "sorted" : "none",
      };
    });
  }

  #stages(name: string, plan: Plan, base: number): StagesCall {
    const { instance, placed } = this.#program;
    const numbers = [...this.numbers, placed.placement.arenaBase, base, 0];
    const stages = stagesOf(plan).map(({ together, elements }, i) => ({
      name: stageName(name, i),
      run: instance.programs.get(stageName(name, i))!,
      numbers,
      isShared: together && elements >= fewElements,
    }));
    const alone = instance.programs.get(name)!.bind(undefined, ...numbers);
    return { alone, stages, isShared: stages.some(({ isShared }) => isShared) };
  }

  #arguments(sizes: AxisSizes): readonly number[] {
    return this.#program.axes.map((axis) => sizes[axis] ?? 1);
  }
}

/** What a program that takes shards side by side is called with behind its numbers, for one of them. */
const oneAlone = [1, 0, 0, 0];

/** How many shards a batch is cut into: for several threads, or for one alone. */
export function shardsOf({ splits, freeRows, rowsPerShard }: Entry, sizes: AxisSizes, alone: boolean): number {
  if (!splits) return 1;
  const batch = sizes["batch"] ?? 1;
  if (!alone || !freeRows) return shardCount(batch, rowsPerShard);
  const rows = rowsAlone(rowsPerShard);
  return shardCount(batch, rows, rows);
}

/** The sizes of a shard, and the position of its first row in the batch. */
export function shardSizes(
  sizes: AxisSizes,
  shards: number,
  shard: number,
): { readonly first: number; readonly own: AxisSizes } {
  if (shards === 1) return { first: 0, own: sizes };
  const { first, rows } = shardRows(sizes["batch"] ?? 1, shards, shard);
  return { first, own: { ...sizes, batch: rows } };
}

/** Whether several threads find something to do beside the rows. */
function isWorthSharing(plans: readonly (Plan | undefined)[]): boolean {
  return plans.some(
    (plan) =>
      plan !== undefined && stagesOf(plan).some(({ together, elements }) => together && elements >= manyElements),
  );
}
