/** `recurra predict`: the timesteps after the end of each series, as CSV or JSON lines. */
import { writeFileWhole } from "../files/atomic.ts";
import { type Context, exitCodes } from "../library.ts";
import { text } from "../options/values.ts";
import { tellNotices } from "../report/notices.ts";
import { counted, timestamp } from "../report/numbers.ts";
import { forecastCsv } from "./forecast-csv.ts";
import { type ModelFlags, modelAndTable } from "./with-model.ts";

export interface PredictFlags extends ModelFlags {
  readonly out?: string;
}

export async function predict(
  model: string,
  files: readonly string[],
  flags: PredictFlags,
  { io, library }: Context,
): Promise<number> {
  const out = flags.out === undefined ? undefined : text("--out", flags.out);
  const { forecaster, table } = await modelAndTable(model, files, flags, library);
  if (forecaster.options.strict !== true) tellNotices(io, library, flags.json === true);
  const result = forecaster.predict(table);
  if (out !== undefined) writeFileWhole(out, new TextEncoder().encode(forecastCsv(result)));
  for (const note of result.notes) io.stderr.write(`note: ${note}\n`);
  if (flags.json === true) {
    for (const { series, time, target, forecast, quantiles } of result.rows) {
      const levels = Object.fromEntries(result.quantiles.map((level, k) => [String(level), quantiles[k]]));
      io.stdout.write(
        `${JSON.stringify({ event: "forecast", series, time: result.timed ? timestamp(time, true) : time, target, forecast, quantiles: levels })}\n`,
      );
    }
    io.stdout.write(`${JSON.stringify({ event: "done", rows: result.rows.length, out, notes: result.notes })}\n`);
  } else if (out === undefined) {
    io.stdout.write(forecastCsv(result));
  } else {
    io.stdout.write(`${counted(result.rows.length, "row")} of forecast written to ${out}\n`);
  }
  return exitCodes.done;
}
