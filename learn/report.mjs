/** The results as a table of text. */

const columns = [
  ["task", ({ task }) => task],
  ["model", ({ model }) => model],
  ["measure", ({ measure }) => measure],
  ["mean", ({ mean }) => number(mean)],
  ["each seed", ({ runs }) => runs.map(({ value }) => number(value)).join(" ")],
  ["trivial", ({ baseline }) => `${number(baseline.value)} ${baseline.name}`],
  ["published", ({ published }) => published],
  ["target", ({ better, target }) => `${better === "lower" ? "≤" : "≥"} ${number(target)}`],
  ["", ({ verdict }) => verdict],
  ["seconds", ({ runs }) => runs.map(({ seconds }) => seconds.toFixed(seconds < 10 ? 1 : 0)).join(" ")],
];

/** The rows, and below them what the gradient of those that fail says. */
export function printRows(rows) {
  const texts = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, text]) => text(row)))];
  const widths = columns.map((_, i) => Math.max(...texts.map((line) => line[i].length)));
  const table = texts.map((line) =>
    line
      .map((text, i) => text.padEnd(widths[i]))
      .join("  ")
      .trimEnd(),
  );
  const gradients = rows.flatMap(({ task, model, better, runs }) => {
    const worst = [...runs].sort((a, b) => (better === "lower" ? b.value - a.value : a.value - b.value))[0];
    return worst.gradient === undefined ? [] : [`${task}, ${model}, seed ${worst.seed}: ${worst.gradient}`];
  });
  return `${[...table, ...(gradients.length === 0 ? [] : ["", ...gradients])].join("\n")}\n`;
}

function number(value) {
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(size >= 10 ? 2 : 4) : value.toPrecision(3);
}
