/** The threads of one call of a program: they share its shards of rows, the sums over them, and what is done once for all rows. */
import type { CompiledProgram } from "./compiled.ts";
import { type Given, writeRows } from "./given.ts";
import { fewElements, type ShardCall, type SizedCall, type StagesCall } from "./sized.ts";
import type { Room } from "./tensors.ts";
import { partOf, type ThreadPool } from "./threads.ts";

export interface Team {
  /** The shards that the rows are cut into. */
  shardsOf(call: SizedCall): readonly ShardCall[];
  /** Computes the rows, shard by shard, with what the call is given. */
  rows(room: Room, call: SizedCall, given: Given): void;
  /** Adds up the partial sums of all shards, in that of the first, and what their rows have for large tables. */
  sum(call: SizedCall): void;
  stages(stages: StagesCall): void;
}

/** The calling thread. */
export const alone: Team = {
  shardsOf(call) {
    return call.shardsAlone;
  },
  rows(room, call, given) {
    const shards = call.shardsAlone;
    // All is written before anything is computed: behind milliseconds of kernels JavaScript is in no cache any more.
    for (let i = 0; i < shards.length; i++) writeRows(room, call, shards[i]!, given);
    for (let i = 0; i < call.runsAlone.length; i++) call.runsAlone[i]!();
  },
  sum(call) {
    for (const { run, first, shardBytes, count } of call.sums)
      run(first, shardBytes, 0, count, call.shardsAlone.length);
    addToTables(alone, call);
  },
  stages(stages) {
    stages.alone();
  },
};

/** The calling thread and others. */
export class Several implements Team {
  readonly #name: string;
  readonly #program: CompiledProgram;
  readonly #pool: ThreadPool;
  readonly #threads: number;

  constructor(name: string, program: CompiledProgram, pool: ThreadPool, threads: number) {
    this.#name = name;
    this.#program = program;
    this.#pool = pool;
    this.#threads = threads;
  }

  shardsOf(call: SizedCall): readonly ShardCall[] {
    return call.shards;
  }

  /** What a shard reads is written for other threads before they begin, for the calling one while they are at work. */
  rows(room: Room, call: SizedCall, given: Given): void {
    const { shards, numbers, batch } = call;
    const threads = Math.min(this.#threads, shards.length);
    const own = () => {
      for (let i = 0; i < shards.length; i += threads) {
        const shard = shards[i]!;
        writeRows(room, call, shard, given);
        shard.run();
      }
    };
    if (threads === 1) {
      own();
      return;
    }
    for (const shard of shards) if (shard.index % threads > 0) writeRows(room, call, shard, given);
    const { arenaBase, arenaBytes, shardBase, shardBytes } = this.#program.placed.placement;
    const batchAt = this.#program.moduleAxes.indexOf("batch");
    const first = [batchAt, batch, shards.length, arenaBase, arenaBytes, shardBase, shardBytes];
    this.#run("rows", this.#name, [...first, ...numbers], own, threads);
  }

  sum(call: SizedCall): void {
    const shards = call.shards.length;
    for (const { run, first, shardBytes, count } of call.sums) {
      const threads = count < fewElements ? 1 : this.#threads;
      const own = () => run(first, shardBytes, 0, partOf(count, 1, threads), shards);
      if (threads === 1) own();
      else this.#run("sum", undefined, [first, shardBytes, count, shards], own);
    }
    addToTables(this, call);
  }

  stages({ alone, stages, isShared }: StagesCall): void {
    if (!isShared) {
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
    this.#pool.run({ model: this.#program.join(this.#pool), kind, program, numbers }, threads, own);
  }
}

/** On one thread: rows of several shards may go to the same row of a table. */
function addToTables(team: Team, call: SizedCall): void {
  if (call.clear === undefined) return;
  team.stages(call.clear);
  for (const { addToTables } of team.shardsOf(call)) addToTables?.();
}
