/** Which commands of a plan give the same in every call: weights put side by side and packed, and whatever else reads weights only. */
import { type Access, type BufferId, type Command, loadsOf, type Plan, type Size, writesOf } from "./plan.ts";

export interface Constants {
  /** To run once, after the parameters have been written. */
  readonly once: readonly Command[];
  /** To run in every call, when `once` has been run. */
  readonly always: readonly Command[];
  /** What `once` writes and `always` touches: no other buffer may share its bytes. */
  readonly kept: ReadonlySet<BufferId>;
}

/**
 * `changing`: parameters that calls rewrite. With `sizes` "open", as where calls have sizes and outputs of their own, what has a
 * run-time axis and what writes an output runs in every call too.
 */
export function separateConstants(
  plan: Plan,
  changing: ReadonlySet<string>,
  sizes: "fixed" | "open" = "fixed",
): Constants {
  const varies = new Set<BufferId>([
    ...Object.values(plan.inputs),
    ...Object.entries(plan.params).flatMap(([name, buffer]) => (changing.has(name) ? [buffer] : [])),
    ...(sizes === "open" ? Object.values(plan.outputs) : []),
  ]);
  // What a varying command writes varies, and so does all that reads or writes a varying buffer.
  const always = new Set<Command>(sizes === "open" ? plan.commands.filter(hasRunTimeSize) : []);
  const isVarying = (buffer: BufferId) => varies.has(buffer);
  for (const command of always) for (const buffer of touchedBy(command).writes) varies.add(buffer);
  for (let before = -1; before !== always.size; ) {
    before = always.size;
    for (const command of plan.commands) {
      const { reads, writes } = touchedBy(command);
      if (always.has(command) || !(reads.some(isVarying) || writes.some(isVarying))) continue;
      always.add(command);
      for (const buffer of writes) varies.add(buffer);
    }
  }
  const once = plan.commands.filter((command) => !always.has(command));
  const read = new Set([...always].flatMap((command) => touchedBy(command).reads));
  const outputs = new Set(Object.values(plan.outputs));
  const written = once.flatMap((command) => touchedBy(command).writes);
  return {
    once,
    always: plan.commands.filter((command) => always.has(command)),
    kept: new Set(written.filter((buffer) => read.has(buffer) || outputs.has(buffer))),
  };
}

/** The parameters that commands read, by name. */
export function paramsRead(plan: Plan): readonly string[] {
  const read = new Set(plan.commands.flatMap((command) => touchedBy(command).reads));
  return Object.entries(plan.params).flatMap(([name, buffer]) => (read.has(buffer) ? [name] : []));
}

function hasRunTimeSize(command: Command): boolean {
  const isRunTime = (size: Size) => size.axes.length > 0;
  switch (command.kind) {
    case "loop":
      return command.dims.some(({ size }) => isRunTime(size));
    case "pack":
      return false;
    case "gemm":
    case "outer":
      return isRunTime(command.a.count);
    case "gather":
    case "scatterAdd":
      return isRunTime(command.index.count);
    case "scan":
      return true;
  }
}

export interface Touched {
  readonly reads: readonly BufferId[];
  readonly writes: readonly BufferId[];
}

const touched = new WeakMap<Command, Touched>();

/** The buffers that a command reads and writes, those of a scan with all that it runs. Worked out once for each command. */
export function touchedBy(command: Command): Touched {
  let found = touched.get(command);
  if (found === undefined) {
    found = findTouched(command);
    touched.set(command, found);
  }
  return found;
}

function findTouched(command: Command): Touched {
  const of = (...accesses: readonly Access[]) => buffersOf(accesses);
  switch (command.kind) {
    case "loop":
      return { reads: buffersOf(loadsOf(command)), writes: buffersOf(writesOf(command)) };
    case "pack":
      return { reads: of(command.source), writes: [command.target] };
    case "gemm":
      return { reads: [...of(command.a.access), command.packed], writes: of(command.c.access) };
    case "outer": {
      const { a, b, c, scratch, pair } = command;
      const other = pair === undefined ? { reads: [], writes: [] } : touchedBy(pair);
      return {
        reads: [...of(a.access, b.access), ...other.reads],
        writes: [...of(c), scratch, ...other.writes],
      };
    }
    case "gather":
      return { reads: of(command.table, command.index.access), writes: of(command.target.access) };
    case "scatterAdd":
      return { reads: of(command.source.access, command.index.access), writes: of(command.target) };
    case "scan": {
      const inside = [...(command.ahead?.products ?? []), ...command.body].map(touchedBy);
      return { reads: inside.flatMap(({ reads }) => reads), writes: inside.flatMap(({ writes }) => writes) };
    }
  }
}

function buffersOf(accesses: readonly Access[]): readonly BufferId[] {
  return accesses.map(({ buffer }) => buffer);
}
