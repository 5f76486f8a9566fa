/**
 * Weights as parts of one parameter, one behind the other: what is done to all of them, as an optimizer does, is then done once, and weights
 * that lie in the order in which a product wants them stacked need not be copied.
 */

import { product } from "../base/shapes.ts";
import { GraphBuilder, rebuild } from "../ir/builder.ts";
import type { Graph, Node, NodeId, NodeOf, Program } from "../ir/nodes.ts";
import { prune } from "./prune.ts";

export interface Together {
  /** Of the parameter. */
  readonly name: string;
  /** Rows of `width` numbers, the last one filled up with zeros: threads share rows, and sums of rows are short. */
  readonly shape: readonly [number, number];
  /** Where each weight begins, in order. */
  readonly places: ReadonlyMap<string, { readonly offset: number; readonly shape: readonly number[] }>;
}

const width = 256;

/** In the order of `shapes`, except that those a program stacks follow each other. */
export function putTogether(
  name: string,
  { graph }: Program,
  shapes: ReadonlyMap<string, readonly number[]>,
): Together {
  const stacks = graph.nodes.flatMap((node) => (node.kind === "concat" ? [namesOf(graph, node)] : []));
  const order = new Set<string>();
  for (const weight of shapes.keys()) {
    const stack = stacks.find((names) => names?.includes(weight) === true) ?? [weight];
    if (stack.every((member) => shapes.has(member) && !order.has(member)))
      for (const member of stack) order.add(member);
    else order.add(weight);
  }
  let end = 0;
  const places = new Map(
    [...order].map((weight) => {
      const shape = shapes.get(weight)!;
      const offset = end;
      end += product(shape);
      return [weight, { offset, shape }];
    }),
  );
  return { name, shape: [Math.ceil(end / width), width], places };
}

/** The parameters that a concatenation of whole rows puts together; undefined where it has other parts. */
function namesOf(graph: Graph, { parts, dim }: NodeOf<"concat">): readonly string[] | undefined {
  const names = parts.map((part) => paramName(graph.nodes[part]!));
  return dim === 0 && names.every((name) => name !== undefined) ? names : undefined;
}

function paramName(node: Node): string | undefined {
  return node.kind === "param" ? node.name : undefined;
}

/** The program with every weight, and every stack of weights that lie so, as a view of the one parameter. */
export function weightsTogether({ graph, outputs, updates }: Program, together: Together): Program {
  const builder = new GraphBuilder();
  const views = new Map<NodeId, { readonly offset: number; readonly shape: readonly number[] }>();
  graph.nodes.forEach((node, id) => {
    const names = node.kind === "concat" ? namesOf(graph, node) : node.kind === "param" ? [node.name] : undefined;
    const run = names === undefined ? undefined : runOf(names, together);
    if (run !== undefined) views.set(id as NodeId, run); // The position in the list is the id.
  });
  const map = rebuild(
    graph,
    builder,
    [...Object.values(outputs), ...Object.values(updates)],
    (_node, id) => {
      const view = views.get(id);
      if (view === undefined) return undefined;
      const whole = builder.add({ kind: "param", name: together.name, shape: together.shape });
      return viewOf(builder, whole, view.offset, view.shape);
    },
    (id) => views.has(id),
  );
  const moved = (names: Readonly<Record<string, NodeId>>) =>
    Object.fromEntries(Object.entries(names).map(([name, id]) => [name, map(id)]));
  return prune({ graph: builder.finish(), outputs: moved(outputs), updates: moved(updates) });
}

/** Where these weights lie one behind the other; undefined where they do not. */
function runOf(names: readonly string[], { places }: Together) {
  const own = names.map((name) => places.get(name));
  const offset = own[0]?.offset;
  let end = offset;
  let rows = 0;
  for (const place of own) {
    if (place === undefined || end === undefined || place.offset !== end) return undefined;
    end += product(place.shape);
    rows += place.shape[0]!;
  }
  return offset === undefined ? undefined : { offset, shape: [rows, ...own[0]!.shape.slice(1)] };
}

/** Numbers of a value of all weights, from `offset` on, in a shape of their own. */
export function viewOf(builder: GraphBuilder, whole: NodeId, offset: number, shape: readonly number[]): NodeId {
  const line = builder.add({ kind: "reshape", x: whole, shape: [product(builder.typeOf(whole).shape)] });
  const own = builder.add({ kind: "slice", x: line, dim: 0, start: offset, size: product(shape) });
  return builder.add({ kind: "reshape", x: own, shape });
}

/** A value of each weight, by name, as one of all of them. Neighbouring slices of a value are taken as one. */
export function joined(
  builder: GraphBuilder,
  values: ReadonlyMap<string, NodeId>,
  { places, shape }: Together,
): NodeId {
  const runs: { x: NodeId; start: number; size: number }[] = [];
  let end = 0;
  for (const [name, place] of places) {
    const value = values.get(name)!;
    end = place.offset + product(place.shape);
    const node = builder.nodeOf(value);
    const isSlice = node.kind === "slice" && node.dim === 0 && (node.stride ?? 1) === 1;
    const own = isSlice ? node : { x: value, start: 0, size: place.shape[0]! };
    const run = runs.at(-1);
    if (run !== undefined && run.x === own.x && run.start + run.size === own.start) run.size += own.size;
    else runs.push({ x: own.x, start: own.start, size: own.size });
  }
  const parts = runs.map(({ x, start, size }) => {
    const slice = builder.add({ kind: "slice", x, dim: 0, start, size });
    return builder.add({ kind: "reshape", x: slice, shape: [product(builder.typeOf(slice).shape)] });
  });
  const rest = shape[0] * shape[1] - end;
  if (rest > 0) parts.push(builder.zeros({ axes: [], shape: [rest] }));
  return builder.add({ kind: "reshape", x: builder.add({ kind: "concat", parts, dim: 0 }), shape });
}
