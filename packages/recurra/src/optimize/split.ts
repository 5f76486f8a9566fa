/**
 * Splits a program along the batch: what each row needs for itself, and what follows once the sums over all rows are known.
 *
 *     rows:   forward and backward of some rows            → partial sums, outputs per row
 *     whole:  the partial sums of all rows, added up       → loss, gradient norm, new weights
 *
 * Rows can then be computed shard by shard, on any number of threads.
 */
import { GraphBuilder, rebuild } from "../ir/builder.ts";
import type { Graph, Node, NodeId, Program } from "../ir/nodes.ts";
import { operands } from "../ir/nodes.ts";

export interface SplitProgram {
  readonly rows: Program;
  /** Absent when nothing is left to do behind the rows. Its inputs `partial.i` are the sums of the outputs `partial.i` of the rows. */
  readonly whole: Program | undefined;
}

const batch = "batch";

/**
 * Undefined when the program cannot be split: something that differs from row to row depends on a sum over rows, a maximum
 * is taken over rows, or no row is there at all.
 */
export function splitBatch(program: Program): SplitProgram | undefined {
  const { graph } = program;
  const kinds = classify(graph);
  if (kinds === undefined) return undefined;
  const named = [...Object.entries(program.outputs), ...Object.entries(program.updates)];
  const partials = frontier(
    graph,
    kinds,
    named.map(([, id]) => id),
  );
  if (partials === undefined || !kinds.includes("row")) return undefined;

  const isRow = (id: NodeId) => graph.types[id]!.axes.includes(batch);
  const rowOutputs = Object.entries(program.outputs).filter(([, id]) => isRow(id));
  const wholeOutputs = Object.entries(program.outputs).filter(([, id]) => !isRow(id));
  const rows = extract(graph, [...rowOutputs, ...partials.map((id, i) => [partialName(i), id] as const)]);
  if (wholeOutputs.length === 0 && Object.keys(program.updates).length === 0) return { rows, whole: undefined };
  const leaves = new Map(
    partials.map((id, i) => [id, { kind: "input", name: partialName(i), type: graph.types[id]! } as const]),
  );
  const whole = extract(graph, wholeOutputs, leaves, Object.entries(program.updates));
  return { rows, whole };
}

export function partialName(index: number): string {
  return `partial.${index}`;
}

/** fixed: the same for all rows, known at once; row: one value per row; summed: behind a sum over rows. */
type Kind = "fixed" | "row" | "summed";

function classify(graph: Graph): Kind[] | undefined {
  const kinds: Kind[] = [];
  for (let id = 0; id < graph.nodes.length; id++) {
    const node = graph.nodes[id]!;
    const hasBatch = node.kind === "scan" ? scanHasBatch(node, graph) : graph.types[id]!.axes.includes(batch);
    const from = operands(node).map((operand) => kinds[operand]!);
    if (hasBatch) {
      if (from.includes("summed")) return undefined;
      kinds.push("row");
    } else if (from.includes("row")) {
      if (!isSum(node) && !isSumInScan(graph, node)) return undefined;
      kinds.push("summed");
    } else kinds.push(from.includes("summed") ? "summed" : "fixed");
  }
  return kinds;
}

/** A sum over rows: the sums of parts of the rows add up to it. */
function isSum(node: Node): boolean {
  return node.kind === "outer" || node.kind === "scatterAdd" || (node.kind === "reduce" && node.op === "sum");
}

/** What each step makes of sums over rows alone, or the last value of a state that begins at 0 and has such a sum added to it in each step. */
function isSumInScan(graph: Graph, node: Node): boolean {
  const scan = node.kind === "pick" ? graph.nodes[node.scan]! : undefined;
  if (node.kind !== "pick" || scan?.kind !== "scan") return false;
  if (node.port === "stacked") return isSumOfRows(scan.body.graph, scan.body.outputs[node.index]!);
  const { graph: body, next } = scan.body;
  const update = body.nodes[next[node.index]!]!;
  if (update.kind !== "add" || !isZero(graph, scan.initial[node.index]!)) return false;
  const isState = (id: NodeId) => {
    const operand = body.nodes[id]!;
    return operand.kind === "state" && operand.index === node.index;
  };
  const readers = body.nodes.filter((other) => operands(other).some(isState));
  const term = isState(update.a) ? update.b : isState(update.b) ? update.a : undefined;
  return term !== undefined && readers.length === 1 && isSumOfRows(body, term);
}

