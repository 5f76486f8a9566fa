/**
 * Whether a program may be packed along an axis: nobody may be able to tell what its values hold at padding. Decides that, and
 * takes out the masks that say nothing any more; the backend does the rest.
 */
import { isPackedType, type Packing } from "../base/packing.ts";
import type { Axis } from "../base/shapes.ts";
import { reachable } from "../ir/builder.ts";
import { type Graph, type Node, type NodeId, operands, type Program, type ScanNode } from "../ir/nodes.ts";
import { type Rewrite, rewriteProgram, rewriteScan, type Site } from "./rewrite.ts";

/** The packing, or why there is none; an empty reason where no scan has lengths. */
export type PackingChoice = Packing | { readonly reason: string };

/** At most one axis is packed: rows can be sorted by one list of lengths only. */
export function choosePacking(program: Program): PackingChoice {
  const { graph } = program;
  const roots = [...Object.values(program.outputs), ...Object.values(program.updates)];
  const used = reachable(graph, roots);
  const candidates = new Map<Axis, Packing>();
  if (countsOnOrder(graph)) return { reason: "rows must keep their order, or steps come in segments" };
  const reasons: string[] = [];
  for (const id of used) {
    const node = graph.nodes[id]!;
    if (node.kind !== "scan" || node.lengths === undefined || candidates.has(node.axis)) continue;
    const lengths = graph.nodes[node.lengths]!;
    if (lengths.kind === "input") candidates.set(node.axis, { axis: node.axis, lengths: lengths.name });
    else reasons.push(`lengths along ${node.axis} are computed`);
  }
  for (const axis of [...candidates.keys()].sort((a, b) => workAlong(graph, used, b) - workAlong(graph, used, a))) {
    const packing = candidates.get(axis)!;
    const reason = whyNot(graph, used, new Set(roots), packing);
    if (reason === undefined) return packing;
    reasons.push(`${axis}: ${reason}`);
  }
  return { reason: reasons.join("; ") };
}

/** Whether something depends on which row is next to which, keeps rows from call to call, or counts steps in segments. */
function countsOnOrder({ nodes }: Graph): boolean {
  return nodes.some((node) => {
    if (node.kind === "param") return node.axes?.includes("batch") === true;
    if (node.kind !== "scan") return false;
    return node.axis === "batch" || node.cuts !== undefined || countsOnOrder(node.body.graph);
  });
}

/** Multiplications of the products made at each step of an axis. */
function workAlong(graph: Graph, used: Iterable<NodeId>, axis: Axis, inside = false): number {
  let work = 0;
  for (const id of used) {
    const node = graph.nodes[id]!;
    if (node.kind === "matmul" && (inside || graph.types[id]!.axes.includes(axis)))
      work += graph.types[node.x]!.shape[0]! * graph.types[id]!.shape[0]!;
    if (node.kind !== "scan" || node.axis !== axis) continue;
    work += workAlong(
      node.body.graph,
      reachable(node.body.graph, [...node.body.next, ...node.body.outputs]),
      axis,
      true,
    );
  }
  return work;
}

