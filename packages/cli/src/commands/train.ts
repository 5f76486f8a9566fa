/** `recurra train`: data and options in; a model folder with a chart, and an honest table of errors, out. */
import { basename } from "node:path";
import type { Table } from "recurra/data";
import type { Forecaster, ForecastOptions, ForecastRun } from "recurra/tasks";
import { forecastChart } from "../chart/forecast-chart.ts";
import { checkFolder } from "../files/atomic.ts";
import { chartName, saveModel } from "../files/model-folder.ts";
import { type Context, exitCodes } from "../library.ts";
import { list, parseForecastOptions } from "../options/forecast.ts";
import { parseReading, parseSource, type ReadingFlags, rolesOf } from "../options/reading.ts";
import { text } from "../options/values.ts";
import { readTable } from "../read/read-table.ts";
import { type DataSource, type Reading, wideNames } from "../read/request.ts";
import { tellNotices } from "../report/notices.ts";
import { counted } from "../report/numbers.ts";
import { describePlan } from "../report/plan.ts";
import { type DoneEvent, type Reporter, reporterFor } from "../report/reporter.ts";

export interface TrainFlags extends ReadingFlags {
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Test windows in the chart. */
const chartWindows = 4;

/** @param given texts of the forecast options, by field. */
export async function train(
  files: readonly string[],
  given: Parameters<typeof parseForecastOptions>[0],
  flags: TrainFlags,
  context: Context,
): Promise<number> {
  const source = parseSource(files, flags.sql);
  const reading = parseReading(flags);
  const options = parseForecastOptions(
    reading.layout === "wide" ? { target: wideNames.value, series: wideNames.series, ...given } : given,
  );
  const folder = flags.out === undefined ? defaultFolder(source, options) : text("--out", flags.out);
  checkFolder(folder, flags.overwrite === true);

  const table = await readTable({ source, reading, roles: rolesOf(options) });
  if (flags.quiet !== true && options.strict !== true) tellNotices(context.io, context.library, flags.json === true);
  if (flags.dryRun === true) {
    const plan = await context.library.planForecast(table, options);
    const told =
      flags.json === true ? `${JSON.stringify({ event: "plan", ...plan })}\n` : describePlan(table.source, plan);
    context.io.stdout.write(told);
    return exitCodes.done;
  }
  const reporter = reporterFor(
    flags.json === true ? "json" : flags.quiet === true ? "quiet" : "people",
    context.io,
    table.source,
  );
  try {
    return await trainAndSave({ table, options, folder, reading, data: sameData(source) }, reporter, context);
  } finally {
    reporter.close();
  }
}

interface Job {
  readonly table: Table;
  readonly options: ForecastOptions;
  readonly folder: string;
  readonly reading: Reading;
  /** Arguments that name the same data again. */
  readonly data: readonly string[];
}

async function trainAndSave(
  { table, options, folder, reading, data }: Job,
  reporter: Reporter,
  { io, library }: Context,
): Promise<number> {
  const abort = new AbortController();
  const ignoreInterrupts = io.onInterrupt(() => {
    if (abort.signal.aborted) return io.exit(exitCodes.interrupted); // writing is synchronous: nothing is half done here
    abort.abort();
    reporter.note("stopping; the best model so far will be saved (press Ctrl-C again to stop at once)");
  });
  try {
    const run = library.trainForecaster(table, options, { signal: abort.signal });
    const { done, epochs } = await follow(run, reporter, io.turn);
    if (abort.signal.aborted && epochs === 0) {
      reporter.stopped("stopped before the end of the first epoch: nothing was saved");
      return exitCodes.interrupted;
    }
    const forecaster = run.forecaster();
    const chart = chartOf(forecaster, table, reporter);
    saveModel(folder, forecaster, chart, reading);
    if (abort.signal.aborted) reporter.note(`stopped on request; the best model so far is in ${folder}`);
    if (done !== undefined)
      reporter.done(done, { model: folder, chart: chart === undefined ? undefined : `${folder}/${chartName}`, data });
    return abort.signal.aborted ? exitCodes.interrupted : exitCodes.done;
  } finally {
    ignoreInterrupts();
  }
}

/** A chart that cannot be drawn is told of, and costs nobody the model. */
function chartOf(forecaster: Forecaster, table: Table, reporter: Reporter): string | undefined {
  const { target, horizon } = forecaster.options;
  try {
    const heading = `${list(target).join(", ")}: forecast of ${counted(horizon, "timestep")}`;
    return forecastChart(heading, forecaster.views(table, chartWindows));
  } catch (error) {
    reporter.note(`no chart was drawn: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function follow(
  run: ForecastRun,
  reporter: Reporter,
  turn: () => Promise<void>,
): Promise<{ done: DoneEvent | undefined; epochs: number }> {
  let done: DoneEvent | undefined;
  let epochs = 0;
  for await (const event of run) {
    if (event.event === "done") done = event;
    else reporter.event(event);
    if (event.event === "epoch") epochs++;
    await turn();
  }
  return { done, epochs };
}

/** runs/ETTh1-OT, runs/query-OT, runs/Hourly-train-value; of a glob what is left without its stars. */
function defaultFolder(source: DataSource, { target }: ForecastOptions): string {
  const stem = source.kind === "sql" ? "query" : basename(source.patterns[0]!).replace(/(\.[A-Za-z]\w*)+$/, "");
  const targets = list(target);
  const name = `${stem}-${targets.length > 3 ? `${targets.length}-columns` : targets.join("-")}`;
  return `runs/${name.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^[._-]+/, "")}`;
}

function sameData(source: DataSource): readonly string[] {
  return source.kind === "sql" ? ["--sql", source.sql] : source.patterns;
}
