/** Tables of text. */

/** `columns` are [title, width, text of a row]; a negative width aligns to the left. */
export function printer(columns, write) {
  const pad = (text, width) => (width < 0 ? text.padEnd(-width) : text.padStart(width));
  const line = (texts) =>
    write(
      `${texts
        .map((text, i) => pad(text, columns[i][1]))
        .join("  ")
        .trimEnd()}\n`,
    );
  return {
    head: () => line(columns.map(([title]) => title)),
    row: (row) => line(columns.map(([, , text]) => text(row))),
  };
}

export function number(value, digits = 3) {
  if (value === undefined) return "–";
  const size = Math.abs(value);
  return value.toFixed(
    size >= 100 ? Math.max(0, digits - 3) : size >= 10 ? digits - 2 : size >= 1 ? digits - 1 : digits,
  );
}

export const rowColumns = [
  ["work", -8, ({ work }) => work],
  ["cell", -4, ({ cell }) => cell],
  ["hidden", 6, ({ hidden }) => String(hidden)],
  ["batch", 5, ({ batch }) => String(batch)],
  ["time", 4, ({ time }) => String(time)],
  ["threads", 7, ({ threads }) => String(threads)],
  ["engine", -14, ({ engine }) => engine],
  ["median ms", 10, ({ medianMs }) => number(medianMs)],
  ["quartiles", 15, ({ lowerMs, upperMs }) => `${number(lowerMs)}–${number(upperMs)}`],
  ["GFLOP/s", 7, ({ gflops }) => number(gflops)],
  ["of peak", 7, ({ percentOfPeak }) => (percentOfPeak === undefined ? "–" : `${percentOfPeak.toFixed(0)} %`)],
  ["vs native", 9, ({ timesOfNative }) => (timesOfNative === undefined ? "" : `${number(timesOfNative)}×`)],
  [
    "proof",
    -24,
    ({ kernels, threadsReady, through, unchecked, processorsBusy }) =>
      unchecked ??
      [
        kernels,
        threadsReady && `${threadsReady} ready`,
        through && `by ${through}`,
        processorsBusy && `${processorsBusy.toFixed(2)} busy`,
      ]
        .filter(Boolean)
        .join(", "),
  ],
];

export const claimColumns = [
  ["claim", -64, ({ what }) => what],
  ["measured", 14, ({ value, unit = "" }) => (value === undefined ? "–" : `${number(value)} ${unit}`.trim())],
  ["target", 12, ({ target = "" }) => target],
  ["", -3, ({ met }) => (met === undefined ? "" : met ? "met" : "NOT MET")],
  ["", -40, ({ note = "" }) => note],
];
