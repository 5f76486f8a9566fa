/** A network unfolded in time, as SVG: one column for each step, one box for each layer and step, arrows where values go. */
import { sameList } from "../base/shapes.ts";
import type { Network } from "../train/programs.ts";
import { escaped, palette } from "./markup.ts";
import { type LayerSummary, summarize } from "./summary.ts";

const box = { width: 92, height: 34 };
const gap = { x: 46, y: 40 };
const margin = { left: 150, top: 24 };

/** Layers that read the same one and are read together: one of them, or both directions of a recurrence. */
type Row = readonly LayerSummary[];

/** `steps` columns; the last stands for t = T. Recurrences have arrows between columns, in the direction in which they run. */
export function unfoldingSvg(network: Network, steps = 4): string {
  const { layers, inputs, outputs } = summarize(network);
  const known = layers.filter((layer): layer is LayerSummary => "output" in layer);
  const axis = known.find(({ recurrence }) => recurrence !== undefined)?.recurrence?.axis ?? "time";
  const rows = rowsOf(known);
  const lines = rows.reduce((count, row) => count + row.length, 0) + 2;
  const height = margin.top * 2 + lines * box.height + (lines - 1) * gap.y;
  const width = margin.left + steps * box.width + (steps - 1) * gap.x + 40;
  const x = (column: number) => margin.left + column * (box.width + gap.x);
  const y = (line: number) => height - margin.top - box.height - line * (box.height + gap.y);
  /** Drawn first, so that boxes lie over arrows that pass behind them. */
  const arrows: string[] = [];
  const drawn: string[] = [];
  const columnsOf = (axes: readonly string[]) =>
    axes.includes(axis) ? Array.from({ length: steps }, (_, column) => column) : [steps - 1];
  const stepName = (column: number) => (column === steps - 1 ? "T" : String(column + 1));

  const draw = (line: number, name: string, axes: readonly string[], label: (step: string) => string) => {
    drawn.push(`<text class="name" x="12" y="${y(line) + box.height / 2 + 4}">${escaped(name)}</text>`);
    for (const column of columnsOf(axes)) {
      const text = label(axes.includes(axis) ? stepName(column) : "");
      drawn.push(
        `<rect class="box" x="${x(column)}" y="${y(line)}" width="${box.width}" height="${box.height}" rx="5"/>`,
        `<text x="${x(column) + box.width / 2}" y="${y(line) + box.height / 2 + 4}" text-anchor="middle">${escaped(text)}</text>`,
      );
    }
  };
  const rise = (from: number, fromAxes: readonly string[], to: number, toAxes: readonly string[]) => {
    const columns = columnsOf(fromAxes).filter((column) => columnsOf(toAxes).includes(column));
    for (const column of columns) {
      const at = x(column) + box.width / 2 + (to - from - 1) * 12;
      arrows.push(arrow(at, y(from), at, y(to) + box.height));
    }
  };

  const fed = inputs.filter(({ type }) => type.axes.includes(axis)).slice(0, 1);
  const [input] = fed.length > 0 ? fed : inputs;
  let line = 0;
  draw(line, "input", input?.type.axes ?? [], (step) => `${input?.name ?? "x"}${step === "" ? "" : ` ${step}`}`);
  let below: readonly { readonly line: number; readonly axes: readonly string[] }[] = [
    { line, axes: input?.type.axes ?? [] },
  ];
  for (const row of rows) {
    const here = row.map((layer) => ({ layer, line: ++line, axes: layer.output.axes }));
    for (const { layer, line: at, axes } of here) {
      draw(at, layer.path, axes, () => layer.kind);
      for (const source of below) rise(source.line, source.axes, at, axes);
      if (layer.recurrence === undefined) continue;
      const states = layer.recurrence.states.join(", ");
      for (let column = 0; column < steps - 1; column++) {
        const [left, right] = [x(column) + box.width, x(column + 1)];
        const middle = y(at) + box.height / 2;
        const dashed = column === steps - 2 ? " dashed" : "";
        drawn.push(
          layer.recurrence.direction === "forward"
            ? arrow(left, middle, right, middle, dashed)
            : arrow(right, middle, left, middle, dashed),
          `<text class="state" x="${(left + right) / 2}" y="${middle - 6}" text-anchor="middle">${escaped(states)}</text>`,
        );
      }
    }
    below = here.map(({ line: at, axes }) => ({ line: at, axes }));
  }
  const [output] = outputs;
  line += 1;
  draw(line, "output", output?.type.axes ?? [], (step) => `${output?.name ?? "y"}${step === "" ? "" : ` ${step}`}`);
  for (const source of below) rise(source.line, source.axes, line, output?.type.axes ?? []);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<style>${palette(".box { stroke-width: 1.25 } .arrow { stroke-width: 1.25; fill: none } .dashed { stroke-dasharray: 4 4 } .state { font-size: 11px }")}</style>`,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0,0 L8,4 L0,8 z"/></marker></defs>',
    `<rect class="page" width="${width}" height="${height}"/>`,
    ...arrows,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

/** Both directions of one recurrent layer stand together: "…0.forward" and "…0.backward". */
function rowsOf(layers: readonly LayerSummary[]): readonly Row[] {
  const rows: LayerSummary[][] = [];
  const stem = ({ path }: LayerSummary) => path.split(".").slice(0, -1);
  for (const layer of layers) {
    const last = rows.at(-1)?.[0];
    const joins =
      last?.recurrence?.direction === "forward" &&
      layer.recurrence?.direction === "backward" &&
      sameList(stem(last), stem(layer));
    if (joins) rows.at(-1)!.push(layer);
    else rows.push([layer]);
  }
  return rows;
}

function arrow(x1: number, y1: number, x2: number, y2: number, more = ""): string {
  return `<line class="arrow${more}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" marker-end="url(#head)"/>`;
}
