/**
 * The node kinds of the intermediate representation. A graph is a list of nodes, each defined after its operands.
 * All values are real numbers (float32 when run, float64 in the reference); indices are whole numbers among them.
 */
import type { Axis, TensorType } from "../base/shapes.ts";

/** Position of a node in its graph. */
export type NodeId = number & { readonly brand: "NodeId" };

export type UnaryKind = "neg" | "exp" | "log" | "tanh" | "sigmoid" | "abs" | "sqrt" | "sign" | "floor" | "sin" | "cos";
export type BinaryKind = "add" | "sub" | "mul" | "div" | "max" | "min" | "less" | "equal";

export interface UnaryNode {
  readonly kind: UnaryKind;
  readonly x: NodeId;
}

export interface BinaryNode {
  readonly kind: BinaryKind;
  readonly a: NodeId;
  readonly b: NodeId;
}

export type Node =
  // Leaves.
  | { readonly kind: "input"; readonly name: string; readonly type: TensorType }
  /**
   * Persistent storage: weights, optimizer state, and with `axes` the states of a stream. Read at the start of a call; updates are
   * written at its end.
   */
  | {
      readonly kind: "param";
      readonly name: string;
      readonly shape: readonly number[];
      readonly axes?: readonly Axis[];
    }
  | { readonly kind: "literal"; readonly value: number }
  /** The position along an axis, or along the last feature dimension of `size`. */
  | { readonly kind: "iota"; readonly along: Axis | { readonly size: number } }
  /** Uniform in [0, 1): a function of the seed, the stream, the position along each axis and the feature, nothing else. */
  | { readonly kind: "random"; readonly seed: NodeId; readonly stream: number; readonly type: TensorType }
  // Elementwise.
  | UnaryNode
  | BinaryNode
  /** `a` where the condition is not 0, else `b`. */
  | { readonly kind: "select"; readonly condition: NodeId; readonly a: NodeId; readonly b: NodeId }
  | { readonly kind: "broadcast"; readonly x: NodeId; readonly type: TensorType }
  | { readonly kind: "stopGradient"; readonly x: NodeId }
  // Shape. `dim` counts the feature dimensions from the first.
  /** `size` positions of `dim` from `start`, `stride` apart (1 where it is absent). */
  | {
      readonly kind: "slice";
      readonly x: NodeId;
      readonly dim: number;
      readonly start: number;
      readonly size: number;
      readonly stride?: number;
    }
  /** Zeros before and after along `dim`, and `stride` − 1 of them between two neighbours: the transpose of slice. */
  | {
      readonly kind: "pad";
      readonly x: NodeId;
      readonly dim: number;
      readonly before: number;
      readonly after: number;
      readonly stride?: number;
    }
  | { readonly kind: "concat"; readonly parts: readonly NodeId[]; readonly dim: number }
  | { readonly kind: "reshape"; readonly x: NodeId; readonly shape: readonly number[] }
  /** Along an axis: y[t] = x[t − by], 0 where there is no such step. `by` is a whole number other than 0. */
  | { readonly kind: "shift"; readonly x: NodeId; readonly axis: Axis; readonly by: number }
  // Contractions. Feature dimensions before the last are rows, like the axes.
  /** Over `axes` (which vanish) and feature dimensions `dims` (which become 1). */
  | {
      readonly kind: "reduce";
      readonly op: "sum" | "max";
      readonly x: NodeId;
      readonly axes: readonly Axis[];
      readonly dims: readonly number[];
    }
  /** Rows of x [.., K] times a weight: Wᵀ of W [N, K] gives [.., N]; `transposed`: W itself, [N, K] and x [.., N] give [.., K]. */
  | { readonly kind: "matmul"; readonly x: NodeId; readonly weight: NodeId; readonly transposed: boolean }
  /** Σ over `axes` and feature rows of a ⊗ b: a [.., M] and b [.., N] give [M, N]. The weight gradient. */
  | { readonly kind: "outer"; readonly a: NodeId; readonly b: NodeId; readonly axes: readonly Axis[] }
  /** Rows of table [V, E] at index [.., 1]: [.., E]. */
  | { readonly kind: "gather"; readonly table: NodeId; readonly index: NodeId }
  /** The transpose of gather: rows x [.., E] summed into [rows, E] at index [.., 1]. */
  | { readonly kind: "scatterAdd"; readonly x: NodeId; readonly index: NodeId; readonly rows: number }
  // Recurrence.
  | ScanNode
  /** One result of a scan: the final value of a state, or an output stacked along the scan's axis. */
  | { readonly kind: "pick"; readonly scan: NodeId; readonly port: "final" | "stacked"; readonly index: number }
  /** Leaves of a scan body: the state before the step, this step's element of a sequence, a constant, the step's position. */
  | { readonly kind: "state"; readonly index: number; readonly type: TensorType }
  | { readonly kind: "element"; readonly index: number; readonly type: TensorType }
  | { readonly kind: "captured"; readonly index: number; readonly type: TensorType }
  | { readonly kind: "step"; readonly axis: Axis };

/**
 * A recurrence along `axis`. Forward runs t = 0 … T−1, backward T−1 … 0. With `lengths` [batch, 1], row b lives only in steps
 * t < lengths[b]: elsewhere its states stay as they are and its outputs are 0, whatever the body says.
 *
 * With `cuts` a step is a whole segment of that axis, and `axis` counts the segments. In the body the cut axis is as long as the
 * segment, and positions along it count on from segment to segment. A sequence with the cut axis is handed over segment by
 * segment, outputs with it are laid end to end, and the values to save for the gradient are computed again.
 */
