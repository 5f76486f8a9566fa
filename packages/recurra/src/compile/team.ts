/** The threads of one call of a program: they share its shards of rows, the sums over them, and what is done once for all rows. */
import { stageName } from "../backends/wasm/emit.ts";
import type { Plan } from "../backends/wasm/plan.ts";
import { stagesOf } from "../backends/wasm/stages.ts";
import type { AxisSizes } from "../base/shapes.ts";
import type { CompiledProgram } from "./compiled.ts";
import { shardRows } from "./shards.ts";
import { partOf, type ThreadPool } from "./threads.ts";

/** Numbers that a stage writes from which on it is shared: below it one thread is done while the others still notice. */
const fewElements = 2 ** 14;
/** Where the rows are for one thread, the others sleep, and waking them should pay too. */
const manyElements = 2 ** 18;

/** Whether several threads find something to do beside the rows. */
export function isWorthSharing(plans: readonly (Plan | undefined)[]): boolean {
  return plans.some(
    (plan) =>
      plan !== undefined && stagesOf(plan).some(({ together, elements }) => together && elements >= manyElements),
  );
}

export class Team {
  readonly #program: CompiledProgram;
  readonly #pool: ThreadPool | undefined;
  readonly #threads: number;

  /** One thread without a pool. */
  constructor(program: CompiledProgram, pool: ThreadPool | undefined, threads: number) {
    this.#program = program;
    this.#pool = pool;
    this.#threads = pool === undefined ? 1 : threads;
  }

  get isAlone(): boolean {
    return this.#threads === 1;
  }

  /**
   * Computes the rows, shard by shard. `feed` writes what a shard reads: for other threads before they begin, for the calling one just
   * before its own is computed, while they are at work.
   */
  rows(name: string, shards: number, sizes: AxisSizes, feed: (shard: number) => void): void {
    const { instance, placed } = this.#program;
    const { arenaBase, arenaBytes, shardBase, shardBytes } = placed.placement;
    const program = instance.programs.get(name)!;
    const threads = Math.min(this.#threads, shards);
    const own = () => {
      for (let shard = 0; shard < shards; shard += threads) {
        const { first, own } = shardSizes(sizes, shards, shard);
        feed(shard);
        program(...this.#program.arguments(own), arenaBase, shardBase + shard * shardBytes, first);
      }
    };
    if (threads === 1) {
      own();
      return;
    }
    for (let shard = 0; shard < shards; shard++) if (shard % threads > 0) feed(shard);
    const batchAt = this.#program.moduleAxes.indexOf("batch");
    const numbers = [batchAt, sizes["batch"] ?? 1, shards, arenaBase, arenaBytes, shardBase, shardBytes];
    this.#run("rows", name, [...numbers, ...this.#program.arguments(sizes)], own, threads);
  }

  /** Adds up the partial sums of all shards, in that of the first. */
  sum(shards: number): void {
    const { instance, placed } = this.#program;
    const { shardBase, shardBytes, partials } = placed.placement;
    const { offset, count } = partials;
    const [first, threads] = [shardBase + offset, count < fewElements ? 1 : this.#threads];
    const own = () => instance.sumShards(first, shardBytes, 0, partOf(count, 1, threads), shards);
    if (threads === 1) own();
    else this.#run("sum", undefined, [first, shardBytes, count, shards], own);
  }

  /** Runs a plan that is cut into stages; its inputs and outputs lie at `base`. */
  stages(name: string, plan: Plan, sizes: AxisSizes, base: number): void {
    const { instance, placed } = this.#program;
    const given = [...this.#program.arguments(sizes), placed.placement.arenaBase, base, 0];
    stagesOf(plan).forEach(({ together, elements }, i) => {
      const stage = instance.programs.get(stageName(name, i))!;
      const threads = together && elements >= fewElements ? this.#threads : 1;
      if (threads === 1) stage(...given, 0, 1);
      else this.#run("part", stageName(name, i), given, () => stage(...given, 0, threads));
    });
  }

  #run(
    kind: "rows" | "part" | "sum",
    program: string | undefined,
    numbers: readonly number[],
    own: () => void,
    threads = this.#threads,
  ): void {
    const pool = this.#pool!; // Without one there is one thread.
    pool.run({ model: this.#program.join(pool), kind, program, numbers }, threads, own);
  }
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