function whyNot(
  graph: Graph,
  used: ReadonlySet<NodeId>,
  roots: ReadonlySet<NodeId>,
  packing: Packing,
): string | undefined {
  const { axis } = packing;
  const isPacked = (id: NodeId) => isPackedType(graph.types[id]!, axis);
  const isZero = (node: Node, id: NodeId) =>
    isTopMask(graph, node, packing) ||
    (node.kind === "pick" &&
      node.port === "stacked" &&
      (graph.nodes[node.scan] as ScanNode).axis === axis &&
      graph.types[id]!.axes.includes("batch"));
  const zero = zeroAtPadding(graph, isZero);
  for (const id of used) {
    const node = graph.nodes[id]!;
    const { axes } = graph.types[id]!;
    if (isPacked(id) && axes.length > 2) return `%${id} has the axes ${axes.join(", ")}`;
    if (roots.has(id) && isPacked(id) && !zero[id]) return `an output is not 0 at padding (%${id})`;
    if (node.kind === "scan") {
      const along = node.axis === axis;
      if (along && (node.lengths === undefined || !isLengths(graph, node.lengths, packing)))
        return `scan %${id} goes over padding`;
      const apart = [...node.initial, ...node.captured, ...(along ? [] : node.sequences)];
      if (apart.some((operand) => graph.types[operand]!.axes.includes(axis)))
        return `scan %${id} reads a whole sequence`;
      const isLength = node.captured.map((operand) => isLengths(graph, operand, packing));
      const zeroSequences = node.sequences.map((sequence) => zero[sequence]!);
      const inside = along ? whyNotInside(node, isLength, zeroSequences, axis) : undefined;
      if (inside !== undefined) return `scan %${id}: ${inside}`;
      continue;
    }
    if (node.kind === "shift" && isPacked(node.x)) return `shift %${id} moves values to other steps`;
    const joined = joinedAxes(node, graph);
    const joins = (joined.includes("batch") || joined.includes(axis)) && operands(node).some(isPacked);
    if (joins && !leavesPaddingOut(node, graph, zero)) return `${node.kind} %${id} counts padding`;
  }
  return undefined;
}

/** A step runs for the rows that are alive: what joins rows must not count on the others. */
function whyNotInside(
  scan: ScanNode,
  isLength: readonly boolean[],
  zeroSequences: readonly boolean[],
  axis: Axis,
): string | undefined {
  const { graph, next, outputs } = scan.body;
  const zero = zeroAtPadding(
    graph,
    (node) =>
      isStepMask(graph, node, axis, isLength) || (node.kind === "element" && zeroSequences[node.index] === true),
  );
  for (const id of reachable(graph, [...next, ...outputs])) {
    const node = graph.nodes[id]!;
    if (graph.types[id]!.axes.includes(axis)) return `%${id} has the axis ${axis}`;
    if (node.kind === "scan") {
      if (node.lengths !== undefined || node.axis === axis) return `the scan %${id} inside it has lengths too`;
      const inside = whyNotInside(
        node,
        [],
        node.sequences.map((sequence) => zero[sequence]!),
        axis,
      );
      if (inside !== undefined) return inside;
    }
    if (!joinedAxes(node, graph).includes("batch")) continue;
    // Rows of batch and another axis are one run for the products: the living among them are not.
    const apart = node.kind === "reduce" || operands(node).every((operand) => graph.types[operand]!.axes.length === 1);
    if (!apart || !leavesPaddingOut(node, graph, zero)) return `${node.kind} %${id} joins the rows of the batch`;
  }
  return undefined;
}

/** The axes over which a node sums, or takes the maximum. */
function joinedAxes(node: Node, graph: Graph): readonly Axis[] {
  if (node.kind === "reduce" || node.kind === "outer") return node.axes;
  return node.kind === "scatterAdd" ? graph.types[node.x]!.axes : [];
}

/** Whether a node that joins rows or steps gives the same without padding. */
function leavesPaddingOut(node: Node, graph: Graph, zero: readonly boolean[]): boolean {
  if (node.kind === "reduce") return node.op === "sum" && zero[node.x]!;
  if (node.kind === "outer") return zero[node.a]! || zero[node.b]!;
  if (node.kind !== "scatterAdd") return false;
  return zero[node.x]! && graph.types[node.x]!.axes.join() === graph.types[node.index]!.axes.join();
}

/** Values that are certainly 0 at padding. `isZeroAnyway` knows masks and leaves. */
function zeroAtPadding(graph: Graph, isZeroAnyway: (node: Node, id: NodeId) => boolean): readonly boolean[] {
  const zero: boolean[] = [];
  const of = (id: NodeId) => zero[id]!;
  const follows = (node: Node): boolean => {
    switch (node.kind) {
      case "literal":
        return node.value === 0;
      case "select":
        return (of(node.condition) || of(node.a)) && of(node.b);
      case "mul":
        return of(node.a) || of(node.b);
      case "div":
        return of(node.a);
      case "outer":
        return node.axes.length === 0 && (of(node.a) || of(node.b));
      case "reduce":
        return node.axes.length === 0 && of(node.x);
      case "matmul":
        return of(node.x);
      default:
        return keepsZero.has(node.kind) && operands(node).every(of);
    }
  };
  graph.nodes.forEach((node, position) => {
    zero.push(isZeroAnyway(node, position as NodeId) || follows(node)); // The position in the list is the id.
  });
  return zero;
}

