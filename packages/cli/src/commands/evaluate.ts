/** `recurra evaluate`: the errors of a stored model on every window of new data, beside the naive forecasts. */
import { type Context, exitCodes } from "../library.ts";
import { tellNotices } from "../report/notices.ts";
import { scoreTable } from "../report/scores.ts";
import { type ModelFlags, modelAndTable } from "./with-model.ts";

export async function evaluate(
  model: string,
  files: readonly string[],
  flags: ModelFlags,
  { io, library }: Context,
): Promise<number> {
  const { forecaster, table } = await modelAndTable(model, files, flags, library);
  if (forecaster.options.strict !== true) tellNotices(io, library, flags.json === true);
  const { scores, notes } = forecaster.evaluate(table);
  for (const note of notes) io.stderr.write(`note: ${note}\n`);
  io.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ event: "done", metrics: { data: scores }, notes })}\n`
      : scoreTable([[table.source, scores]]),
  );
  return exitCodes.done;
}