export interface ScanNode {
  readonly kind: "scan";
  readonly axis: Axis;
  readonly cuts?: Axis;
  readonly direction: "forward" | "backward";
  readonly lengths: NodeId | undefined;
  readonly initial: readonly NodeId[];
  readonly sequences: readonly NodeId[];
  readonly captured: readonly NodeId[];
  readonly body: ScanBody;
}

/** One timestep. `next` are the states after it; `outputs` are stacked over the steps. */
export interface ScanBody {
  readonly graph: Graph;
  readonly next: readonly NodeId[];
  readonly outputs: readonly NodeId[];
}

export interface Graph {
  readonly nodes: readonly Node[];
  /** The type of each node; a scan itself has none of its own (its picks do) and holds the scalar type. */
  readonly types: readonly TensorType[];
}

/** A whole program: what it computes, and which parameters it rewrites. */
export interface Program {
  readonly graph: Graph;
  readonly outputs: Readonly<Record<string, NodeId>>;
  /** Parameter name to the node that becomes its new value. */
  readonly updates: Readonly<Record<string, NodeId>>;
}

export type NodeOf<K extends Node["kind"]> = Node extends infer N
  ? N extends { readonly kind: infer Kinds }
    ? K extends Kinds
      ? N & { readonly kind: K }
      : never
    : never
  : never;

export const unaryKinds: ReadonlySet<string> = new Set<UnaryKind>([
  "neg",
  "exp",
  "log",
  "tanh",
  "sigmoid",
  "abs",
  "sqrt",
  "sign",
  "floor",
  "sin",
  "cos",
]);
export const binaryKinds: ReadonlySet<string> = new Set<BinaryKind>([
  "add",
  "sub",
  "mul",
  "div",
  "max",
  "min",
  "less",
  "equal",
]);

export function isUnary(node: Node): node is UnaryNode {
  return unaryKinds.has(node.kind);
}

export function isBinary(node: Node): node is BinaryNode {
  return binaryKinds.has(node.kind);
}

/** Computed position by position: one element of the result needs one element of each operand. */
export function isPointwise(node: Node): boolean {
  return (
    isUnary(node) ||
    isBinary(node) ||
    node.kind === "select" ||
    node.kind === "broadcast" ||
    node.kind === "stopGradient" ||
    node.kind === "iota" ||
    node.kind === "random" ||
    node.kind === "literal" ||
    node.kind === "step"
  );
}

/** The nodes a node reads, in order. The body of a scan has operands of its own and is not listed. */
export function operands(node: Node): readonly NodeId[] {
  switch (node.kind) {
    case "input":
    case "param":
    case "literal":
    case "iota":
    case "state":
    case "element":
    case "captured":
    case "step":
      return [];
    case "random":
      return [node.seed];
    case "select":
      return [node.condition, node.a, node.b];
    case "concat":
      return node.parts;
    case "matmul":
      return [node.x, node.weight];
    case "outer":
      return [node.a, node.b];
    case "gather":
      return [node.table, node.index];
    case "scatterAdd":
      return [node.x, node.index];
    case "scan":
      return [
        ...(node.lengths === undefined ? [] : [node.lengths]),
        ...node.initial,
        ...node.sequences,
        ...node.captured,
      ];
    case "pick":
      return [node.scan];
    case "broadcast":
    case "stopGradient":
    case "slice":
    case "pad":
    case "reshape":
    case "shift":
    case "reduce":
      return [node.x];
    default:
      return isBinary(node) ? [node.a, node.b] : [node.x];
  }
}

/** The same node reading `map(operand)` instead of each operand. */
export function mapOperands(node: Node, map: (id: NodeId) => NodeId): Node {
  switch (node.kind) {
    case "input":
    case "param":
    case "literal":
    case "iota":
    case "state":
    case "element":
    case "captured":
    case "step":
      return node;
    case "random":
      return { ...node, seed: map(node.seed) };
    case "select":
      return { ...node, condition: map(node.condition), a: map(node.a), b: map(node.b) };
    case "concat":
      return { ...node, parts: node.parts.map(map) };
    case "matmul":
      return { ...node, x: map(node.x), weight: map(node.weight) };
    case "outer":
      return { ...node, a: map(node.a), b: map(node.b) };
    case "gather":
      return { ...node, table: map(node.table), index: map(node.index) };
    case "scatterAdd":
      return { ...node, x: map(node.x), index: map(node.index) };
    case "scan":
      return {
        ...node,
        lengths: node.lengths === undefined ? undefined : map(node.lengths),
        initial: node.initial.map(map),
        sequences: node.sequences.map(map),
        captured: node.captured.map(map),
      };
    case "pick":
      return { ...node, scan: map(node.scan) };
    case "broadcast":
    case "stopGradient":
    case "slice":
    case "pad":
    case "reshape":
    case "shift":
    case "reduce":
      return { ...node, x: map(node.x) };
    default:
      // Most nodes are these, and written out they are made faster than copied.
      return isBinary(node) ? { kind: node.kind, a: map(node.a), b: map(node.b) } : { kind: node.kind, x: map(node.x) };
  }
}
