/** Shape rules: the type of each node from the types of its operands, or a ShapeError that says what does not fit. */
import { ShapeError } from "../base/errors.ts";
import {
  type Axis,
  broadcastTypes,
  formatType,
  orderAxes,
  product,
  sameList,
  sameType,
  scalarType,
  type TensorType,
} from "../base/shapes.ts";
import { isBinary, isUnary, type Node, type NodeId } from "./nodes.ts";

export interface TypeSource {
  typeOf(id: NodeId): TensorType;
  nodeOf(id: NodeId): Node;
}

export function inferType(node: Node, source: TypeSource): TensorType {
  if (isUnary(node)) return source.typeOf(node.x);
  if (isBinary(node)) return broadcast(node.kind, source.typeOf(node.a), source.typeOf(node.b));
  switch (node.kind) {
    case "input":
    case "state":
    case "element":
    case "captured":
      return node.type;
    case "param":
      return { axes: node.axes ?? [], shape: node.shape };
    case "literal":
    case "step":
      return scalarType;
    case "iota":
      return typeof node.along === "string"
        ? { axes: [node.along], shape: [1] }
        : { axes: [], shape: [node.along.size] };
    case "random":
      expectType("random: seed", source.typeOf(node.seed), scalarType);
      return node.type;
    case "select": {
      const [condition, a, b] = [node.condition, node.a, node.b].map((id) => source.typeOf(id)) as [
        TensorType,
        TensorType,
        TensorType,
      ];
      return broadcast("select", condition, broadcast("select", a, b));
    }
    case "broadcast": {
      const stretched = broadcast("broadcast", source.typeOf(node.x), node.type);
      expectType("broadcast: x", stretched, node.type);
      return node.type;
    }
    case "stopGradient":
      return source.typeOf(node.x);
    case "slice": {
      const x = source.typeOf(node.x);
      const size = dimension("slice", x, node.dim);
      const end = node.start + (node.size - 1) * (node.stride ?? 1) + 1;
      if (!(node.start >= 0 && node.size >= 1 && (node.stride ?? 1) >= 1 && end <= size)) {
        throw misfit("slice: range", `${node.start} … ${end}`, `within 0 … ${size}`, "slice inside the dimension");
      }
      return withSize(x, node.dim, node.size);
    }
    case "pad": {
      const x = source.typeOf(node.x);
      const spread = (dimension("pad", x, node.dim) - 1) * (node.stride ?? 1) + 1;
      return withSize(x, node.dim, node.before + spread + node.after);
    }
    case "shift": {
      const x = source.typeOf(node.x);
      requireAxis("shift", x, node.axis);
      if (node.axis === "batch" || !Number.isInteger(node.by) || node.by === 0) {
        throw misfit(
          "shift",
          `by ${node.by} along "${node.axis}"`,
          "a whole number of steps other than 0, along another axis than the batch",
          "rows of a batch know nothing of each other",
        );
      }
      return x;
    }
    case "concat":
      return concatType(
        node.parts.map((part) => source.typeOf(part)),
        node.dim,
      );
    case "reshape": {
      const x = source.typeOf(node.x);
      if (product(x.shape) !== product(node.shape)) {
        throw misfit(
          "reshape: x",
          formatType(x),
          `${product(node.shape)} features in all`,
          "a reshape keeps the number of elements",
        );
      }
      return { axes: x.axes, shape: node.shape };
    }
    case "reduce": {
      const x = source.typeOf(node.x);
      for (const axis of node.axes) requireAxis("reduce", x, axis);
      for (const dim of node.dims) dimension("reduce", x, dim);
      return {
        axes: x.axes.filter((axis) => !node.axes.includes(axis)),
        shape: x.shape.map((size, dim) => (node.dims.includes(dim) ? 1 : size)),
      };
    }
    case "matmul":
      return matmulType(source.typeOf(node.x), source.typeOf(node.weight), node.transposed);
    case "outer": {
      const a = source.typeOf(node.a);
      const b = source.typeOf(node.b);
      if (!sameList(a.axes, b.axes) || a.shape.length === 0 || !sameList(a.shape.slice(0, -1), b.shape.slice(0, -1))) {
        throw misfit(
          "outer: b",
          formatType(b),
          `the rows of a, ${formatType(a)}`,
          "both operands need the same axes and the same feature dimensions but for the last",
        );
      }
      for (const axis of node.axes) requireAxis("outer", a, axis);
      return { axes: a.axes.filter((axis) => !node.axes.includes(axis)), shape: [a.shape.at(-1)!, b.shape.at(-1)!] };
    }
    case "gather": {
      const table = source.typeOf(node.table);
      const index = source.typeOf(node.index);
      if (table.axes.length > 0 || table.shape.length !== 2)
        throw misfit("gather: table", formatType(table), "[rows, features]", "gather reads rows of a matrix");
      if (!sameList(index.shape, [1]))
        throw misfit("gather: index", formatType(index), "[.., 1]", "give one index per row");
      return { axes: index.axes, shape: [table.shape[1]!] };
    }
    case "scatterAdd": {
      const x = source.typeOf(node.x);
      return { axes: [], shape: [node.rows, x.shape[0]!] };
    }
    case "scan":
      return scalarType;
    case "pick": {
      const scan = source.nodeOf(node.scan);
      if (scan.kind !== "scan") throw misfit("pick: scan", `a ${scan.kind}`, "a scan", "pick takes a result of a scan");
      if (node.port === "final") return scan.body.graph.types[scan.body.next[node.index]!]!;
      const step = scan.body.graph.types[scan.body.outputs[node.index]!]!;
      if (scan.cuts !== undefined && step.axes.includes(scan.cuts)) return step;
      return { axes: orderAxes([...step.axes, scan.axis]), shape: step.shape };
    }
  }
}

