/** A program as the executable holds it: split into rows and whole where it can be, lowered, with the types of its buffers. */

import { evaluate } from "../backends/wasm/memory/arena.ts";
import { inPlace } from "../backends/wasm/memory/inPlace.ts";
import { stackInPlace } from "../backends/wasm/memory/stackInPlace.ts";
import { stackOnce } from "../backends/wasm/memory/stackOnce.ts";
import { withStepsAhead } from "../backends/wasm/plan/ahead.ts";
import { paramsRead, separateConstants } from "../backends/wasm/plan/constants.ts";
import { lower } from "../backends/wasm/plan/lower.ts";
import { largeLoopsTogether } from "../backends/wasm/plan/neighbours.ts";
import { outersInPairs } from "../backends/wasm/plan/pairs.ts";
import type { BufferId, Command, Plan } from "../backends/wasm/plan/plan.ts";
import { inStages } from "../backends/wasm/plan/stages.ts";
import { type LateSums, tablesLast } from "../backends/wasm/plan/tables.ts";
import { aliveAxis, type Packing, packedAxis } from "../base/packing.ts";
import {
  type Axis,
  type AxisSizes,
  orderAxes,
  product,
  segmentLength,
  sizeOf,
  type TensorType,
} from "../base/shapes.ts";
import { reachable } from "../ir/builder.ts";
import type { NodeId, Program } from "../ir/nodes.ts";
import { choosePacking } from "../optimize/packing.ts";
import { partialName, splitBatch } from "../optimize/split.ts";
import { beforePlan, runPasses } from "./pipeline.ts";
import { rowsPerShard } from "./shards.ts";

export interface Part {
  readonly plan: Plan;
  readonly packing: Packing | undefined;
  readonly types: ReadonlyMap<BufferId, TensorType>;
}

/** What follows from parameters alone: made before the rows of a call, once for all of them. */
export interface Prepared {
  readonly plan: Plan;
  /** The buffers that the rows read; both plans know them by the same number. */
  readonly kept: ReadonlySet<BufferId>;
  /** Whether the program leaves the parameters that it reads as they are, so that the next call need not run it again. */
  readonly lasts: boolean;
}

/** Large tables, to which the rows of all shards are added behind the rows. */
export interface Tables {
  /** Zeros for them. */
  readonly clear: Plan;
  /** What a shard adds, one after the other. */
  readonly add: Plan;
  /** Where they lie: floats from the beginning of a buffer on. */
  readonly places: readonly { readonly buffer: BufferId; readonly offset: number; readonly count: number }[];
}

export interface Entry {
  readonly prepared: Prepared | undefined;
  readonly rows: Part;
  readonly tables: Tables | undefined;
  readonly whole: Part | undefined;
  /** Whether rows may be computed shard by shard. */
  readonly splits: boolean;
  /** Rows that a shard beyond the second should have. */
  readonly rowsPerShard: number;
  /** Whether nothing is summed over rows, so that shards may be cut anywhere: one thread alone then has larger ones. */
  readonly freeRows: boolean;
  /** Why the rows are not packed, though scans have lengths; empty where none has, or where they are. */
  readonly notPacked: string;
  /** Partial sums by name: the output of the rows. */
  readonly partials: ReadonlyMap<string, BufferId>;
  readonly outputs: readonly string[];
  readonly axes: readonly Axis[];
}

export function makeEntry(program: Program): Entry {
  const split = splitBatch(program);
  const choice = choosePacking(split?.rows ?? program);
  const packing = "axis" in choice ? choice : undefined;
  const rowsProgram = runPasses(split?.rows ?? program, beforePlan(packing));
  const wholeProgram = split?.whole === undefined ? undefined : runPasses(split.whole, beforePlan(undefined));
  const part = partOf(rowsProgram, packing);
  const partials = new Map<string, BufferId>();
  for (let i = 0; split !== undefined && part.plan.outputs[partialName(i)] !== undefined; i++) {
    partials.set(partialName(i), part.plan.outputs[partialName(i)]!);
  }
  const { plan, late } = tablesLast(part.plan, new Set(partials.values()));
  const { rows, prepared } = separate({ ...part, plan }, rowsProgram, program);
  return {
    prepared,
    rows,
    tables: late === undefined ? undefined : tablesOf(rows.plan, late),
    whole: wholeProgram === undefined ? undefined : staged(partOf(wholeProgram, undefined)),
    splits: split !== undefined,
    rowsPerShard: rowsPerShard(largestWeight(part.plan.commands)),
    freeRows: split !== undefined && partials.size === 0 && packing === undefined,
    notPacked: "axis" in choice ? "" : choice.reason,
    partials,
    outputs: Object.keys(program.outputs),
    axes: axesOf(program),
  };
}

/** `rows`: the plan that made what they add. */
function tablesOf(rows: Plan, { clear, add }: LateSums): Tables {
  return {
    clear: inStages({ ...rows, commands: clear, packed: undefined }),
    add: { ...rows, commands: add },
    places: add.map(({ target: { buffer, offset }, targetRows, features }) => {
      return { buffer, offset, count: targetRows * features };
    }),
  };
}

