/** Who tells about a comparison: a bar for the run in progress and a line for each finished one, or JSON lines. */
import type { CompareEvent, Comparison } from "recurra/tasks";
import type { Io } from "../io.ts";
import { progressBar } from "./bar.ts";
import { comparisonText } from "./comparison.ts";
import { clock, counted, short } from "./numbers.ts";
import { describePreparation, describeWarning } from "./reporter.ts";

export interface CompareReporter {
  /** @param report the file that was written at the end, if one was asked for. */
  readonly event: (event: CompareEvent, report: string | undefined) => void;
  readonly note: (text: string) => void;
  /** Nothing was finished. */
  readonly stopped: (text: string) => void;
  readonly close: () => void;
}

/** @param source what the data is called. */
export function compareReporterFor(manner: "people" | "json", io: Io, source: string): CompareReporter {
  return manner === "json" ? jsonReporter(io) : peopleReporter(io, source);
}

function jsonReporter({ stdout, stderr }: Io): CompareReporter {
  const line = (value: unknown) => stdout.write(`${JSON.stringify(value)}\n`);
  const note = (text: string) => stderr.write(`${text}\n`);
  return {
    event: (event, report) => {
      line(event.event === "done" ? { ...event, report } : event);
      if (event.event === "warning") note(`${event.cell}, seed ${event.seed}: ${describeWarning(event)}`);
    },
    note,
    stopped: (text) => {
      note(text);
      line({ event: "stopped", message: text });
    },
    close: () => {},
  };
}

function peopleReporter(io: Io, source: string): CompareReporter {
  const { stdout, stderr } = io;
  let bar = stdout.isTerminal ? progressBar(io) : undefined;
  const say = (text: string) => {
    bar?.clear();
    stdout.write(text);
  };
  const note = (text: string) => {
    bar?.clear();
    stderr.write(`${text}\n`);
  };
  let place = "";
  let described = false;
  return {
    event: (event, report) => {
      switch (event.event) {
        case "started":
          place = `${event.run}/${event.runs} ${event.cell}, seed ${event.seed}`;
          bar?.clear();
          if (bar !== undefined) bar = progressBar(io); // of this run alone
          return;
        case "prepared":
          if (!described) say(describePreparation(source, event.report));
          described = true;
          return;
        case "progress":
        case "epoch":
          bar?.draw(event, place);
          return;
        case "warning":
          return note(`${place}: ${describeWarning(event)}`);
        case "trained": {
          const { metrics, epochs, seconds } = event.run;
          const errors = `validation MAE ${short(metrics.validation.model.mae)}, test MAE ${short(metrics.test.model.mae)}`;
          return say(`${place}: ${errors}, ${counted(epochs, "epoch")}, ${clock(seconds)}\n`);
        }
        case "failed":
          return note(`${place}: ${event.message}`);
        case "done":
          return say(ending(event.comparison, event.stopped, report));
      }
    },
    note,
    stopped: note,
    close: () => bar?.clear(),
  };
}

function ending(comparison: Comparison, stopped: "finished" | "aborted", report: string | undefined): string {
  return [
    ...(stopped === "aborted" ? [`stopped on request, after ${counted(comparison.runs.length, "run")}`] : []),
    "",
    comparisonText(comparison),
    ...(report === undefined ? [] : [`report: ${report}`, ""]),
  ].join("\n");
}