/** The type of one step of a sequence along the axis of a scan; a segment of the axis that it cuts has the type of the whole. */
export function elementType(
  type: TensorType,
  { axis, cuts }: { readonly axis: Axis; readonly cuts?: Axis },
): TensorType {
  if (cuts !== undefined && type.axes.includes(cuts)) return type;
  return { axes: type.axes.filter((other) => other !== axis), shape: type.shape };
}

function broadcast(where: string, a: TensorType, b: TensorType): TensorType {
  const type = broadcastTypes(a, b);
  if (type !== undefined) return type;
  throw misfit(
    `${where}: operands`,
    `${formatType(a)} and ${formatType(b)}`,
    "feature sizes that are equal or 1",
    "reshape or slice one of them",
  );
}

function matmulType(x: TensorType, weight: TensorType, transposed: boolean): TensorType {
  if (weight.axes.length > 0 || weight.shape.length !== 2) {
    throw misfit(
      "matmul: weight",
      formatType(weight),
      "[outputs, inputs], without batch or time",
      "multiply by a parameter matrix: matmul(W, x)",
    );
  }
  const [outputs, inputs] = transposed ? [weight.shape[1]!, weight.shape[0]!] : [weight.shape[0]!, weight.shape[1]!];
  if (x.shape.at(-1) !== inputs) {
    throw misfit(
      "matmul: x",
      formatType(x),
      formatType({ axes: x.axes, shape: [inputs] }),
      `the weight ${formatType(weight)} takes ${inputs} features`,
    );
  }
  return { axes: x.axes, shape: [...x.shape.slice(0, -1), outputs] };
}

function concatType(parts: readonly TensorType[], dim: number): TensorType {
  const first = parts[0];
  if (first === undefined)
    throw misfit("concat: parts", "an empty list", "one tensor or more", "give something to concatenate");
  let size = 0;
  for (const part of parts) {
    size += dimension("concat", part, dim);
    if (!sameList(part.axes, first.axes) || !sameList(withSize(part, dim, 1).shape, withSize(first, dim, 1).shape)) {
      throw misfit(
        "concat: part",
        formatType(part),
        `${formatType(first)} but for feature dimension ${dim}`,
        "only that dimension may differ",
      );
    }
  }
  return withSize(first, dim, size);
}

function dimension(where: string, type: TensorType, dim: number): number {
  const size = type.shape[dim];
  if (size === undefined)
    throw misfit(
      `${where}: dimension`,
      String(dim),
      `0 … ${type.shape.length - 1}`,
      `the tensor is ${formatType(type)}`,
    );
  return size;
}

function requireAxis(where: string, type: TensorType, axis: Axis): void {
  if (!type.axes.includes(axis))
    throw misfit(`${where}: axis`, `"${axis}"`, `an axis of ${formatType(type)}`, "name an axis the tensor has");
}

function withSize(type: TensorType, dim: number, size: number): TensorType {
  return { axes: type.axes, shape: type.shape.map((old, i) => (i === dim ? size : old)) };
}

function expectType(where: string, given: TensorType, expected: TensorType): void {
  if (!sameType(given, expected)) throw misfit(where, formatType(given), formatType(expected), "make the shapes equal");
}

function misfit(where: string, given: string, expected: string, mend: string): ShapeError {
  return new ShapeError({ where, given, expected, mend });
}
