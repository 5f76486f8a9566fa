/** Gradient rules: for each node kind, what flows to its operands when `upstream` arrives at its result. */
import type { TensorType } from "../base/shapes.ts";
import type { GraphBuilder } from "../ir/builder.ts";
import type { Node, NodeId, NodeOf } from "../ir/nodes.ts";
import { add, binary, div, fit, mul, one, select, sub, sum, unary, zero } from "../ir/ops.ts";

export interface At {
  /** Where gradient nodes are written. */
  readonly out: GraphBuilder;
  /** dL/dy, of y's type. */
  readonly upstream: NodeId;
  /** The node's own result, usable in `out`. Calling it may cause the value to be saved, so call it only when needed. */
  readonly y: () => NodeId;
  /** The value of an operand, usable in `out`; likewise. */
  readonly value: (id: NodeId) => NodeId;
  readonly typeOf: (id: NodeId) => TensorType;
  readonly nodeOf: (id: NodeId) => Node;
}

export interface Flow {
  readonly to: NodeId;
  readonly gradient: NodeId;
}

/** `scan` and `pick` are absent: a recurrence is differentiated as a whole, in scan.ts. */
export type RuleKind = Exclude<Node["kind"], "scan" | "pick">;
export type GradientRules = { readonly [K in RuleKind]: (node: NodeOf<K>, at: At) => readonly Flow[] };

const nothing = () => [];

function to(id: NodeId, gradient: NodeId, at: At): Flow {
  return { to: id, gradient: fit(at.out, gradient, at.typeOf(id)) };
}

export const gradientRules: GradientRules = {
  input: nothing,
  param: nothing,
  literal: nothing,
  iota: nothing,
  random: nothing,
  state: nothing,
  element: nothing,
  captured: nothing,
  step: nothing,
  // Piecewise constant: the derivative is 0 wherever it exists.
  sign: nothing,
  floor: nothing,
  less: nothing,
  equal: nothing,
  stopGradient: nothing,

  neg: (node, at) => [to(node.x, unary(at.out, "neg", at.upstream), at)],
  exp: (node, at) => [to(node.x, mul(at.out, at.upstream, at.y()), at)],
  log: (node, at) => [to(node.x, div(at.out, at.upstream, at.value(node.x)), at)],
  // tanh′ = 1 − y² and σ′ = y (1 − y): the result is enough, no second exponential.
  tanh: (node, at) => [to(node.x, mul(at.out, at.upstream, sub(at.out, one, mul(at.out, at.y(), at.y()))), at)],
  sigmoid: (node, at) => [to(node.x, mul(at.out, at.upstream, mul(at.out, at.y(), sub(at.out, one, at.y()))), at)],
  abs: (node, at) => [to(node.x, mul(at.out, at.upstream, unary(at.out, "sign", at.value(node.x))), at)],
  sqrt: (node, at) => [to(node.x, div(at.out, mul(at.out, at.upstream, { literal: 0.5 }), at.y()), at)],
  sin: (node, at) => [to(node.x, mul(at.out, at.upstream, unary(at.out, "cos", at.value(node.x))), at)],
  cos: (node, at) => [
    to(node.x, unary(at.out, "neg", mul(at.out, at.upstream, unary(at.out, "sin", at.value(node.x)))), at),
  ],

  add: (node, at) => [to(node.a, at.upstream, at), to(node.b, at.upstream, at)],
  sub: (node, at) => [to(node.a, at.upstream, at), to(node.b, unary(at.out, "neg", at.upstream), at)],
  mul: (node, at) => [
    to(node.a, mul(at.out, at.upstream, at.value(node.b)), at),
    to(node.b, mul(at.out, at.upstream, at.value(node.a)), at),
  ],
  div: (node, at) => {
    const quotient = div(at.out, at.upstream, at.value(node.b));
    return [to(node.a, quotient, at), to(node.b, unary(at.out, "neg", mul(at.out, quotient, at.y())), at)];
  },
  // Where both are equal the whole gradient goes to a.
  max: (node, at) => split(node.a, node.b, binary(at.out, "less", at.value(node.a), at.value(node.b)), at),
  min: (node, at) => split(node.a, node.b, binary(at.out, "less", at.value(node.b), at.value(node.a)), at),
  select: (node, at) => {
    const condition = at.value(node.condition);
    return [
      to(node.a, select(at.out, condition, at.upstream, zero), at),
      to(node.b, select(at.out, condition, zero, at.upstream), at),
    ];
  },
  broadcast: (node, at) => [to(node.x, at.upstream, at)],

  slice: (node, at) => {
    const whole = at.typeOf(node.x).shape[node.dim]!;
    const padded = at.out.add({
      kind: "pad",
      x: at.upstream,
      dim: node.dim,
      before: node.start,
      after: whole - node.start - (node.size - 1) * (node.stride ?? 1) - 1,
      ...strideOf(node),
    });
    return [to(node.x, padded, at)];
  },
  pad: (node, at) => {
    const size = at.typeOf(node.x).shape[node.dim]!;
    const slice = {
      kind: "slice",
      x: at.upstream,
      dim: node.dim,
      start: node.before,
      size,
      ...strideOf(node),
    } as const;
    return [to(node.x, at.out.add(slice), at)];
  },
  shift: (node, at) => [to(node.x, at.out.add({ kind: "shift", x: at.upstream, axis: node.axis, by: -node.by }), at)],
  concat: (node, at) => {
    let start = 0;
    return node.parts.map((part) => {
      const size = at.typeOf(part).shape[node.dim]!;
      const slice = at.out.add({ kind: "slice", x: at.upstream, dim: node.dim, start, size });
      start += size;
      return to(part, slice, at);
    });
  },
  reshape: (node, at) => [
    to(node.x, at.out.add({ kind: "reshape", x: at.upstream, shape: at.typeOf(node.x).shape }), at),
  ],

  reduce: (node, at) => {
    const type = at.typeOf(node.x);
    if (node.op === "sum") return [to(node.x, at.out.add({ kind: "broadcast", x: at.upstream, type }), at)];
    // Equal maxima share the gradient.
    const isMax = binary(at.out, "equal", at.value(node.x), at.y());
    const share = div(at.out, at.upstream, sum(at.out, isMax, node.axes, node.dims));
    return [to(node.x, mul(at.out, share, isMax), at)];
  },
  matmul: (node, at) => {
    const gradX = at.out.add({
      kind: "matmul",
      x: at.upstream,
      weight: at.value(node.weight),
      transposed: !node.transposed,
    });
    const [a, b] = node.transposed ? [at.value(node.x), at.upstream] : [at.upstream, at.value(node.x)];
    const gradWeight = at.out.add({ kind: "outer", a, b, axes: at.typeOf(node.x).axes });
    return [to(node.x, gradX, at), to(node.weight, gradWeight, at)];
  },
  outer: (node, at) => {
    if (at.typeOf(node.a).axes.length > node.axes.length) return outerOfEach(node, at);
    return [
      to(node.a, at.out.add({ kind: "matmul", x: at.value(node.b), weight: at.upstream, transposed: false }), at),
      to(node.b, at.out.add({ kind: "matmul", x: at.value(node.a), weight: at.upstream, transposed: true }), at),
    ];
  },
  gather: (node, at) => {
    const rows = at.typeOf(node.table).shape[0]!;
    return [to(node.table, at.out.add({ kind: "scatterAdd", x: at.upstream, index: at.value(node.index), rows }), at)];
  },
  scatterAdd: (node, at) => [
    to(node.x, at.out.add({ kind: "gather", table: at.upstream, index: at.value(node.index) }), at),
  ],
};

