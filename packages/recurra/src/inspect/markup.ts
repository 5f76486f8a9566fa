/** What the pictures share: escaping, and colours that follow the page's light or dark ones. */

export const lineColours = {
  light: ["#0550ae", "#bc4c00", "#1a7f37", "#8250df", "#9a6700", "#57606a"],
  dark: ["#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#d29922", "#8b949e"],
} as const;

/** A style sheet: text, page and lines in both palettes, and `more` for what one picture needs. */
export function palette(more: string): string {
  return [
    "text { font: 12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #24292f }",
    ".page, .box { fill: #ffffff } .grid { stroke: #d8dee4 } .box, .arrow { stroke: #24292f } .head { fill: #24292f }",
    more,
    lines(lineColours.light),
    `@media (prefers-color-scheme: dark) { text, .head { fill: #e6edf3 } .page, .box { fill: #0d1117 } .grid { stroke: #30363d } .box, .arrow { stroke: #e6edf3 } ${lines(lineColours.dark)} }`,
  ].join("\n");
}

function lines(colours: readonly string[]): string {
  return colours.map((colour, i) => `.s${i} { stroke: ${colour} } .l${i} { fill: ${colour} }`).join(" ");
}

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