/** 0 where all operands are 0. */
const keepsZero: ReadonlySet<Node["kind"]> = new Set<Node["kind"]>([
  "add",
  "sub",
  "max",
  "min",
  "less",
  "neg",
  "tanh",
  "abs",
  "sqrt",
  "sign",
  "floor",
  "sin",
  "broadcast",
  "stopGradient",
  "slice",
  "pad",
  "reshape",
  "shift",
  "concat",
]);

/**
 * The program with masks taken out: at a true step `t < length` is 1, and a select takes its first value. What such values hold
 * at padding has no meaning from here on.
 */
export function withoutMasks(program: Program, packing: Packing): Program {
  return rewriteProgram(program, (graph) => {
    const isLength = (id: NodeId) => isLengths(graph, id, packing);
    return (node, id, site) => {
      if (node.kind === "scan" && node.axis === packing.axis)
        return site.builder.add(unmaskedScan(node, site, node.captured.map(isLength), packing.axis));
      return unmask(node, id, site, (other) => isTopMask(graph, graph.nodes[other]!, packing));
    };
  });
}

function unmaskedScan(scan: ScanNode, site: Site, isLength: readonly boolean[], axis: Axis): ScanNode {
  return rewriteScan(scan, site, (graph): Rewrite => {
    if (graph !== scan.body.graph) return () => undefined;
    return (node, id, inner) =>
      unmask(node, id, inner, (other) => isStepMask(graph, graph.nodes[other]!, axis, isLength));
  });
}

function unmask(
  node: Node,
  id: NodeId,
  { graph, builder, map }: Site,
  isMask: (id: NodeId) => boolean,
): NodeId | undefined {
  const type = graph.types[id]!;
  const alive = (other: NodeId): boolean => {
    const { kind } = graph.nodes[other]!;
    if (isMask(other)) return true;
    return (kind === "broadcast" || kind === "mul") && operands(graph.nodes[other]!).every(alive);
  };
  if (isMask(id)) return builder.add({ kind: "broadcast", x: builder.literal(1), type });
  if (node.kind === "select" && alive(node.condition)) return builder.add({ kind: "broadcast", x: map(node.a), type });
  return undefined;
}

/** position < length, outside scans. */
function isTopMask(graph: Graph, node: Node, packing: Packing): boolean {
  if (node.kind !== "less") return false;
  const position = graph.nodes[through(graph, node.a)]!;
  return position.kind === "iota" && position.along === packing.axis && isLengths(graph, node.b, packing);
}

/** step < length, in a scan that captures the length. */
function isStepMask(graph: Graph, node: Node, axis: Axis, isLength: readonly boolean[]): boolean {
  if (node.kind !== "less") return false;
  const step = graph.nodes[through(graph, node.a)]!;
  return step.kind === "step" && step.axis === axis && lengthOf(graph, node.b, isLength);
}

function lengthOf(graph: Graph, id: NodeId, isLength: readonly boolean[]): boolean {
  const node = graph.nodes[through(graph, id)]!;
  return node.kind === "captured" && isLength[node.index] === true;
}

function isLengths(graph: Graph, id: NodeId, { lengths }: Packing): boolean {
  const node = graph.nodes[through(graph, id)]!;
  return node.kind === "input" && node.name === lengths;
}

function through(graph: Graph, id: NodeId): NodeId {
  const node = graph.nodes[id]!;
  return node.kind === "broadcast" || node.kind === "stopGradient" ? through(graph, node.x) : id;
}