/** `rows` may change parameters itself; `program` is all that a call does. */
function separate(part: Part, rows: Program, program: Program): Pick<Entry, "rows" | "prepared"> {
  const { once, always, kept } = separateConstants(part.plan, new Set(Object.keys(rows.updates)), "open");
  const plan = inStages({ ...part.plan, commands: once, packed: undefined });
  const lasts = !paramsRead(plan).some((name) => name in program.updates);
  return {
    rows: {
      ...part,
      plan: outersInPairs(inPlace(stackInPlace(stackOnce(largeLoopsTogether({ ...part.plan, commands: always }))))),
    },
    prepared: once.length === 0 ? undefined : { plan, kept, lasts },
  };
}

function staged(part: Part): Part {
  return { ...part, plan: inStages(part.plan) };
}

function partOf(program: Program, packing: Packing | undefined): Part {
  const plan = lower(program, packing);
  const types = new Map<BufferId, TensorType>();
  for (const node of program.graph.nodes) {
    const buffer = node.kind === "input" ? plan.inputs[node.name] : undefined;
    if (node.kind === "input" && buffer !== undefined) types.set(buffer, node.type);
  }
  for (const [name, id] of Object.entries<NodeId>(program.outputs))
    types.set(plan.outputs[name]!, program.graph.types[id]!);
  return { plan, types, packing };
}

/** Numbers in the largest weight of a product. */
function largestWeight(commands: readonly Command[]): number {
  return commands.reduce((most, command) => {
    if (command.kind === "scan") return Math.max(most, largestWeight(command.body));
    return command.kind === "pack" ? Math.max(most, command.k * command.n) : most;
  }, 0);
}

/** Axes of everything in a program, bodies of scans aside. */
export function axesOf({ graph }: Program): readonly Axis[] {
  const axes = new Set<Axis>();
  graph.nodes.forEach((node) => {
    if (node.kind === "scan") axes.add(node.axis);
    if (node.kind === "scan" && node.cuts !== undefined) axes.add(segmentLength(node.cuts));
  });
  // Operands are nodes too.
  const add = (axis: Axis) => void axes.add(axis);
  graph.types.forEach((type) => {
    type.axes.forEach(add);
  });
  return orderAxes(axes);
}

export interface PlacedParam {
  readonly address: number;
  readonly shape: readonly number[];
}

/** Names and shapes of the parameters that programs read or change. */
export function paramsOf(programs: readonly Program[]): Map<string, readonly number[]> {
  const params = new Map<string, readonly number[]>();
  for (const { graph, outputs, updates } of programs) {
    const read = reachable(graph, [...Object.values(outputs), ...Object.values(updates)]);
    graph.nodes.forEach((node, id) => {
      if (node.kind !== "param") return;
      if (read.has(id as NodeId) || updates[node.name] !== undefined) params.set(node.name, node.shape); // The position in the list is the id.
    });
  }
  return params;
}

/** One behind the other. */
export function placeParams(shapes: ReadonlyMap<string, readonly number[]>): {
  params: Map<string, PlacedParam>;
  end: number;
} {
  const params = new Map<string, PlacedParam>();
  // Address 0 stays empty, so that a forgotten address shows.
  let end = 64;
  for (const [name, shape] of shapes) {
    const count = product(shape);
    params.set(name, { address: end, shape: [count] });
    end += Math.ceil((count * 4) / 64) * 64;
  }
  return { params, end };
}

/** The sizes that go with packed rows: `packedRows` in all, of `steps` steps. */
export function withPackedSizes(
  sizes: AxisSizes,
  packing: Packing | undefined,
  packedRows = (sizes["batch"] ?? 1) * (packing === undefined ? 1 : sizeOf(packing.axis, sizes)),
): AxisSizes {
  if (packing === undefined) return sizes;
  const { axis } = packing;
  const steps = sizeOf(axis, sizes);
  return { ...sizes, [packedAxis(axis)]: packedRows, [aliveAxis(axis)]: steps === 0 ? 0 : packedRows / steps };
}

/** Multiplications and additions of the matrix products of a plan. */
export function operationsOf(plan: Plan, sizes: AxisSizes): number {
  const all = withStepsAhead(plan.commands, sizes);
  const count = (commands: readonly Command[], times: number): number =>
    commands.reduce((sum, command) => {
      // Segments are as many as fill the axis: counted once, at its full length.
      if (command.kind === "scan") {
        const inSteps = command.cuts === undefined ? times * sizeOf(command.axis, sizes) : times;
        return sum + count(command.ahead?.products ?? [], times) + count(command.body, inSteps);
      }
      if (command.kind === "gemm") return sum + 2 * times * evaluate(command.a.count, all) * command.n * command.k;
      if (command.kind !== "outer") return sum;
      const { a, m, n, pair } = command;
      return sum + 2 * times * evaluate(a.count, sizes) * m * (n + (pair?.n ?? 0));
    }, 0);
  return count(plan.commands, 1);
}
