/**
 * One timestep of a program: its scans along an axis are opened, so that their states become parameters that a call rewrites.
 *
 *     y, final = scan h from h₀ over x [batch, time, n] { h′ = f(x, h); y = g(x, h) }
 *     →   begin: h₀        step: x [batch, n], param h ↦ y = g(x, h), final = h′; update h = h′
 *
 * Everything else that has the axis loses it. What looks ahead along it cannot be stepped and is refused.
 */
import { UnsupportedError } from "../base/errors.ts";
import { type Axis, orderAxes, sameType, type TensorType } from "../base/shapes.ts";
import { GraphBuilder, type MapId, reachable, rebuild } from "../ir/builder.ts";
import type { Graph, Node, NodeId, Program, ScanNode } from "../ir/nodes.ts";
import { operands } from "../ir/nodes.ts";
import { elementType } from "../ir/shapes.ts";
import { addOutside } from "./rewrite.ts";

export interface OneStep {
  /** Inputs and outputs without the axis; the states are parameters `stream.state.i` with updates. */
  readonly step: Program;
  /** What the states are before the first step: outputs `stream.state.i`. */
  readonly begin: Program;
  /** By the name of their parameter, in order. All have the batch axis: each stream has its own. */
  readonly states: ReadonlyMap<string, TensorType>;
}

/** @throws UnsupportedError when a value needs a later timestep: backward scans, sums over the axis, the last state fed back. */
export function oneStep(program: Program, axis: Axis): OneStep {
  const roots = Object.values(program.outputs);
  refuseLookingAhead(program.graph, roots, axis);
  const builder = new GraphBuilder();
  const states = new Map<string, State>();
  const map = open({ axis, builder, states }, program.graph, roots);
  const outputs = Object.fromEntries(Object.entries(program.outputs).map(([name, id]) => [name, map(id)]));
  const updates = updatesOf(builder, Object.values(outputs), states);
  const kept = new Map([...states].filter(([name]) => name in updates));
  return {
    step: { graph: builder.finish(), outputs, updates },
    begin: beginning(program.graph, kept),
    states: new Map([...kept].map(([name, { type }]) => [name, type])),
  };
}

/** Next values of the states that the outputs depend on, now or in a later step. */
function updatesOf(builder: GraphBuilder, outputs: readonly NodeId[], states: ReadonlyMap<string, State>) {
  const updates: Record<string, NodeId> = {};
  for (let before = -1; before !== Object.keys(updates).length; ) {
    before = Object.keys(updates).length;
    for (const id of reachable(builder, [...outputs, ...Object.values(updates)])) {
      const node = builder.nodeOf(id);
      const state = node.kind === "param" ? states.get(node.name) : undefined;
      if (node.kind === "param" && state !== undefined) updates[node.name] = state.next();
    }
  }
  return updates;
}

interface State {
  readonly type: TensorType;
  /** Its value before the first step, in the graph as it was; undefined: 0. */
  readonly initial: NodeId | undefined;
  readonly next: () => NodeId;
}

interface Opening {
  readonly axis: Axis;
  readonly builder: GraphBuilder;
  readonly states: Map<string, State>;
  /** Steps taken so far [batch, 1], once something reads it. */
  position?: NodeId;
}

function open(opening: Opening, graph: Graph, roots: readonly NodeId[]): MapId {
  const { axis, builder } = opening;
  const results = new Map<NodeId, { readonly final: readonly NodeId[]; readonly stacked: readonly NodeId[] }>();
  return rebuild(graph, builder, roots, (node, id, map) => {
    if (node.kind === "scan" && node.axis === axis) {
      results.set(id, openScan(opening, node, graph, map));
      return builder.literal(0); // Only picks read a scan, and they read its results.
    }
    if (node.kind === "pick") {
      map(node.scan);
      const opened = results.get(node.scan);
      if (opened !== undefined) return opened[node.port][node.index]!;
    }
    if (node.kind === "iota" && node.along === axis) return position(opening);
    if (node.kind === "shift" && node.axis === axis) return delayed(opening, map(node.x), node.by);
    return withoutAxis(builder, axis, node, map);
  });
}

function openScan(opening: Opening, scan: ScanNode, graph: Graph, map: MapId) {
  const { builder, states, axis } = opening;
  const { body } = scan;
  let inner: MapId | undefined;
  const own = scan.initial.map((initial, k) => {
    const { axes, shape } = graph.types[initial]!;
    const type = { axes: orderAxes(["batch", ...axes]), shape };
    return newState(opening, type, initial, () => widened(builder, inner!(body.next[k]!), type));
  });
  inner = rebuild(body.graph, builder, [...body.next, ...body.outputs], (node, _id, bodyMap) => {
    if (node.kind === "state") return own[node.index]!.id;
    if (node.kind === "element") return map(scan.sequences[node.index]!);
    if (node.kind === "captured") return map(scan.captured[node.index]!);
    if (node.kind === "step" && node.axis === axis) return position(opening);
    return withoutAxis(builder, axis, node, bodyMap);
  });
  return { final: own.map(({ name }) => states.get(name)!.next()), stacked: body.outputs.map(inner) };
}

function newState({ builder, states }: Opening, type: TensorType, initial: NodeId | undefined, next: () => NodeId) {
  const name = `stream.state.${states.size}`;
  states.set(name, { type, initial, next });
  return { name, id: builder.add({ kind: "param", name, ...type }) };
}

