/** The command `recurra` as a function: arguments in, exit code out. */
import { describeMachine, measureMachine, notices } from "recurra/inspect";
import { compareCells, loadForecaster, planForecast, trainForecaster } from "recurra/tasks";
import { type Io, processIo } from "./io.ts";
import type { Library } from "./library.ts";
import { runProgram } from "./program.ts";

export const realLibrary: Library = {
  trainForecaster,
  planForecast,
  loadForecaster,
  compareCells,
  notices,
  describeMachine,
  measureMachine,
};

/** @param argv without the names of node and the script. */
export async function main(
  argv: readonly string[],
  io: Io = processIo(),
  library: Library = realLibrary,
): Promise<number> {
  return runProgram(argv, { io, library });
}
