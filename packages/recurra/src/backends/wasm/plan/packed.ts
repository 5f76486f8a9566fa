/** Packed rows in plans: types and accesses of packed values, and commands that run over the rows alive at each step. */
import { aliveAxis, isPackedType, packedAxis } from "../../../base/packing.ts";
import type { Axis } from "../../../base/shapes.ts";
import type { Graph } from "../../../ir/nodes.ts";
import {
  type Access,
  accessesOf,
  type Command,
  type Loop,
  type LoopOp,
  type Rows,
  type Size,
  size,
  times,
} from "./plan.ts";

/** The graph with one packed axis in the place of batch and `axis`. */
export function packTypes(graph: Graph, axis: Axis): Graph {
  const packed = [packedAxis(axis)];
  const types = graph.types.map((type) => (isPackedType(type, axis) ? { axes: packed, shape: type.shape } : type));
  return { nodes: graph.nodes, types };
}

/** The rows of the current step of a packed value: the step's first row is added as the position of a scan is. */
export function rowsOfStep(access: Access, axis: Axis): Access {
  const row = access.strides[packedAxis(axis)];
  return row === undefined ? access : { ...access, strides: { ...access.strides, batch: row } };
}

/**
 * A loop over packed rows as it is, or step by step where it reads or writes what is not packed: values that are the same for all
 * steps or all rows, positions, and sums over one of the two axes.
 */
export function byStep(loop: Loop, axis: Axis, newId: () => number): Command {
  const packed = packedAxis(axis);
  if (!loop.dims.some(({ name }) => name === packed)) return loop;
  const apart = (name: string) => name === "batch" || name === axis;
  const accesses = accessesOf(loop);
  const mixed =
    accesses.some(({ strides }) => Object.keys(strides).some(apart)) ||
    loop.ops.some((op) => (op.kind === "position" && apart(op.dim)) || op.kind === "random");
  if (!mixed) return loop;
  const moved = <T extends { readonly access: Access }>(item: T): T => ({
    ...item,
    access: rowsOfStep(item.access, axis),
  });
  const body: Loop = {
    kind: "loop",
    dims: loop.dims.map((dim) => (dim.name === packed ? { name: "batch", size: size(1, aliveAxis(axis)) } : dim)),
    ops: loop.ops.map((op): LoopOp => {
      if (op.kind === "load") return moved(op);
      if (op.kind === "position" && op.dim === axis) return { kind: "step", axis };
      if (op.kind === "random") return { ...op, dims: op.dims.map((dim) => (dim === packed ? "batch" : dim)) };
      return op;
    }),
    stores: loop.stores.map(moved),
    reductions: loop.reductions.map(moved),
  };
  return {
    kind: "scan",
    id: newId(),
    axis,
    cuts: undefined,
    direction: "forward",
    rows: "alive",
    ahead: undefined,
    body: [body],
  };
}

/** Commands of a step, for the rows alive in it instead of the whole batch. */
export function aliveOnly(commands: readonly Command[], axis: Axis): readonly Command[] {
  return commands.map((command) => ofAlive(command, axis));
}

function ofAlive(command: Command, axis: Axis): Command {
  const alive = size(1, aliveAxis(axis));
  // Rows of features within those of the batch come and go with them.
  const count = (given: Size) => (given.axes.join() === "batch" ? times(alive, size(given.coefficient)) : given);
  const rows = (given: Rows): Rows => ({ ...given, count: count(given.count) });
  switch (command.kind) {
    case "loop":
      return { ...command, dims: command.dims.map((dim) => (dim.name === "batch" ? { ...dim, size: alive } : dim)) };
    case "pack":
      return command;
    case "gemm":
      return { ...command, a: rows(command.a), c: rows(command.c) };
    case "outer":
      return { ...command, a: rows(command.a), b: rows(command.b) };
    case "gather":
      return { ...command, index: rows(command.index), target: rows(command.target) };
    case "scatterAdd":
      return { ...command, index: rows(command.index), source: rows(command.source) };
    case "scan":
      return { ...command, body: aliveOnly(command.body, axis) };
  }
}
