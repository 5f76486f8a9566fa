/** Commands whose values lie elsewhere. */
import { touchedBy } from "../plan/constants.ts";
import type { Access, BufferId, Command, Rows } from "../plan/plan.ts";

/** Where what lay in a buffer lies now. */
export interface Move {
  readonly moves: (id: BufferId) => boolean;
  readonly buffer: (id: BufferId) => BufferId;
  readonly access: (at: Access) => Access;
  readonly rows: (of: Rows) => Rows;
}

/** What lay in one buffer lies in the same place of another. */
export function renaming(names: ReadonlyMap<BufferId, BufferId>): Move {
  const buffer = (id: BufferId) => names.get(id) ?? id;
  const access = (at: Access) => ({ ...at, buffer: buffer(at.buffer) });
  return { moves: (id) => names.has(id), buffer, access, rows: (of) => ({ ...of, access: access(of.access) }) };
}

/** The same command on values that have moved. */
export function relocated(command: Command, move: Move): Command {
  const { moves, buffer, access, rows } = move;
  const { reads, writes } = touchedBy(command);
  if (!reads.some(moves) && !writes.some(moves)) return command;
  const at = <T extends { readonly access: Access }>(item: T): T => ({ ...item, access: access(item.access) });
  const each = <C extends Command>(commands: readonly C[]) => commands.map((inner) => relocated(inner, move) as C); // It keeps its kind.
  switch (command.kind) {
    case "loop":
      return {
        ...command,
        ops: command.ops.map((op) => (op.kind === "load" ? at(op) : op)),
        stores: command.stores.map(at),
        reductions: command.reductions.map(at),
      };
    case "pack":
      return { ...command, source: access(command.source), target: buffer(command.target) };
    case "gemm":
      return { ...command, a: rows(command.a), packed: buffer(command.packed), c: rows(command.c) };
    case "outer": {
      const { a, b, c, scratch } = command;
      return { ...command, a: rows(a), b: rows(b), c: access(c), scratch: buffer(scratch) };
    }
    case "gather":
      return { ...command, table: access(command.table), index: rows(command.index), target: rows(command.target) };
    case "scatterAdd":
      return { ...command, source: rows(command.source), index: rows(command.index), target: access(command.target) };
    case "scan": {
      const { ahead, body } = command;
      return {
        ...command,
        body: each(body),
        ahead: ahead === undefined ? undefined : { ...ahead, products: each(ahead.products) },
      };
    }
  }
}
