/** Who uses the buffers that scans leave to each other. */
import { touchedBy } from "../plan/constants.ts";
import { noSize } from "../plan/layout.ts";
import {
  type Access,
  accessesOf,
  type BufferId,
  type Command,
  type Loop,
  loadsOf,
  type Outer,
  type Plan,
  type Rows,
  type Scan,
  type Size,
  size,
} from "../plan/plan.ts";

/** An access, with what it runs over: undefined where that is not told by strides. */
export interface Use {
  readonly access: Access;
  readonly spans: readonly { readonly stride: Size; readonly count: Size }[] | undefined;
  /** The sum of outer products whose first operand this is: it can be taken of some columns after the others. */
  readonly outer?: Outer;
}

/** A loop of a scan, and who uses the buffers that are made and used where the scan is. */
export interface ScopedLoop {
  readonly scan: Scan;
  readonly loop: Loop;
  readonly uses: (buffer: BufferId) => readonly Use[];
  /** Whether nothing touches the buffer before the scan. */
  readonly begins: (buffer: BufferId) => boolean;
  /** Whether the buffer is written before the scan, and nothing touches it after that. */
  readonly ends: (buffer: BufferId) => boolean;
}

/** Loops in the bodies of scans, and of scans in these. `begins` and `ends` hold of temporaries of one size only. */
export function* loopsOfScans(plan: Plan, commands = plan.commands, home?: number): Generator<ScopedLoop> {
  const touching = new Map<BufferId, Command[]>();
  for (const command of commands) {
    const { reads, writes } = touchedBy(command);
    for (const buffer of new Set([...reads, ...writes]))
      touching.set(buffer, [...(touching.get(buffer) ?? []), command]);
  }
  const isOwn = (buffer: BufferId) => {
    const { role, home: own, enough, sizes } = plan.buffers[buffer]!;
    return role === "temporary" && own === home && enough === undefined && sizes.length === 1;
  };
  let all: readonly Use[] | undefined;
  const uses = (buffer: BufferId) => {
    all ??= commands.flatMap(usesOf);
    return all.filter(({ access }) => access.buffer === buffer);
  };
  for (const scan of commands) {
    if (scan.kind !== "scan") continue;
    yield* loopsOfScans(plan, scan.body, scan.id);
    const begins = (buffer: BufferId) => isOwn(buffer) && touching.get(buffer)![0] === scan;
    const ends = (buffer: BufferId) => {
      const [first, ...others] = touching.get(buffer)!;
      return isOwn(buffer) && touchedBy(first!).writes.includes(buffer) && others.at(-1) === scan;
    };
    for (const loop of scan.body) if (loop.kind === "loop") yield { scan, loop, uses, begins, ends };
  }
}

/** Whether of the commands of the scan the loop alone touches the buffer. */
export function isTouchedOnlyBy(scan: Scan, loop: Loop, buffer: BufferId): boolean {
  return everyOther(scan, loop, ({ reads, writes }) => ![...reads, ...writes].includes(buffer));
}

/** Whether of the commands of the scan the loop alone writes the buffer, and only stores into it. */
export function isStoredOnlyBy(scan: Scan, loop: Loop, buffer: BufferId): boolean {
  return (
    everyOther(scan, loop, ({ writes }) => !writes.includes(buffer)) &&
    loadsOf(loop).every((load) => load.buffer !== buffer) &&
    loop.reductions.every(({ access }) => access.buffer !== buffer)
  );
}

function everyOther({ ahead, body }: Scan, loop: Loop, holds: (touched: ReturnType<typeof touchedBy>) => boolean) {
  return [...(ahead?.products ?? []), ...body].every((other) => other === loop || holds(touchedBy(other)));
}

/** What a command uses, a scan with all that it runs. */
function usesOf(command: Command): readonly Use[] {
  const rows = ({ access, stride, count }: Rows, features: number): Use => ({
    access,
    spans: [
      { stride, count },
      { stride: size(1), count: size(features) },
    ],
  });
  const whole = (access: Access): Use => ({ access, spans: undefined });
  switch (command.kind) {
    case "loop":
      return accessesOf(command).map((access) => ({
        access,
        spans: command.dims.map((dim) => ({ stride: access.strides[dim.name] ?? noSize, count: dim.size })),
      }));
    case "pack":
      return [whole(command.source)];
    case "gemm":
      return [rows(command.a, command.k), rows(command.c, command.n)];
    case "outer":
      return [{ ...rows(command.a, command.m), outer: command }, rows(command.b, command.n), whole(command.c)];
    case "gather":
      return [whole(command.table), rows(command.index, 1), rows(command.target, command.features)];
    case "scatterAdd":
      return [rows(command.source, command.features), rows(command.index, 1), whole(command.target)];
    case "scan":
      return [...(command.ahead?.products ?? []), ...command.body].flatMap(usesOf);
  }
}