/** A node whose operands may have lost the axis, or gained that of the batch. */
function withoutAxis(builder: GraphBuilder, axis: Axis, node: Node, map: MapId): NodeId {
  if (node.kind === "input" || node.kind === "broadcast")
    return addOutside(builder, { ...node, type: elementType(node.type, { axis }) }, map);
  if (node.kind !== "scan") return addOutside(builder, node, map);
  const [initial, sequences, captured] = [node.initial.map(map), node.sequences.map(map), node.captured.map(map)];
  const inside = new GraphBuilder();
  const { graph, next, outputs } = node.body;
  const inner = rebuild(graph, inside, [...next, ...outputs], (own, _id, bodyMap) => {
    if (own.kind === "state") return inside.add({ ...own, type: builder.typeOf(initial[own.index]!) });
    if (own.kind === "captured") return inside.add({ ...own, type: builder.typeOf(captured[own.index]!) });
    if (own.kind === "element")
      return inside.add({ ...own, type: elementType(builder.typeOf(sequences[own.index]!), node) });
    return withoutAxis(inside, axis, own, bodyMap);
  });
  const wide = next.map((id, k) => widened(inside, inner(id), builder.typeOf(initial[k]!)));
  const body = { next: wide, outputs: outputs.map(inner) };
  const lengths = node.lengths === undefined ? undefined : map(node.lengths);
  return builder.add({ ...node, lengths, initial, sequences, captured, body: { ...body, graph: inside.finish() } });
}

function position(opening: Opening): NodeId {
  const { builder } = opening;
  const next = () => builder.add({ kind: "add", a: opening.position!, b: builder.literal(1) });
  opening.position ??= newState(opening, { axes: ["batch"], shape: [1] }, undefined, next).id;
  return opening.position;
}

/** x some steps ago: each of the steps between is a state that takes the value of the one before it. */
function delayed(opening: Opening, x: NodeId, by: number): NodeId {
  const { builder } = opening;
  const { axes, shape } = builder.typeOf(x);
  const type = { axes: orderAxes(["batch", ...axes]), shape };
  let value = widened(builder, x, type);
  for (let i = 0; i < by; i++) {
    const newer = value;
    value = newState(opening, type, undefined, () => newer).id;
  }
  return value;
}

function widened(builder: GraphBuilder, id: NodeId, type: TensorType): NodeId {
  return sameType(builder.typeOf(id), type) ? id : builder.add({ kind: "broadcast", x: id, type });
}

/** The states before the first step: functions of parameters and of inputs without the axis. */
function beginning(graph: Graph, states: ReadonlyMap<string, State>): Program {
  const builder = new GraphBuilder();
  const initials = [...states.values()].flatMap(({ initial }) => (initial === undefined ? [] : [initial]));
  const map = rebuild(graph, builder, initials, () => undefined);
  const outputs = Object.fromEntries(
    [...states].map(([name, { initial, type }]) => [
      name,
      widened(builder, initial === undefined ? builder.literal(0) : map(initial), type),
    ]),
  );
  return { graph: builder.finish(), outputs, updates: {} };
}

function refuseLookingAhead(graph: Graph, roots: readonly NodeId[], axis: Axis): void {
  const used = reachable(graph, roots);
  /** Known only when the whole sequence is: final states and what is made of them. */
  const late = new Set<NodeId>();
  graph.nodes.forEach((node, index) => {
    const id = index as NodeId; // The position in the list is the id.
    if (!used.has(id)) return;
    const along = isAlong(node, axis) || graph.types[id]!.axes.includes(axis);
    if (operands(node).some((operand) => late.has(operand))) {
      if (along)
        refuse(
          axis,
          "the last state, fed back to every step",
          "feed back the state of the step before, within one scan",
        );
      late.add(id);
    }
    if (node.kind === "pick" && node.port === "final" && isAlong(graph.nodes[node.scan]!, axis)) late.add(id);
    refuseNode(node, graph, axis);
  });
}

function isAlong(node: Node, axis: Axis): boolean {
  return node.kind === "scan" && node.axis === axis;
}

function refuseNode(node: Node, graph: Graph, axis: Axis, inside = false): void {
  const has = (id: NodeId) => graph.types[id]!.axes.includes(axis);
  if (node.kind === "scan") {
    if (node.axis === axis && inside) refuse(axis, "a scan within another scan", "stream the outer axis");
    if (node.axis === axis && node.direction === "backward")
      refuse(axis, "a layer that runs backward", 'build the network with direction: "forward"');
    for (const inner of node.body.graph.nodes) refuseNode(inner, node.body.graph, axis, true);
    return;
  }
  const summed =
    (node.kind === "reduce" && node.axes.includes(axis)) ||
    (node.kind === "outer" && node.axes.includes(axis)) ||
    (node.kind === "scatterAdd" && has(node.x));
  if (summed)
    refuse(axis, `a ${node.kind} over all timesteps`, 'read the state so far with output: "last", or sum up in a cell');
  if (node.kind === "random" && (node.type.axes.includes(axis) || inside))
    refuse(axis, "random numbers for each timestep", "draw them outside and feed them as an input");
  if (node.kind === "shift" && node.axis === axis && node.by < 0)
    refuse(axis, "a look at later timesteps", 'use padding: "causal" in convolutions');
  if (node.kind === "shift" && node.axis === axis && inside)
    refuse(axis, "a shift inside a scan along another axis", "shift before that scan");
  if (node.kind === "iota" && node.along === axis && inside)
    refuse(axis, "positions inside a scan along another axis", "compute them before that scan");
}

function refuse(axis: Axis, given: string, mend: string): never {
  throw new UnsupportedError({
    where: "stream: a part of the network",
    given,
    expected: `steps along "${axis}" that need no later one`,
    mend: `${mend}; or predict whole sequences`,
  });
}
