/**
 * Moves behind the loop what feeds no state: weight gradients become one product over all timesteps, and an output layer
 * written inside the step is computed for all steps at once.
 */
import { type GraphBuilder, reachable } from "../ir/builder.ts";
import { type Graph, isPointwise, type Node, type NodeId, operands, type ScanNode } from "../ir/nodes.ts";
import { addOutside, type Pass, type Rewrite, rewriteProgram, rewriteScansIn } from "./rewrite.ts";

export const sink: Pass = (program) => rewriteProgram(program, sinkFrom);

function sinkFrom(): Rewrite {
  /** By scan in the new graph: what replaces each stacked output. */
  const replaced = new Map<NodeId, readonly NodeId[]>();
  return (node, _id, site) => {
    if (node.kind === "scan") {
      const rewritten = rewriteScansIn(node, site, sinkFrom);
      // Segments keep their work to themselves, as in hoist.
      if (rewritten.cuts !== undefined) return site.builder.add(rewritten);
      const { scan, stacked } = sinkScan(rewritten, site.builder);
      replaced.set(scan, stacked);
      return scan;
    }
    if (node.kind === "pick" && node.port === "stacked") return replaced.get(site.map(node.scan))?.[node.index];
    return undefined;
  };
}

function sinkScan(scan: ScanNode, outside: GraphBuilder): { scan: NodeId; stacked: readonly NodeId[] } {
  const { graph, next, outputs } = scan.body;
  const feeding = reachable(graph, next);
  const wanted = reachable(graph, outputs);
  // Without lengths the stacked elements of a sequence are the sequence.
  const isSequence = (id: NodeId) => graph.nodes[id]!.kind === "element" && scan.lengths === undefined;
  const stacked = new Set(
    outputs.filter((id) => !isSequence(id) && (feeding.has(id) || !couldSink(graph, graph.nodes[id]!))),
  );
  const sunk = new Set<NodeId>();
  const isOutside = (id: NodeId): boolean => {
    const node = graph.nodes[id]!;
    return (
      stacked.has(id) || sunk.has(id) || node.kind === "element" || node.kind === "captured" || node.kind === "literal"
    );
  };
  const leave = (mayLeave: (node: Node, needed: readonly NodeId[]) => boolean, rest: (id: NodeId) => void) =>
    graph.nodes.forEach((node, position) => {
      const id = position as NodeId; // The position in the list is the id.
      if (!wanted.has(id) || feeding.has(id) || stacked.has(id) || sunk.has(id)) return;
      const needed = couldSink(graph, node) ? operands(node).filter((operand) => !isOutside(operand)) : [];
      const keepsPadding =
        scan.lengths === undefined ||
        isZeroAtPadding(graph, id, (other) => stacked.has(other) || needed.includes(other));
      if (couldSink(graph, node) && keepsPadding && mayLeave(node, needed)) {
        for (const operand of needed) stacked.add(operand);
        sunk.add(id);
      } else rest(id);
    });
  // Products leave always, other work where all that it reads is outside already: otherwise more would have to be stored than its
  // result. Sums of rows come after them, for what they read may be stacked for a product.
  leave(
    (node, needed) => needed.length === 0 || (isContraction(graph, node) && node.kind !== "reduce"),
    () => {},
  );
  const parts = concatenations(graph, stacked, () => true);
  leave(
    (node, needed) => needed.every((operand) => isContraction(graph, node) && parts.has(operand)),
    (id) => {
      // A sum that stays is small: it is stacked, and what is made of it leaves.
      if (graph.nodes[id]!.kind === "reduce" || (outputs.includes(id) && !isSequence(id))) stacked.add(id);
    },
  );

  const wholes = concatenations(graph, stacked);
  const kept = [...stacked].filter((id) => !wholes.has(id));
  const added = outside.add({ ...scan, body: { ...scan.body, outputs: kept } });
  const values = new Map<NodeId, NodeId>();
  const outsideValue = (id: NodeId): NodeId => {
    const known = values.get(id);
    if (known !== undefined) return known;
    const made = makeValue(id, graph.nodes[id]!);
    values.set(id, made);
    return made;
  };
  const makeValue = (id: NodeId, node: Node): NodeId => {
    const whole = wholes.get(id);
    if (whole !== undefined)
      return outside.add({
        kind: "slice",
        x: outsideValue(whole.node),
        dim: whole.dim,
        start: whole.start,
        size: whole.size,
      });
    if (stacked.has(id)) return outside.add({ kind: "pick", scan: added, port: "stacked", index: kept.indexOf(id) });
    if (node.kind === "element") return scan.sequences[node.index]!;
    if (node.kind === "captured") return scan.captured[node.index]!;
    return addOutside(outside, node, outsideValue);
  };
  return { scan: added, stacked: outputs.map(outsideValue) };
}

function isContraction(graph: Graph, node: Node): boolean {
  // A weight that is made anew at every step cannot leave: outside it would have a time axis.
  if (node.kind === "matmul") return graph.nodes[node.weight]!.kind === "captured";
  return node.kind === "outer" || (node.kind === "reduce" && node.op === "sum");
}

/** Whether a kind can be computed behind the loop at all. */
function couldSink(graph: Graph, node: Node): boolean {
  const moves = node.kind === "slice" || node.kind === "pad" || node.kind === "concat" || node.kind === "reshape";
  return isContraction(graph, node) || moves || (isPointwise(node) && node.kind !== "random" && node.kind !== "step");
}

/**
 * Stacked values are 0 at padding, and so must be what is computed of them behind the loop. Sequences and captured values
 * hold anything there.
 */
function isZeroAtPadding(graph: Graph, id: NodeId, isStacked: (id: NodeId) => boolean): boolean {
  const node = graph.nodes[id]!;
  const zero = (other: NodeId) => isStacked(other) || isZeroAtPadding(graph, other, isStacked);
  switch (node.kind) {
    case "mul":
    case "outer":
      return zero(node.a) || zero(node.b);
    case "matmul":
    case "neg":
    case "broadcast":
    case "slice":
    case "pad":
    case "reshape":
      return zero(node.x);
    case "reduce":
      return node.op === "sum" && zero(node.x);
    case "concat":
      return node.parts.every(zero);
    default:
      return false;
  }
}

interface PartOf {
  readonly node: NodeId;
  readonly dim: number;
  readonly start: number;
  readonly size: number;
}

/** Stacked values that are parts of a stacked concatenation need no storage of their own: they are slices of it. */
function concatenations(
  { nodes, types }: Graph,
  stacked: ReadonlySet<NodeId>,
  counts = (part: NodeId) => stacked.has(part),
): Map<NodeId, PartOf> {
  const found = new Map<NodeId, PartOf>();
  for (const id of stacked) {
    const node = nodes[id]!;
    if (node.kind !== "concat") continue;
    let start = 0;
    for (const part of node.parts) {
      const size = types[part]!.shape[node.dim]!;
      if (counts(part)) found.set(part, { node: id, dim: node.dim, start, size });
      start += size;
    }
  }
  return found;
}
