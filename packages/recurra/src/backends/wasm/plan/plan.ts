/** The plan of a program: commands over buffers, as plain data. Sizes are products of constants and run-time axes. */
import { type Axis, sameList } from "../../../base/shapes.ts";
import type { BinaryKind, UnaryKind } from "../../../ir/nodes.ts";

/** coefficient · Π axes */
export interface Size {
  readonly coefficient: number;
  readonly axes: readonly Axis[];
}

export function size(coefficient: number, ...axes: readonly Axis[]): Size {
  return sized(coefficient, axes.length < 2 ? axes : [...axes].sort());
}

const noAxes: readonly Axis[] = [];

function sized(coefficient: number, axes: readonly Axis[]): Size {
  return { coefficient, axes: coefficient === 0 ? noAxes : axes };
}

export function times(a: Size, b: Size): Size {
  const coefficient = a.coefficient * b.coefficient;
  // Nearly always one of them is a number.
  if (b.axes.length === 0) return sized(coefficient, a.axes);
  if (a.axes.length === 0) return sized(coefficient, b.axes);
  return size(coefficient, ...a.axes, ...b.axes);
}

export function equalSize(a: Size, b: Size): boolean {
  return a.coefficient === b.coefficient && sameList(a.axes, b.axes);
}

export type BufferId = number & { readonly brand: "BufferId" };

export interface Buffer {
  readonly name: string;
  /** Floats: the sum of these. */
  readonly sizes: readonly Size[];
  /** Floats that suffice, the sum of these, where that is less than `sizes`. Default: they never do. */
  readonly enough?: readonly Size[];
  /** Named storage keeps its place; temporaries share the arena by lifetime. */
  readonly role: "input" | "param" | "output" | "temporary";
  /** The scan whose body it belongs to, as the position of that scan among all; undefined for the program itself. */
  readonly home: number | undefined;
}

/**
 * A dimension of a loop or tensor: an axis by its name, or a feature dimension counted from the last, "#1".
 * Broadcasting is a stride that is absent.
 */
export type Dim = string;

/** Where a value lies: element [i, j, …] at offset + start + Σ index · stride, in floats. */
export interface Access {
  readonly buffer: BufferId;
  readonly offset: number;
  readonly start: Size;
  readonly strides: Readonly<Record<Dim, Size>>;
}

/** Reference to an earlier operation of the same loop. */
export type Ref = number;

export type LoopOp =
  | { readonly kind: "load"; readonly access: Access }
  | { readonly kind: "literal"; readonly value: number }
  | { readonly kind: "position"; readonly dim: Dim }
  | { readonly kind: "step"; readonly axis: Axis }
  | { readonly kind: "random"; readonly seed: Ref; readonly stream: number; readonly dims: readonly Dim[] }
  | { readonly kind: "unary"; readonly op: UnaryKind; readonly x: Ref }
  | { readonly kind: "binary"; readonly op: BinaryKind; readonly a: Ref; readonly b: Ref }
  | { readonly kind: "select"; readonly condition: Ref; readonly a: Ref; readonly b: Ref };

export interface LoopDim {
  readonly name: Dim;
  readonly size: Size;
}

/** One pass over an index space: all operations of an element in registers, then its stores and reductions. */
export interface Loop {
  readonly kind: "loop";
  /** Outermost first. */
  readonly dims: readonly LoopDim[];
  readonly ops: readonly LoopOp[];
  readonly stores: readonly { readonly value: Ref; readonly access: Access }[];
  /** Strides over reduced dimensions are absent. `carried`: the target is read, combined and written, and was initialised before. */
  readonly reductions: readonly {
    readonly value: Ref;
    readonly op: "sum" | "max";
    readonly access: Access;
    readonly carried: boolean;
  }[];
}

/** What a loop reads. */
export function loadsOf({ ops }: Loop): readonly Access[] {
  const loads: Access[] = [];
  ops.forEach((op) => {
    if (op.kind === "load") loads.push(op.access);
  });
  return loads;
}

/** What a loop writes. */
export function writesOf({ stores, reductions }: Loop): readonly Access[] {
  const writes = stores.map(({ access }) => access);
  for (const { access } of reductions) writes.push(access);
  return writes;
}

export function accessesOf(loop: Loop): readonly Access[] {
  return loadsOf(loop).concat(writesOf(loop));
}

