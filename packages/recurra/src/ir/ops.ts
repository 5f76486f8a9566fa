/** Short names for adding nodes to a builder: what passes and gradient rules write their arithmetic with. */
import { type Axis, sameType, type TensorType } from "../base/shapes.ts";
import type { GraphBuilder } from "./builder.ts";
import type { BinaryKind, NodeId, UnaryKind } from "./nodes.ts";

/** A node, or a number to be made a literal. */
export type Operand = NodeId | { readonly literal: number };

export function add(builder: GraphBuilder, a: Operand, b: Operand): NodeId {
  return binary(builder, "add", a, b);
}
export function sub(builder: GraphBuilder, a: Operand, b: Operand): NodeId {
  return binary(builder, "sub", a, b);
}
export function mul(builder: GraphBuilder, a: Operand, b: Operand): NodeId {
  return binary(builder, "mul", a, b);
}
export function div(builder: GraphBuilder, a: Operand, b: Operand): NodeId {
  return binary(builder, "div", a, b);
}
export function binary(builder: GraphBuilder, kind: BinaryKind, a: Operand, b: Operand): NodeId {
  return builder.add({ kind, a: resolve(builder, a), b: resolve(builder, b) });
}
export function unary(builder: GraphBuilder, kind: UnaryKind, x: NodeId): NodeId {
  return builder.add({ kind, x });
}
export function select(builder: GraphBuilder, condition: NodeId, a: Operand, b: Operand): NodeId {
  return builder.add({ kind: "select", condition, a: resolve(builder, a), b: resolve(builder, b) });
}
export function sum(builder: GraphBuilder, x: NodeId, axes: readonly Axis[], dims: readonly number[]): NodeId {
  return axes.length === 0 && dims.length === 0 ? x : builder.add({ kind: "reduce", op: "sum", x, axes, dims });
}

export const zero: Operand = { literal: 0 };
export const one: Operand = { literal: 1 };

/** Stretches x to a type, or sums what broadcasting had stretched: afterwards x has exactly the type `to`. */
export function fit(builder: GraphBuilder, x: NodeId, to: TensorType): NodeId {
  const from = builder.typeOf(x);
  if (sameType(from, to)) return x;
  const axes = from.axes.filter((axis) => !to.axes.includes(axis));
  const extra = from.shape.length - to.shape.length;
  const dims = from.shape.flatMap((size, dim) =>
    size > 1 && (dim < extra || to.shape[dim - extra] === 1) ? [dim] : [],
  );
  let fitted = sum(builder, x, axes, dims);
  if (extra > 0) fitted = builder.add({ kind: "reshape", x: fitted, shape: builder.typeOf(fitted).shape.slice(extra) });
  return builder.add({ kind: "broadcast", x: fitted, type: to });
}

function resolve(builder: GraphBuilder, operand: Operand): NodeId {
  return typeof operand === "number" ? operand : builder.literal(operand.literal);
}
