/** One window in one frame: the past, what came, what was forecast, and the band between the outer quantiles. */
import { scaleLinear, scaleUtc } from "d3-scale";
import { area, line } from "d3-shape";
import type { WindowView } from "recurra/tasks";
import { element, escaped } from "./svg.ts";

export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Seasons of the past that help to judge a forecast, in lengths of the forecast. */
const pastLengths = 3;

export function panel(view: WindowView, title: string, frame: Frame): string {
  const shown = recent(view);
  const { past, pastTimes, actual, forecast, seasonalNaive, futureTimes, quantiles } = shown;
  const x = timeAxis([...pastTimes, ...futureTimes], view.timed, frame);
  const y = valueAxis([past, actual, forecast, seasonalNaive, ...quantiles.map(({ values }) => values)].flat(), frame);
  const path = (times: readonly number[], values: readonly number[]) =>
    line<number>()
      .defined((value) => Number.isFinite(value))
      .x((_, k) => x.at(times[k]!))
      .y((value) => y.at(value))
      .digits(2)(values.slice(0, times.length)) ?? "";
  const curve = (kind: string, times: readonly number[], values: readonly number[]) =>
    values.length === 0 ? "" : element("path", { class: `line ${kind}`, d: path(times, values) });
  const start = x.at(futureTimes[0]!);
  return element(
    "g",
    { "data-series": view.series, "data-target": view.target },
    element("text", { class: "panel", x: frame.left, y: frame.top - 8 }, escaped(title)),
    y.drawn,
    x.drawn,
    element("line", { class: "now", x1: start, x2: start, y1: frame.top, y2: frame.top + frame.height }),
    band(shown, x.at, y.at),
    curve("actual", [...pastTimes, ...futureTimes], [...past, ...actual]),
    curve("naive", futureTimes, seasonalNaive),
    curve("forecast", futureTimes, forecast),
  );
}

function recent(view: WindowView): WindowView {
  const kept = pastLengths * view.futureTimes.length;
  return { ...view, past: view.past.slice(-kept), pastTimes: view.pastTimes.slice(-kept) };
}

function band(
  { quantiles, futureTimes }: WindowView,
  x: (time: number) => number,
  y: (value: number) => number,
): string {
  const lowest = quantiles[0];
  const highest = quantiles.at(-1);
  if (lowest === undefined || highest === undefined || lowest === highest) return "";
  const outline = area<number>()
    .x((time) => x(time))
    .y0((_, k) => y(lowest.values[k]!))
    .y1((_, k) => y(highest.values[k]!))
    .digits(2)(futureTimes);
  return element("path", { class: "band", d: outline ?? "" });
}

interface Axis {
  readonly at: (value: number) => number;
  readonly drawn: string;
}

function timeAxis(times: readonly number[], timed: boolean, { left, top, width, height }: Frame): Axis {
  const domain = [times[0]!, times.at(-1)!] as const;
  const bottom = top + height;
  const tick = (at: number, label: string) =>
    element("line", { class: "grid", x1: at, x2: at, y1: bottom, y2: bottom + 5 }) +
    element("text", { x: at, y: bottom + 19, "text-anchor": "middle" }, escaped(label));
  if (timed) {
    const scale = scaleUtc(domain, [left, left + width]);
    const ticks = scale.ticks(6);
    const stepDays = ticks.length < 2 ? 0 : (ticks[1]!.getTime() - ticks[0]!.getTime()) / 86_400_000;
    return {
      at: (time) => scale(time),
      drawn: ticks.map((time) => tick(scale(time), timeLabel(time, stepDays))).join(""),
    };
  }
  const scale = scaleLinear(domain, [left, left + width]);
  const format = scale.tickFormat(6);
  const ticks = scale.ticks(6).filter(Number.isInteger);
  return { at: (time) => scale(time), drawn: ticks.map((time) => tick(scale(time), format(time))).join("") };
}

/** "2018", "Jun 2018", "5 Jun", "12:00": as much as tells the ticks apart. */
function timeLabel(time: Date, stepDays: number): string {
  const clock = /T(\d\d:\d\d)/.exec(time.toISOString())?.[1] ?? "";
  if (clock !== "00:00") return clock;
  const month = time.toLocaleString("en", { month: "short", timeZone: "UTC" });
  if (stepDays >= 365) return String(time.getUTCFullYear());
  return stepDays >= 28 ? `${month} ${time.getUTCFullYear()}` : `${time.getUTCDate()} ${month}`;
}

function valueAxis(values: readonly number[], { left, top, width, height }: Frame): Axis {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  if (lowest > highest) [lowest, highest] = [0, 1]; // nothing to show: an empty frame
  if (lowest === highest) [lowest, highest] = [lowest - 1, highest + 1];
  const scale = scaleLinear([lowest, highest], [top + height, top]).nice(4);
  const format = scale.tickFormat(4);
  const drawn = scale
    .ticks(4)
    .map(
      (value) =>
        element("line", { class: "grid", x1: left, x2: left + width, y1: scale(value), y2: scale(value) }) +
        element("text", { x: left - 8, y: scale(value) + 4, "text-anchor": "end" }, escaped(format(value))),
    );
  return { at: (value) => scale(value), drawn: drawn.join("") };
}
