/** Pictures of the flow of gradients, as SVG text that follows the page's light or dark colours. */
import { fromTheEnd } from "./diagnosis.ts";
import { escaped, palette } from "./markup.ts";
import type { GradientFlow, LayerFlow } from "./types.ts";

const width = 720;
const panelHeight = 150;
const margin = { left: 64, right: 110, top: 30, bottom: 26 };

interface Line {
  readonly label: string;
  readonly values: ArrayLike<number>;
}

interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly scale: "log" | "unit";
}

/**
 * For every recurrence: ‖∂L/∂h_t‖ and ‖∂h_T/∂h_t‖ over the steps on a logarithmic scale, and the mean of every gate. The findings
 * stand above.
 */
export function gradientFlowSvg(flow: GradientFlow): string {
  const panels = flow.layers.flatMap((layer) => panelsOf(layer));
  const heading = flow.findings.flatMap(({ sentence }) => wrapped(sentence, 104));
  const top = 16 + heading.length * 18;
  const height = top + panels.length * (panelHeight + margin.top + margin.bottom);
  const text = heading.map((line, i) => `<text class="finding" x="12" y="${22 + i * 18}">${escaped(line)}</text>`);
  const drawn = panels.map((panel, i) =>
    draw(panel, top + i * (panelHeight + margin.top + margin.bottom) + margin.top),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<style>${style}</style><rect class="page" width="${width}" height="${height}"/>`,
    ...text,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function panelsOf(layer: LayerFlow): readonly Panel[] {
  const direction = layer.direction === "backward" ? ", read backwards" : "";
  const gradients: Panel = {
    title: `${layer.name}${direction}: gradients by step`,
    scale: "log",
    lines: layer.states.flatMap(({ name, lossGradient, reach }) => [
      { label: `‖∂L/∂${name}ₜ‖`, values: lossGradient },
      { label: `‖∂${name}_T/∂${name}ₜ‖`, values: reach },
    ]),
  };
  const gates: Panel = {
    title: `${layer.name}${direction}: gates, mean by step`,
    scale: "unit",
    lines: layer.gates.map(({ name, mean }) => ({ label: name, values: mean })),
  };
  return layer.gates.length === 0 ? [gradients] : [gradients, gates];
}

function draw({ title, lines, scale }: Panel, top: number): string {
  const steps = Math.max(...lines.map(({ values }) => values.length));
  const right = width - margin.right;
  const x = (step: number) => margin.left + ((right - margin.left) * step) / Math.max(1, steps - 1);
  const exponents = scale === "log" ? exponentRange(lines) : { low: 0, high: 1 };
  const heightOf = (value: number) =>
    scale === "log" ? (value > 0 ? Math.log10(value) : Number.NEGATIVE_INFINITY) : value;
  const y = (value: number) => {
    const share = (heightOf(value) - exponents.low) / (exponents.high - exponents.low);
    return top + panelHeight * (1 - Math.min(1, Math.max(0, share)));
  };
  const ticks = scale === "log" ? logTicks(exponents) : [0, 0.5, 1];
  const grid = ticks.map((tick) => {
    const value = scale === "log" ? 10 ** tick : tick;
    const label = scale === "log" ? `1e${tick}` : String(tick);
    const at = round(y(value));
    return `<line class="grid" x1="${margin.left}" x2="${right}" y1="${at}" y2="${at}"/><text class="tick" x="${margin.left - 6}" y="${at + 4}" text-anchor="end">${label}</text>`;
  });
  const drawn = lines.map(({ label, values }, i) => {
    const points = Array.from({ length: values.length }, (_, t) =>
      Number.isFinite(values[t]!) ? `${round(x(t))},${round(y(values[t]!))}` : "",
    ).filter((point) => point !== "");
    const legend = `<text class="l${i % 6}" x="${right + 10}" y="${top + 10 + i * 18}">${escaped(label)}</text>`;
    return `<polyline class="line s${i % 6}" points="${points.join(" ")}"/>${legend}`;
  });
  return [
    `<text class="title" x="${margin.left}" y="${top - 10}">${escaped(title)}</text>`,
    ...grid,
    `<text class="tick" x="${margin.left}" y="${top + panelHeight + 16}">step 1</text>`,
    `<text class="tick" x="${right}" y="${top + panelHeight + 16}" text-anchor="end">step ${steps}</text>`,
    ...drawn,
  ].join("\n");
}

/** Whole powers of ten around all values above 0, at most 30 of them: what is smaller lies on the floor. */
function exponentRange(lines: readonly Line[]): { low: number; high: number } {
  const logs = lines.flatMap(({ values }) =>
    Array.from(values).flatMap((value) => (value > 0 && Number.isFinite(value) ? [Math.log10(value)] : [])),
  );
  const high = Math.ceil(Math.max(0, ...logs));
  const low = Math.max(high - 30, Math.floor(Math.min(high - 1, ...logs)));
  return { low, high };
}

function logTicks({ low, high }: { low: number; high: number }): number[] {
  const every = Math.ceil((high - low) / 5);
  return Array.from({ length: Math.floor((high - low) / every) + 1 }, (_, i) => high - i * every);
}

/** A line for a terminal: ‖∂h_T/∂h_t‖ from the first step to the last, a column for each or for several. */
export function reachInWords(layer: LayerFlow, columns = 40): string {
  const blocks = " ▁▂▃▄▅▆▇█";
  const strongest = [...layer.states].sort((a, b) => end(b.reach, layer) - end(a.reach, layer))[0];
  if (strongest === undefined) return "";
  const { reach } = strongest;
  const shown = Math.min(columns, reach.length);
  return Array.from({ length: shown }, (_, i) => {
    const value = reach[Math.round((i * (reach.length - 1)) / Math.max(1, shown - 1))]!;
    // From 1e-8 to 1: eight steps of a factor of ten.
    const level = Number.isFinite(value) && value > 0 ? 8 + Math.log10(value) : value > 0 ? 8 : 0;
    return blocks[Math.min(8, Math.max(0, Math.round(level)))]!;
  }).join("");
}

function end(reach: Float64Array, layer: LayerFlow): number {
  return fromTheEnd(reach, layer).at(-1) ?? 0;
}

const style = palette(
  ".title { font-weight: 600 } .tick { font-size: 11px } .line { fill: none; stroke-width: 1.75; stroke-linejoin: round }",
);

function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