/** Whether both mean the same place in their buffers, for every element of the loop. */
export function samePlace(a: Access, b: Access, { dims }: Loop): boolean {
  const none = size(0);
  const strides = dims.every(({ name }) => equalSize(a.strides[name] ?? none, b.strides[name] ?? none));
  return strides && a.offset === b.offset && equalSize(a.start, b.start);
}

/** Rows of a matrix: `count` rows, `stride` floats apart, features next to each other. */
export interface Rows {
  readonly access: Access;
  readonly count: Size;
  readonly stride: Size;
}

export type Command =
  | Loop
  /** B[k, n] from a weight with the given strides into panels. */
  | {
      readonly kind: "pack";
      readonly source: Access;
      readonly rowStride: number;
      readonly columnStride: number;
      readonly target: BufferId;
      readonly k: number;
      readonly n: number;
    }
  /** C = A·B, B packed. */
  | {
      readonly kind: "gemm";
      readonly a: Rows;
      readonly packed: BufferId;
      readonly c: Rows;
      readonly n: number;
      readonly k: number;
    }
  /** C [m, n] = Σ over rows of aᵀ b. */
  | {
      readonly kind: "outer";
      readonly a: Rows;
      readonly b: Rows;
      readonly c: Access;
      readonly cRow: number;
      readonly m: number;
      readonly n: number;
      readonly scratch: BufferId;
      /** Another sum over the same rows of A, which may be computed at once; see pairs.ts. */
      readonly pair?: Outer;
    }
  /** Rows of a table; NaN for an index that is no row of it. */
  | {
      readonly kind: "gather";
      readonly table: Access;
      readonly tableRows: number;
      readonly tableRow: number;
      readonly index: Rows;
      readonly target: Rows;
      readonly features: number;
    }
  /** Rows added to those of a table; left out for an index that is no row of it. */
  | {
      readonly kind: "scatterAdd";
      readonly source: Rows;
      readonly index: Rows;
      readonly target: Access;
      readonly targetRows: number;
      readonly targetRow: number;
      readonly features: number;
    }
  | {
      readonly kind: "scan";
      readonly id: number;
      readonly axis: Axis;
      /** The axis whose segments are the steps: in the body it has the size of one segment. */
      readonly cuts: Axis | undefined;
      readonly direction: "forward" | "backward";
      /** "alive": only steps in which a row is alive, and in each of them those rows; the axis is the packed one. */
      readonly rows: "all" | "alive";
      /** Products for several steps at once, just before the first of them; see ahead.ts. */
      readonly ahead: Ahead | undefined;
      readonly body: readonly Command[];
    };

/** Commands between two meetings of all threads. */
export interface Stage {
  /** Each thread does a part of every command; otherwise the calling thread does all. */
  readonly together: boolean;
  readonly commands: readonly Command[];
  /** Numbers that its commands write. */
  readonly elements: number;
}

export type Gemm = Extract<Command, { kind: "gemm" }>;
export type Outer = Extract<Command, { kind: "outer" }>;
export type Scan = Extract<Command, { kind: "scan" }>;

/** What a scan computes for the next steps: as many as fit into `budget`, one at least. */
export interface Ahead {
  /** Their rows are counted by `aheadAxis`; they read from the first of these steps on. */
  readonly products: readonly Gemm[];
  /** Floats. */
  readonly budget: number;
  /** Floats that the products of one step write: the sum of these. */
  readonly ofStep: readonly Size[];
}

export interface Plan {
  readonly buffers: readonly Buffer[];
  readonly commands: readonly Command[];
  /** The commands, cut where threads meet; absent where one thread runs them all. */
  readonly stages?: readonly Stage[];
  readonly inputs: Readonly<Record<string, BufferId>>;
  readonly params: Readonly<Record<string, BufferId>>;
  readonly outputs: Readonly<Record<string, BufferId>>;
  /** Absent where every row takes every step. */
  readonly packed?: PackedRows | undefined;
}

/** Where a program finds out which rows are alive; whole numbers, written before each call. */
export interface PackedRows {
  readonly axis: Axis;
  /** The packed rows in all, the steps in which a row is alive, then for each step its first packed row, and the end. */
  readonly steps: BufferId;
  /** The position of each row in the batch as it was given. */
  readonly positions: BufferId;
}
