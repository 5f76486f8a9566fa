/** One line that tells how far a run is, drawn over itself while it runs. */
import type { ForecastEvent } from "recurra/tasks";
import type { Io } from "../io.ts";
import { clock, short, whole } from "./numbers.ts";

type BarEvent = Extract<ForecastEvent, { event: "progress" | "epoch" }>;

export interface ProgressBar {
  /** @param place which of several runs it is. */
  readonly draw: (event: BarEvent, place?: string) => void;
  /** Takes the line away until the next event. */
  readonly clear: () => void;
  /** Keeps the line as it is now and goes below it. */
  readonly finish: () => void;
}

/** More often than this nobody can read, and drawing would cost training time. */
const redrawMs = 50;

export function progressBar({ stdout, now }: Io): ProgressBar {
  let validation: string | undefined;
  let lastDrawn = Number.NEGATIVE_INFINITY;
  let line = "";
  let shown = false;
  const put = () => {
    stdout.write(`\r\x1b[2K${line}`);
    shown = true;
    lastDrawn = now();
  };
  return {
    draw: (event, place) => {
      if (event.event === "epoch") validation = `${short(event.validationLoss)}${event.best ? " best" : ""}`;
      line = barLine(event, validation, stdout.columns(), place);
      if (event.event === "epoch" || now() - lastDrawn >= redrawMs) put();
    },
    clear: () => {
      if (shown) stdout.write("\r\x1b[2K");
      shown = false;
    },
    finish: () => {
      if (!shown) return;
      put();
      stdout.write("\n");
      shown = false;
    },
  };
}

/** The line for a terminal of this width: what matters less leaves first when it is narrow. */
export function barLine(event: BarEvent, validation: string | undefined, columns: number, place?: string): string {
  const done = event.event === "epoch" ? 1 : event.step / event.steps;
  const share = Math.min(1, Math.max(0, (event.epoch - 1 + done) / event.epochs));
  const parts = [
    ...(place === undefined ? [] : [place]),
    `epoch ${String(event.epoch).padStart(String(event.epochs).length)}/${event.epochs}`,
    `${String(Math.floor(100 * share)).padStart(3)}%`,
    `loss ${short(event.loss)}`,
    ...(validation === undefined ? [] : [`validation ${validation}`]),
    `${whole(event.sequencesPerSecond)} seq/s`,
    ...(event.event === "epoch" ? [] : [`${clock(event.secondsLeft)} left`]),
  ];
  let text = parts.join("  ");
  // The last column stays free: some terminals wrap when it is written.
  while (text.length >= columns && parts.length > 2) {
    parts.splice(parts.length > 4 ? parts.length - 2 : -1, 1);
    text = parts.join("  ");
  }
  const width = Math.min(24, columns - 1 - text.length - 2);
  return width < 5 ? text : `${blocks(share, width)}  ${text}`;
}

function blocks(share: number, width: number): string {
  const full = Math.floor(share * width);
  return "█".repeat(full) + "░".repeat(width - full);
}
