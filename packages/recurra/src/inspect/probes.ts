/**
 * The program with which gradients are looked at. To every state of every recurrence a probe is added, a sequence of zeros:
 *
 *     h_t = step(h_{t−1}, x_t) + probe_t
 *
 * The gradient of anything with respect to probe_t is its gradient with respect to h_t, on every path. Gates and states are
 * stacked beside it. All of it is written into the graph: the engine needs to know nothing of it.
 */
import { gradients } from "../autodiff/gradient.ts";
import { type Axis, orderAxes, type TensorType } from "../base/shapes.ts";
import { afterGradient, runPasses } from "../compile/pipeline.ts";
import { GraphBuilder, reachable, rebuild } from "../ir/builder.ts";
import { type Graph, mapOperands, type NodeId, operands, type Program, type ScanNode } from "../ir/nodes.ts";
import { mul, sum } from "../ir/ops.ts";
import { type Network, traceNetwork } from "../train/programs.ts";

/** One state of one recurrence, and the names of what the program gives for it. */
export interface ProbedState {
  readonly name: string;
  /** Input: zeros, [batch, time, features]. */
  readonly probe: string;
  /** Input: one direction [batch, features] in which the last state is pulled. */
  readonly direction: string;
  /** Outputs [batch, time, features]: ∂loss/∂h_t, the gradient of direction · h_T, and h_t itself. */
  readonly lossGradient: string;
  readonly pulled: string;
  readonly values: string;
  readonly type: TensorType;
}

export interface ProbedGate {
  /** As its weights are called: "f" for a gate of W.f. */
  readonly name: string;
  /** Output [batch, time, features], each between 0 and 1. */
  readonly values: string;
  readonly type: TensorType;
}

export interface ProbedLayer {
  /** What the names of its weights have in common: "0.lstm.0.forward". */
  readonly name: string;
  readonly axis: Axis;
  readonly direction: "forward" | "backward";
  readonly states: readonly ProbedState[];
  readonly gates: readonly ProbedGate[];
}

