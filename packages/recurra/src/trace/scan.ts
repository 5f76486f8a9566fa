/** Recurrence along an axis, written as the function of one timestep. */
import { ShapeError } from "../base/errors.ts";
import { type Axis, formatType, sameType } from "../base/shapes.ts";
import { reachable } from "../ir/builder.ts";
import type { Graph, NodeId } from "../ir/nodes.ts";
import { elementType } from "../ir/shapes.ts";
import { broadcast } from "./operations.ts";
import { type Tensor, Trace, traceOf } from "./tensor.ts";

type Tensors = Readonly<Record<string, Tensor>>;

export interface ScanOptions<States extends Tensors, Sequences extends Tensors, Outputs extends Tensors> {
  /** The axis stepped along. Default "time". */
  readonly axis?: Axis;
  readonly direction?: "forward" | "backward";
  /**
   * True lengths [batch, 1]: behind them states stay as they are and outputs are 0. The step must then keep the rows of the batch
   * apart: a sum over them would count rows that have ended.
   */
  readonly lengths?: Tensor | undefined;
  readonly initial: States;
  readonly sequences: Sequences;
  /** One timestep: `x` holds this step's element of each sequence. Tensors from outside are captured. */
  readonly step: (
    state: { readonly [K in keyof States]: Tensor },
    x: { readonly [K in keyof Sequences]: Tensor },
  ) => { readonly next: { readonly [K in keyof States]: Tensor }; readonly outputs: Outputs };
}

export interface ScanResult<States, Outputs> {
  readonly final: { readonly [K in keyof States]: Tensor };
  /** Outputs of every step, with the scan's axis. */
  readonly outputs: { readonly [K in keyof Outputs]: Tensor };
}

/** @throws ShapeError when types do not fit, or when a step with lengths joins the rows of the batch. */
export function scan<States extends Tensors, Sequences extends Tensors, Outputs extends Tensors>(
  options: ScanOptions<States, Sequences, Outputs>,
): ScanResult<States, Outputs> {
  const { axis = "time", direction = "forward", lengths, initial, sequences } = options;
  const trace = traceOf(
    ...Object.values(initial),
    ...Object.values(sequences),
    ...(lengths === undefined ? [] : [lengths]),
  );
  const body = new Trace(trace);
  const stateNames = Object.keys(initial);
  const sequenceTensors = Object.values(sequences).map((tensor) => trace.adopt(tensor));
  const initialTensors = Object.values(initial).map((tensor) => trace.adopt(tensor));
  const x = fromEntries(Object.keys(sequences), (index) => {
    const { type } = sequenceTensors[index]!;
    if (!type.axes.includes(axis))
      throw misfit(
        `scan: sequence "${Object.keys(sequences)[index]}"`,
        formatType(type),
        `a tensor with the axis ${axis}`,
      );
    return body.add({ kind: "element", index, type: elementType(type, { axis }) });
  });
  const state = fromEntries(stateNames, (index) =>
    body.add({ kind: "state", index, type: initialTensors[index]!.type }),
  );
  // The names of the records are the keys of States and Sequences: fromEntries keeps them.
  const { next, outputs } = options.step(
    state as { [K in keyof States]: Tensor },
    x as { [K in keyof Sequences]: Tensor },
  );

  const nextIds = stateNames.map((name, k): NodeId => {
    const given = next[name];
    const expected = initialTensors[k]!.type;
    if (given === undefined) throw misfit(`scan: next state "${name}"`, "missing", formatType(expected));
    const widened = sameType(given.type, expected) ? given : broadcast(body.adopt(given), expected);
    return body.adopt(widened).id;
  });
  const outputNames = Object.keys(outputs);
  const outputIds = outputNames.map((name) => body.adopt(outputs[name]!).id);
  const graph = body.builder.finish();
  if (lengths !== undefined) keepsRowsApart(graph, [...nextIds, ...outputIds]);
  const node = trace.add({
    kind: "scan",
    axis,
    direction,
    lengths: lengths === undefined ? undefined : trace.adopt(lengths).id,
    initial: initialTensors.map((tensor) => tensor.id),
    sequences: sequenceTensors.map((tensor) => tensor.id),
    captured: body.captured.map((tensor) => tensor.id),
    body: { graph, next: nextIds, outputs: outputIds },
  });
  trace.stateNames.set(node.id, stateNames);
  const pick = (port: "final" | "stacked") => (index: number) =>
    trace.add({ kind: "pick", scan: node.id, port, index });
  return {
    final: fromEntries(stateNames, pick("final")) as { [K in keyof States]: Tensor }, // Same names as `initial`.
    outputs: fromEntries(outputNames, pick("stacked")) as { [K in keyof Outputs]: Tensor }, // Same names as `outputs`.
  };
}

/** The position of the current step of the enclosing scan: 0 … T−1, as [1]. */
export function stepPosition(inside: Tensor, axis: Axis = "time"): Tensor {
  return inside.trace.add({ kind: "step", axis });
}

function keepsRowsApart(graph: Graph, roots: readonly NodeId[]): void {
  for (const id of reachable(graph, roots)) {
    const node = graph.nodes[id]!;
    if (node.kind === "scan") keepsRowsApart(node.body.graph, [...node.body.next, ...node.body.outputs]);
    const joined =
      node.kind === "reduce" || node.kind === "outer"
        ? node.axes
        : node.kind === "scatterAdd"
          ? graph.types[node.x]!.axes
          : [];
    if (!joined.includes("batch")) continue;
    throw new ShapeError({
      where: `scan with lengths: ${node.kind} in the step`,
      given: 'over the axis "batch"',
      expected: "a step that keeps the rows of the batch apart",
      mend: "rows past their length would take part; join the rows before or after the scan, or leave out lengths and weigh the rows in the step",
    });
  }
}

function fromEntries(names: readonly string[], make: (index: number) => Tensor): Record<string, Tensor> {
  return Object.fromEntries(names.map((name, index) => [name, make(index)]));
}

function misfit(where: string, given: string, expected: string): ShapeError {
  return new ShapeError({ where, given, expected, mend: "check what the step returns and what the scan is given" });
}
