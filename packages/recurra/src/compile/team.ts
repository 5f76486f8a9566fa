/** The threads of one call of a program: they share its shards of rows, the sums over them, and what is done once for all rows. */
import type { AxisSizes } from "../base/shapes.ts";
import type { CompiledProgram } from "./compiled.ts";
import { fewElements, type ShardCall, type SizedCall, type StagesCall } from "./sized.ts";
import { partOf, type ThreadPool } from "./threads.ts";

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
  rows(
    name: string,
    { numbers }: SizedCall,
    shards: readonly ShardCall[],
    sizes: AxisSizes,
    feed: (shard: ShardCall) => void,
  ): void {
    const threads = Math.min(this.#threads, shards.length);
    const own = () => {
      for (let i = 0; i < shards.length; i += threads) {
        const shard = shards[i]!;
        feed(shard);
        shard.run();
      }
    };
    if (threads === 1) {
      own();
      return;
    }
    for (const shard of shards) if (shard.index % threads > 0) feed(shard);
    const { arenaBase, arenaBytes, shardBase, shardBytes } = this.#program.placed.placement;
    const batchAt = this.#program.moduleAxes.indexOf("batch");
    const given = [batchAt, sizes["batch"] ?? 1, shards.length, arenaBase, arenaBytes, shardBase, shardBytes];
    this.#run("rows", name, [...given, ...numbers], own, threads);
  }

  /** Adds up the partial sums of all shards, in that of the first. */
  sum(shards: number): void {
    const { instance, placed } = this.#program;
    const { shardBase, shardBytes, partials } = placed.placement;
    for (const { offset, count } of partials) {
      const first = shardBase + offset;
      const threads = count < fewElements ? 1 : this.#threads;
      const own = () => instance.sumShards(first, shardBytes, 0, partOf(count, 1, threads), shards);
      if (threads === 1) own();
      else this.#run("sum", undefined, [first, shardBytes, count, shards], own);
    }
  }

  /** Adds what the rows of all shards have for large tables. */
  addToTables(clear: StagesCall, shards: readonly ShardCall[]): void {
    this.stages(clear);
    for (const { addToTables } of shards) addToTables?.();
  }

  stages({ alone, stages, isShared }: StagesCall): void {
    if (!isShared || this.#threads === 1) {
      alone();
      return;
    }
    for (const { name, run, numbers, isShared } of stages) {
      const threads = isShared ? this.#threads : 1;
      if (threads === 1) run(...numbers, 0, 1);
      else this.#run("part", name, numbers, () => run(...numbers, 0, threads));
    }
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
