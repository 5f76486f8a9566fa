/** A network as a table: its layers, what each makes, and how many parameters it has. */
import { formatType, product, type TensorType } from "../base/shapes.ts";
import type { LayerRecord, ParameterSpec } from "../trace/scope.ts";
import { type Network, traceNetwork } from "../train/programs.ts";

export interface LayerSummary extends LayerRecord {
  readonly parameters: number;
}

export interface NetworkSummary {
  readonly inputs: readonly { readonly name: string; readonly type: TensorType }[];
  /** In the order in which they are computed; parameters that belong to no layer stand in one without output, at the end. */
  readonly layers: readonly (LayerSummary | OwnParameters)[];
  readonly outputs: readonly { readonly name: string; readonly type: TensorType }[];
  readonly parameters: number;
}

export interface OwnParameters {
  readonly path: string;
  readonly kind: "parameters";
  readonly parameters: number;
}

/** Traces the network; it computes nothing. */
export function summarize(network: Network): NetworkSummary {
  const { layers, parameters, outputs } = traceNetwork(network, false);
  const owners = new Map<string, number>();
  const rest: ParameterSpec[] = [];
  for (const parameter of parameters) {
    const owner = layers
      .filter(({ path }) => parameter.name.startsWith(`${path}.`))
      .sort((a, b) => b.path.length - a.path.length)[0];
    if (owner === undefined) rest.push(parameter);
    else owners.set(owner.path, (owners.get(owner.path) ?? 0) + product(parameter.shape));
  }
  const own: OwnParameters[] = rest.map(({ name, shape }) => ({
    path: name,
    kind: "parameters",
    parameters: product(shape),
  }));
  return {
    inputs: Object.entries(network.inputs).map(([name, type]) => ({ name, type })),
    layers: [...layers.map((layer) => ({ ...layer, parameters: owners.get(layer.path) ?? 0 })), ...own],
    outputs: Object.entries(outputs.outputs).map(([name, id]) => ({ name, type: outputs.graph.types[id]! })),
    parameters: parameters.reduce((sum, { shape }) => sum + product(shape), 0),
  };
}

/**
 *     layer             kind   output              parameters
 *     0.lstm.0.forward  lstm   [batch, time, 64]       33,024
 */
export function summaryTable(network: Network): string {
  const { inputs, layers, outputs, parameters } = summarize(network);
  const count = (value: number) => value.toLocaleString("en-US");
  const rows = [
    ["layer", "kind", "output", "parameters"],
    ...inputs.map(({ name, type }) => [name, "input", formatType(type), ""]),
    ...layers.map((layer) => [
      layer.path,
      layer.kind,
      "output" in layer ? formatType(layer.output) : "",
      count(layer.parameters),
    ]),
    ...outputs.map(({ name, type }) => [name, "output", formatType(type), ""]),
    ["", "", "in all", count(parameters)],
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 3 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
