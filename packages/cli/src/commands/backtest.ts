/** `recurra backtest`: the model as if it had been asked again and again, from one origin after the other. */
import type { BacktestOrigin, BacktestResult } from "recurra/tasks";
import { type Context, exitCodes } from "../library.ts";
import { count } from "../options/values.ts";
import { tellNotices } from "../report/notices.ts";
import { alignTable, counted, short, timestamp, timeWriter } from "../report/numbers.ts";
import { scoreTable } from "../report/scores.ts";
import { type ModelFlags, modelAndTable } from "./with-model.ts";

export interface BacktestFlags extends ModelFlags {
  readonly origins?: string;
  readonly step?: string;
}

export async function backtest(
  model: string,
  files: readonly string[],
  flags: BacktestFlags,
  { io, library }: Context,
): Promise<number> {
  const origins = flags.origins === undefined ? {} : { origins: count("--origins", flags.origins) };
  const step = flags.step === undefined ? {} : { step: count("--step", flags.step) };
  const { forecaster, table } = await modelAndTable(model, files, flags, library);
  if (forecaster.options.strict !== true) tellNotices(io, library, flags.json === true);
  const result = forecaster.backtest(table, { ...origins, ...step });
  for (const note of result.notes) io.stderr.write(`note: ${note}\n`);
  io.stdout.write(flags.json === true ? jsonLines(result) : tables(result));
  return exitCodes.done;
}

function jsonLines({ origins, overall, timed, notes }: BacktestResult): string {
  const lines = [
    ...origins.map(({ time, stepsBeforeEnd, scores }) => ({
      event: "origin",
      time: time !== undefined && timed ? timestamp(time, true) : time,
      stepsBeforeEnd,
      metrics: scores,
    })),
    { event: "done", metrics: { overall }, notes },
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

function tables({ origins, overall, timed }: BacktestResult): string {
  const label = originLabels(origins, timed);
  const rows = origins.map(({ scores: { model, seasonalNaive, lastValue } }, k) => [
    label[k]!,
    ...[model, seasonalNaive, lastValue].map(({ mae }) => short(mae)),
  ]);
  const won = origins.filter(
    ({ scores: { model, seasonalNaive, lastValue } }) => model.mae < Math.min(seasonalNaive.mae, lastValue.mae),
  ).length;
  return [
    alignTable([["MAE by origin", "model", "seasonal naive", "last value"], ...rows]),
    scoreTable([["all origins", overall]]),
    `the model has the smallest MAE from ${won} of ${counted(origins.length, "origin")}\n`,
  ].join("\n");
}

/** Times, where all series share them; otherwise how far before the end of each series its forecast starts. */
function originLabels(origins: readonly BacktestOrigin[], timed: boolean): readonly string[] {
  const times = origins.flatMap(({ time }) => time ?? []);
  if (times.length === origins.length) return times.map(timeWriter(times, timed));
  return origins.map(({ stepsBeforeEnd }) => `${counted(stepsBeforeEnd, "step")} before the end`);
}
