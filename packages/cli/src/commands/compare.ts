/** `recurra compare`: cells trained on the same data, split and seeds; their errors, costs and reach, and which one to use. */
import { OptionError } from "recurra";
import type { Comparison } from "recurra/tasks";
import { comparisonChart } from "../chart/comparison-chart.ts";
import { writeFileWhole } from "../files/atomic.ts";
import { type Context, exitCodes } from "../library.ts";
import { type CompareFlags, parseCompareOptions } from "../options/compare.ts";
import { list, type parseForecastOptions } from "../options/forecast.ts";
import { parseReading, parseSource, type ReadingFlags, rolesOf } from "../options/reading.ts";
import { readTable } from "../read/read-table.ts";
import { wideNames } from "../read/request.ts";
import { compareReporterFor } from "../report/compare-reporter.ts";
import { comparisonMarkdown } from "../report/comparison.ts";
import { tellNotices } from "../report/notices.ts";

export interface CompareCommandFlags extends ReadingFlags, CompareFlags {
  readonly out?: string;
  readonly json?: boolean;
}

/** @param given texts of the forecast options, by field. */
export async function compare(
  files: readonly string[],
  given: Parameters<typeof parseForecastOptions>[0],
  flags: CompareCommandFlags,
  { io, library }: Context,
): Promise<number> {
  const source = parseSource(files, flags.sql);
  const reading = parseReading(flags);
  const options = parseCompareOptions(
    reading.layout === "wide" ? { target: wideNames.value, series: wideNames.series, ...given } : given,
    flags,
  );
  const writeReport = flags.out === undefined ? undefined : reportWriter(flags.out, list(options.target).join(", "));
  const table = await readTable({ source, reading, roles: rolesOf(options) });

  if (options.strict !== true) tellNotices(io, library, flags.json === true);
  const reporter = compareReporterFor(flags.json === true ? "json" : "people", io, table.source);
  const abort = new AbortController();
  const ignoreInterrupts = io.onInterrupt(() => {
    if (abort.signal.aborted) return io.exit(exitCodes.interrupted);
    abort.abort();
    reporter.note("stopping; what is finished will be compared (press Ctrl-C again to stop at once)");
  });
  try {
    let comparison: Comparison | undefined;
    for await (const event of library.compareCells(table, options, { signal: abort.signal })) {
      if (event.event === "done") {
        comparison = event.comparison;
        writeReport?.(comparison);
      }
      reporter.event(event, flags.out);
      await io.turn();
    }
    if (comparison === undefined)
      reporter.stopped("stopped before the first run was finished: there is nothing to compare");
    return abort.signal.aborted ? exitCodes.interrupted : exitCodes.done;
  } finally {
    ignoreInterrupts();
    reporter.close();
  }
}

const reports: Readonly<Record<string, (comparison: Comparison, target: string) => string>> = {
  md: comparisonMarkdown,
  svg: comparisonChart,
};

/** Looks at the name before anything is trained. @throws OptionError */
function reportWriter(path: string, target: string): (comparison: Comparison) => void {
  const write = reports[/\.(\w+)$/.exec(path)?.[1] ?? ""];
  if (write === undefined) {
    throw new OptionError({
      where: "--out",
      given: path,
      expected: "a file that ends in .md or .svg",
      mend: "write for example --out comparison.md",
    });
  }
  return (comparison) => writeFileWhole(path, new TextEncoder().encode(write(comparison, target)));
}
