/** Colours of a chart, readable on light and dark pages; the viewer's own setting chooses. */

interface Theme {
  readonly page: string;
  readonly text: string;
  readonly grid: string;
  readonly actual: string;
  readonly forecast: string;
  readonly naive: string;
}

/** Forecast and naive stay apart for colour-blind readers (blue, orange), and differ in their dashes too. */
const light: Theme = {
  page: "#ffffff",
  text: "#24292f",
  grid: "#d8dee4",
  actual: "#57606a",
  forecast: "#0550ae",
  naive: "#bc4c00",
};
const dark: Theme = {
  page: "#0d1117",
  text: "#e6edf3",
  grid: "#30363d",
  actual: "#c9d1d9",
  forecast: "#58a6ff",
  naive: "#f0883e",
};

export function styleSheet(): string {
  return [
    "text { font: 12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif }",
    ".heading { font-size: 16px; font-weight: 600 } .panel { font-weight: 600 }",
    ".line { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round }",
    ".forecast { stroke-width: 2.25 } .naive { stroke-dasharray: 5 4 } .now { stroke-dasharray: 2 3 }",
    ".grid, .now { stroke-width: 1 } .band { stroke: none; opacity: 0.2 }",
    colours(light),
    `@media (prefers-color-scheme: dark) { ${colours(dark)} }`,
  ].join("\n");
}

function colours({ page, text, grid, actual, forecast, naive }: Theme): string {
  return [
    `.page { fill: ${page} } text { fill: ${text} } .grid { stroke: ${grid} } .now { stroke: ${text} }`,
    `.actual { stroke: ${actual} } .forecast { stroke: ${forecast} } .naive { stroke: ${naive} } .band { fill: ${forecast} }`,
  ].join(" ");
}
