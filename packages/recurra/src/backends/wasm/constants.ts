/** Which commands of a plan give the same in every call: weights put side by side and packed, and whatever else reads weights only. */
import type { Access, BufferId, Command, Plan } from "./plan.ts";

export interface Constants {
  /** To run once, after the parameters have been written. */
  readonly once: readonly Command[];
  /** To run in every call, when `once` has been run. */
  readonly always: readonly Command[];
  /** What `once` writes and `always` may read: no other buffer may share its bytes. */
  readonly kept: ReadonlySet<BufferId>;
}

/** `changing`: parameters that calls rewrite. */
export function separateConstants(plan: Plan, changing: ReadonlySet<string>): Constants {
  const touched = new Map(plan.commands.map((command) => [command, touchedBy(command)]));
  const varies = new Set<BufferId>([
    ...Object.values(plan.inputs),
    ...Object.entries(plan.params).flatMap(([name, buffer]) => (changing.has(name) ? [buffer] : [])),
  ]);
  // What a varying command writes varies, and so does all that reads or writes a varying buffer.
  const always = new Set<Command>();
  for (let before = -1; before !== always.size; ) {
    before = always.size;
    for (const [command, { reads, writes }] of touched) {
      if (always.has(command) || ![...reads, ...writes].some((buffer) => varies.has(buffer))) continue;
      always.add(command);
      for (const buffer of writes) varies.add(buffer);
    }
  }
  const once = plan.commands.filter((command) => !always.has(command));
  return {
    once,
    always: plan.commands.filter((command) => always.has(command)),
    kept: new Set(once.flatMap((command) => touched.get(command)!.writes)),
  };
}

interface Touched {
  readonly reads: readonly BufferId[];
  readonly writes: readonly BufferId[];
}

function touchedBy(command: Command): Touched {
  const of = (...accesses: readonly Access[]) => accesses.map(({ buffer }) => buffer);
  switch (command.kind) {
    case "loop":
      return {
        reads: of(...command.ops.flatMap((op) => (op.kind === "load" ? [op.access] : []))),
        writes: of(...command.stores.map(({ access }) => access), ...command.reductions.map(({ access }) => access)),
      };
    case "pack":
      return { reads: of(command.source), writes: [command.target] };
    case "gemm":
      return { reads: [...of(command.a.access), command.packed], writes: of(command.c.access) };
    case "outer":
      return { reads: of(command.a.access, command.b.access), writes: [...of(command.c), command.scratch] };
    case "gather":
      return { reads: of(command.table, command.index.access), writes: of(command.target.access) };
    case "scatterAdd":
      return { reads: of(command.source.access, command.index.access), writes: of(command.target) };
    case "scan": {
      const inside = command.body.map(touchedBy);
      return { reads: inside.flatMap(({ reads }) => reads), writes: inside.flatMap(({ writes }) => writes) };
    }
  }
}