export interface Probes {
  readonly program: Program;
  readonly layers: readonly ProbedLayer[];
  /** By parameter: the output that holds its gradient. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** @param what whether the gradients of parameters are wanted too. */
export function probe(network: Network, what: "states" | "parameters too" = "parameters too"): Probes {
  const { loss, stateNames, parameters } = traceNetwork(network, false);
  const builder = new GraphBuilder();
  const layers: ProbedLayer[] = [];
  const outputs: Record<string, NodeId> = {};
  const pulls: { readonly objective: NodeId; readonly probe: NodeId; readonly output: string }[] = [];
  const losses: { readonly probe: NodeId; readonly output: string }[] = [];
  const used = new Set<string>();
  const map = rebuild(loss.graph, builder, [loss.outputs["loss"]!], (node, id, mapId) => {
    if (node.kind !== "scan") return undefined;
    const name = unique(layerName(node, loss.graph), used);
    const names = stateNames.get(id) ?? node.initial.map((_, k) => `state ${k + 1}`);
    const { scan, states, gates } = probeScan(node, mapId, { inside: loss.graph, builder }, name, names);
    const added = builder.add(scan);
    const pick = (port: "final" | "stacked", index: number) => builder.add({ kind: "pick", scan: added, port, index });
    for (const { state, node: probeNode, index, output } of states) {
      const { type } = state;
      const axes = type.axes.filter((axis) => axis !== node.axis);
      const direction = builder.add({ kind: "input", name: state.direction, type: { axes, shape: type.shape } });
      const product = mul(builder, pick("final", index), direction);
      const dims = type.shape.map((_, dim) => dim);
      const objective = builder.add({ kind: "reshape", x: sum(builder, product, axes, dims), shape: [1] });
      pulls.push({ objective, probe: probeNode, output: state.pulled });
      losses.push({ probe: probeNode, output: state.lossGradient });
      outputs[state.values] = pick("stacked", output);
    }
    for (const { gate, output } of gates) outputs[gate.values] = pick("stacked", output);
    layers.push({
      name,
      axis: node.axis,
      direction: node.direction,
      states: states.map(({ state }) => state),
      gates: gates.map(({ gate }) => gate),
    });
    return added;
  });
  const lossId = map(loss.outputs["loss"]!);
  outputs["loss"] = lossId;
  const weights = new Map<string, NodeId>();
  builder.nodes.forEach((node, id) => {
    if (node.kind === "param") weights.set(node.name, id as NodeId); // The position in the list is the id.
  });
  const wanted = what === "states" ? [] : parameters;
  const named = wanted.flatMap(({ name }) => (weights.has(name) ? [name] : []));
  const wrt = [...losses.map((item) => item.probe), ...named.map((name) => weights.get(name)!)];
  gradients(builder, lossId, wrt).forEach((gradient, i) => {
    const state = losses[i];
    outputs[state === undefined ? `gradient ${named[i - losses.length]}` : state.output] = gradient;
  });
  for (const pull of pulls) outputs[pull.output] = gradients(builder, pull.objective, [pull.probe])[0]!;
  return {
    program: runPasses({ graph: builder.finish(), outputs, updates: {} }, afterGradient),
    layers,
    parameters: new Map(named.map((name) => [name, `gradient ${name}`])),
  };
}

interface ProbedScan {
  readonly scan: ScanNode;
  readonly states: readonly {
    readonly state: ProbedState;
    readonly node: NodeId;
    readonly index: number;
    readonly output: number;
  }[];
  readonly gates: readonly { readonly gate: ProbedGate; readonly output: number }[];
}

function probeScan(
  scan: ScanNode,
  map: (id: NodeId) => NodeId,
  outside: { readonly inside: Graph; readonly builder: GraphBuilder },
  layer: string,
  names: readonly string[],
): ProbedScan {
  const { graph, next, outputs } = scan.body;
  const body = new GraphBuilder();
  const sequences = scan.sequences.map(map);
  const probes = new Map<number, NodeId>();
  // What is handed on as it came, or has no rows, carries nothing that could be looked at.
  const probed = next.map((id) => operands(graph.nodes[id]!).length > 0 && graph.types[id]!.axes.includes("batch"));
  const stacked = (type: TensorType): TensorType => ({
    axes: orderAxes([...type.axes, scan.axis]),
    shape: type.shape,
  });
  const moved = rebuild(graph, body, [...next, ...outputs], (node, id, mapId) => {
    const index = next.indexOf(id);
    if (index < 0 || !probed[index] || node.kind === "pick") return undefined;
    const type = graph.types[id]!;
    const input = outside.builder.add({ kind: "input", name: `probe ${layer} ${names[index]}`, type: stacked(type) });
    probes.set(index, input);
    const element = body.add({ kind: "element", index: sequences.push(input) - 1, type });
    return body.add({ kind: "add", a: body.add(mapOperands(node, mapId)), b: element });
  });
  const nextIds = next.map(moved);
  const outputIds = outputs.map(moved);
  const states = [...probes]
    .sort(([a], [b]) => a - b)
    .map(([index, node]) => ({
      state: {
        name: names[index]!,
        probe: `probe ${layer} ${names[index]}`,
        direction: `direction ${layer} ${names[index]}`,
        lossGradient: `loss ${layer} ${names[index]}`,
        pulled: `pulled ${layer} ${names[index]}`,
        values: `values ${layer} ${names[index]}`,
        type: stacked(graph.types[next[index]!]!),
      },
      node,
      index,
      output: outputIds.push(nextIds[index]!) - 1,
    }));
  const gateNames = new Set<string>();
  const living = reachable(graph, [...next, ...outputs]);
  const gates = [...living]
    .sort((a, b) => a - b)
    .flatMap((id) => {
      const node = graph.nodes[id]!;
      const type = graph.types[id]!;
      if (node.kind !== "sigmoid" || !type.axes.includes("batch") || next.includes(id)) return [];
      const name = unique(blockOf(scan, outside.inside, node.x), gateNames);
      const values = `gate ${layer} ${name}`;
      return [{ gate: { name, values, type: stacked(type) }, output: outputIds.push(moved(id)) - 1 }];
    });
  return {
    scan: {
      ...(mapOperands(scan, map) as ScanNode), // mapOperands keeps the kind.
      sequences,
      body: { graph: body.finish(), next: nextIds, outputs: outputIds },
    },
    states,
    gates,
  };
}

/** Kinds of weights within a cell: they tell no layers apart. */
const kinds: ReadonlySet<string> = new Set(["W", "R", "b", "rb"]);

function layerName(scan: ScanNode, graph: Graph): string {
  const paths = parametersOf(scan.captured, graph).map((name) => name.split("."));
  const first = paths[0] ?? [];
  let shared = first.length - 1;
  for (const path of paths) while (path.slice(0, shared).join(".") !== first.slice(0, shared).join(".")) shared--;
  const common = first.slice(0, Math.max(0, shared)).filter((part) => !kinds.has(part));
  return common.length === 0 ? "recurrence" : common.join(".");
}

/** The block whose weights make a value: the last part of the name of the first parameter that it depends on. */
function blockOf({ body, captured }: ScanNode, outside: Graph, value: NodeId): string {
  const read = [...reachable(body.graph, [value])].flatMap((id) => {
    const node = body.graph.nodes[id]!;
    return node.kind === "captured" ? [captured[node.index]!] : [];
  });
  return parametersOf(read, outside)[0]?.split(".").at(-1) ?? "gate";
}

function parametersOf(ids: readonly NodeId[], graph: Graph): readonly string[] {
  return ids.flatMap((id) => {
    const node = graph.nodes[id]!;
    return node.kind === "param" ? [node.name] : [];
  });
}

/** The name, numbered when it is taken. */
function unique(name: string, used: Set<string>): string {
  let candidate = name;
  for (let n = 2; used.has(candidate); n++) candidate = `${name} ${n}`;
  used.add(candidate);
  return candidate;
}