function split(a: NodeId, b: NodeId, bWins: NodeId, at: At): readonly Flow[] {
  return [to(a, select(at.out, bWins, zero, at.upstream), at), to(b, select(at.out, bWins, at.upstream, zero), at)];
}

/** An outer product that keeps axes: its upstream is a matrix for each position of theirs, and no weight. */
function outerOfEach({ a, b }: NodeOf<"outer">, at: At): readonly Flow[] {
  const contract = (id: NodeId, other: NodeId, stretch: (size: number) => readonly number[], over: 1 | 2) => {
    const { shape } = at.typeOf(other);
    const rows = shape.slice(0, -1);
    const factor = at.out.add({ kind: "reshape", x: at.value(other), shape: [...rows, ...stretch(shape.at(-1)!)] });
    const product = mul(at.out, at.upstream, factor);
    const summed = sum(at.out, product, [], [at.out.typeOf(product).shape.length - over]);
    return to(id, at.out.add({ kind: "reshape", x: summed, shape: at.typeOf(id).shape }), at);
  };
  return [contract(a, b, (size) => [1, size], 1), contract(b, a, (size) => [size, 1], 2)];
}

function strideOf({ stride }: NodeOf<"slice" | "pad">): { readonly stride?: number } {
  return stride === undefined ? {} : { stride };
}

/** The sum of everything that flows to one node. Slices of a whole come back side by side instead of as padded sums. */
export function total(out: GraphBuilder, flows: readonly NodeId[]): NodeId {
  const pads: NodeOf<"pad">[] = [];
  const others: NodeId[] = [];
  for (const id of flows) {
    const node = out.nodeOf(id);
    const dense = node.kind === "pad" && (node.stride ?? 1) === 1;
    if (dense && (pads.length === 0 || pads[0]!.dim === node.dim)) pads.push(node);
    else others.push(id);
  }
  const joined = joinPads(out, pads);
  const terms = joined === undefined ? flows : [...others, joined];
  return terms.slice(1).reduce((sum, term) => add(out, sum, term), terms[0]!);
}

function joinPads(out: GraphBuilder, pads: NodeOf<"pad">[]): NodeId | undefined {
  if (pads.length < 2) return undefined;
  const { dim } = pads[0]!;
  const sizeOf = (pad: NodeOf<"pad">) => out.typeOf(pad.x).shape[dim]!;
  const sorted = [...pads].sort((p, q) => p.before - q.before);
  const whole = sorted[0]!.before + sizeOf(sorted[0]!) + sorted[0]!.after;
  const parts: NodeId[] = [];
  let end = 0;
  const fill = (size: number, like: NodeId) => {
    const type = out.typeOf(like);
    if (size > 0)
      parts.push(out.zeros({ axes: type.axes, shape: type.shape.map((old, i) => (i === dim ? size : old)) }));
  };
  for (const pad of sorted) {
    if (pad.before < end) return undefined;
    fill(pad.before - end, pad.x);
    parts.push(pad.x);
    end = pad.before + sizeOf(pad);
  }
  fill(whole - end, sorted[0]!.x);
  return out.add({ kind: "concat", parts, dim });
}
