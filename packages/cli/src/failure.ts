/** What a failure says and which exit code it has: usage 2, data and training 1. */
import { InternalError, OptionError, RecurraError } from "recurra";
import { type Context, exitCodes } from "./library.ts";

/** Tells of the failure on stderr, and as the last line on stdout with --json. Returns the exit code. */
export function reportFailure(error: unknown, { io }: Context, json: boolean): number {
  io.stderr.write(`recurra: ${describe(error)}\n`);
  if (json) io.stdout.write(`${JSON.stringify({ event: "error", ...fields(error) })}\n`);
  return error instanceof OptionError ? exitCodes.usage : exitCodes.failed;
}

function describe(error: unknown): string {
  if (error instanceof RecurraError || error instanceof InternalError) return error.message;
  // Not foreseen, so the stack is what a report needs.
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${told}\nThis is a fault of recurra: please report it.`;
}

function fields(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof RecurraError) {
    const { name, message, where, given, expected, mend } = error;
    return { kind: name, message, where, given, expected, mend };
  }
  return error instanceof Error
    ? { kind: error.name, message: error.message }
    : { kind: "Error", message: String(error) };
}