function isZero(graph: Graph, id: NodeId): boolean {
  const node = graph.nodes[id]!;
  return node.kind === "broadcast" ? isZero(graph, node.x) : node.kind === "literal" && node.value === 0;
}

/** Sums over rows, added, laid side by side and multiplied by what is the same for all rows. */
function isSumOfRows(graph: Graph, id: NodeId): boolean {
  const node = graph.nodes[id]!;
  const isRow = (other: NodeId) => graph.types[other]!.axes.includes(batch);
  const isSummed = (other: NodeId) => isSumOfRows(graph, other);
  // Independent of all rows: leaves of the body without the batch, and numbers.
  const isFixed = (other: NodeId): boolean => {
    const operand = graph.nodes[other]!;
    if (isRow(other) || operand.kind === "scan" || operand.kind === "pick" || operand.kind === "state") return false;
    return operands(operand).every(isFixed);
  };
  switch (node.kind) {
    case "outer":
      return isRow(node.a);
    case "scatterAdd":
      return isRow(node.x);
    case "reduce":
      return node.op === "sum" && (isRow(node.x) ? node.axes.includes(batch) : isSummed(node.x));
    case "add":
    case "sub":
      return isSummed(node.a) && isSummed(node.b);
    case "concat":
      return node.parts.every(isSummed);
    case "pick":
      return isSumInScan(graph, node);
    case "mul":
      return (isSummed(node.a) && isFixed(node.b)) || (isFixed(node.a) && isSummed(node.b));
    case "neg":
    case "slice":
    case "pad":
    case "reshape":
    case "broadcast":
      return isZero(graph, id) || isSummed(node.x);
    case "literal":
      return node.value === 0;
    default:
      return false;
  }
}

function scanHasBatch(scan: Extract<Node, { kind: "scan" }>, graph: Graph): boolean {
  return (
    operands(scan).some((id) => graph.types[id]!.axes.includes(batch)) ||
    scan.body.graph.types.some((type) => type.axes.includes(batch))
  );
}

/** The sums over rows that anything behind them needs. A pick of a scan over rows that has no batch axis is no sum. */
function frontier(graph: Graph, kinds: readonly Kind[], roots: readonly NodeId[]): readonly NodeId[] | undefined {
  const found = new Set<NodeId>();
  const seen = new Set<NodeId>();
  const pending = [...roots];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    if (kinds[id] !== "summed") continue;
    const node = graph.nodes[id]!;
    // Sums laid side by side are one sum, and so is what the steps of a scan add up to.
    const joined = (node.kind === "concat" || node.kind === "reduce") && isSumOfRows(graph, id);
    if (joined || operands(node).some((operand) => kinds[operand] === "row")) found.add(id);
    else pending.push(...operands(node));
  }
  return [...found].sort((a, b) => a - b);
}

/** What these outputs and updates need, in its order, with some nodes replaced by leaves. */
function extract(
  graph: Graph,
  outputs: readonly (readonly [string, NodeId])[],
  leaves: ReadonlyMap<NodeId, Node> = new Map(),
  updates: readonly (readonly [string, NodeId])[] = [],
): Program {
  const builder = new GraphBuilder();
  const map = rebuild(
    graph,
    builder,
    [...outputs, ...updates].map(([, id]) => id),
    (_node, id) => {
      const leaf = leaves.get(id);
      return leaf === undefined ? undefined : builder.add(leaf);
    },
    (id) => leaves.has(id),
  );
  const moved = (list: readonly (readonly [string, NodeId])[]) =>
    Object.fromEntries(list.map(([name, id]) => [name, map(id)]));
  return { graph: builder.finish(), outputs: moved(outputs), updates: moved(updates) };
}
