/** Who tells about a run: a bar that is drawn over, plain lines, JSON lines, or nobody. */
import type { ForecastEvent, PreparationReport } from "recurra/tasks";
import type { Io } from "../io.ts";
import { progressBar } from "./bar.ts";
import { clock, counted, short, whole } from "./numbers.ts";
import { scoreTable } from "./scores.ts";

export type DoneEvent = Extract<ForecastEvent, { event: "done" }>;
export type WarningEvent = Extract<ForecastEvent, { event: "warning" }>;
export type EpochEvent = Extract<ForecastEvent, { event: "epoch" }>;

/** Where the results were written. */
export interface Saved {
  readonly model: string;
  readonly chart: string | undefined;
  /** What to name on the command line for the same data again. */
  readonly data: readonly string[];
}

export interface Reporter {
  /** Every event but the last. */
  readonly event: (event: Exclude<ForecastEvent, DoneEvent>) => void;
  /** A line for people, between the events. */
  readonly note: (text: string) => void;
  /** The last event, when everything has been written. */
  readonly done: (event: DoneEvent, saved: Saved) => void;
  /** The last event of a run that was stopped and left nothing. */
  readonly stopped: (text: string) => void;
  /** Leaves the terminal as it should be, also after a failure. */
  readonly close: () => void;
}

export type Manner = "people" | "json" | "quiet";

/** @param source what the data is called. */
export function reporterFor(manner: Manner, io: Io, source: string): Reporter {
  switch (manner) {
    case "json":
      return jsonReporter(io);
    case "quiet":
      return { event: () => {}, note: noteTo(io), done: () => {}, stopped: noteTo(io), close: () => {} };
    case "people":
      return io.stdout.isTerminal ? barReporter(io, source) : lineReporter(io, source);
  }
}

function noteTo({ stderr }: Io): (text: string) => void {
  return (text) => stderr.write(`${text}\n`);
}

function jsonReporter(io: Io): Reporter {
  const line = (value: unknown) => io.stdout.write(`${JSON.stringify(value)}\n`);
  return {
    event: (event) => {
      line(event);
      if (event.event === "warning") noteTo(io)(describeWarning(event));
    },
    note: noteTo(io),
    done: (event, { model, chart }) => line({ ...event, model, chart }),
    stopped: (text) => {
      noteTo(io)(text);
      line({ event: "stopped", message: text });
    },
    close: () => {},
  };
}

function barReporter(io: Io, source: string): Reporter {
  const bar = progressBar(io);
  const note = (text: string) => {
    bar.clear();
    noteTo(io)(text);
  };
  return {
    event: (event) => {
      if (event.event === "prepared") io.stdout.write(describePreparation(source, event.report, event.parameters));
      else if (event.event === "warning") note(describeWarning(event));
      else bar.draw(event);
    },
    note,
    stopped: note,
    done: (event, saved) => {
      bar.finish();
      io.stdout.write(describeResult(event, saved, io.command));
    },
    close: () => bar.finish(),
  };
}

/** Ten or so lines in all, whatever the number of epochs. */
function lineReporter(io: Io, source: string): Reporter {
  const { stdout } = io;
  let last: EpochEvent | undefined;
  let told = 0;
  const tell = (event: EpochEvent) => {
    told = event.epoch;
    stdout.write(`${describeEpoch(event)}\n`);
  };
  return {
    event: (event) => {
      if (event.event === "prepared") stdout.write(describePreparation(source, event.report, event.parameters));
      if (event.event === "warning") noteTo(io)(describeWarning(event));
      if (event.event !== "epoch") return;
      last = event;
      if (event.epoch === 1 || event.epoch % Math.ceil(event.epochs / 10) === 0) tell(event);
    },
    note: noteTo(io),
    stopped: noteTo(io),
    done: (event, saved) => {
      if (last !== undefined && last.epoch > told) tell(last);
      stdout.write(describeResult(event, saved, io.command));
    },
    close: () => {},
  };
}

/** @param parameters of the network, where there is one network. */
export function describePreparation(source: string, report: PreparationReport, parameters?: number): string {
  const { seriesCount, timesteps, interval, season, windows, notes } = report;
  const every = interval === undefined ? "" : `, one every ${interval.replace(/^1 /, "")}`;
  return [
    `${source}: ${seriesCount === 1 ? "" : `${counted(seriesCount, "series", "series")}, `}${counted(timesteps, "timestep")}${every}; season ${whole(season)}`,
    `windows: ${whole(windows.train)} for training, ${whole(windows.validation)} for validation, ${whole(windows.test)} for the test`,
    ...(parameters === undefined ? [] : [`network: ${counted(parameters, "parameter")}`]),
    ...notes.map((note) => `note: ${note}`),
    "",
  ].join("\n");
}

export function describeWarning({ message }: WarningEvent): string {
  return `warning: ${message}`;
}

function describeEpoch({ epoch, epochs, loss, validationLoss, best, sequencesPerSecond }: EpochEvent): string {
  return `epoch ${epoch}/${epochs}: loss ${short(loss)}, validation ${short(validationLoss)}${best ? " (best so far)" : ""}, ${whole(sequencesPerSecond)} sequences/s`;
}

const endings: Readonly<Record<DoneEvent["stopped"], string>> = {
  epochs: "after the last epoch",
  patience: "early, the validation loss no longer fell",
  loss: "early, the validation loss is as low as asked for",
  aborted: "on request",
};

function describeResult(
  { metrics, best, stopped, seconds, verdict }: DoneEvent,
  saved: Saved,
  command: string,
): string {
  const { model, chart, data } = saved;
  const again = [argument(model), ...data.map(argument)].join(" ");
  const table = scoreTable([
    ["validation", metrics.validation],
    ["test", metrics.test],
  ]);
  return [
    `stopped ${endings[stopped]}, after ${clock(seconds)}; kept epoch ${best.epoch} with validation loss ${short(best.validationLoss)}`,
    "",
    table,
    verdict,
    "",
    `model: ${model}`,
    ...(chart === undefined ? [] : [`chart: ${chart}`]),
    `next:  ${command} predict ${again}`,
    `       ${command} backtest ${again}`,
    `       ${command} show ${argument(model)}`,
    "",
  ].join("\n");
}

/** As it can be typed in a shell. */
export function argument(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
