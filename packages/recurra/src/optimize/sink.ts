/**
 * Moves behind the loop what feeds no state: weight gradients become one product over all timesteps, and an output layer
 * written inside the step is computed for all steps at once.
 */
import { type GraphBuilder, reachable } from "../ir/builder.ts";
import { type Graph, isPointwise, mapOperands, type Node, type NodeId, operands, type ScanNode } from "../ir/nodes.ts";
import { type Pass, type Rewrite, rewriteProgram, rewriteScan } from "./rewrite.ts";

export const sink: Pass = (program) => rewriteProgram(program, sinkFrom);

function sinkFrom(): Rewrite {
  /** By scan in the new graph: what replaces each stacked output. */
  const replaced = new Map<NodeId, readonly NodeId[]>();
  return (node, _id, site) => {
    if (node.kind === "scan") {
      const { scan, stacked } = sinkScan(rewriteScan(node, site, sinkFrom), site.builder);
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
  const stacked = new Set(outputs.filter((id) => feeding.has(id) || !sinks(graph.nodes[id]!, scan)));
  const sunk = new Set<NodeId>();
  // Contractions leave always. Elementwise work leaves only if all that it reads is outside already: otherwise more would
  // have to be stored than its result.
  const isOutside = (id: NodeId): boolean => {
    const node = graph.nodes[id]!;
    return (
      stacked.has(id) || sunk.has(id) || node.kind === "element" || node.kind === "captured" || node.kind === "literal"
    );
  };
  graph.nodes.forEach((node, position) => {
    const id = position as NodeId; // The position in the list is the id.
    if (!wanted.has(id) || feeding.has(id) || stacked.has(id)) return;
    if (isContraction(node)) {
      for (const operand of operands(node)) if (!isOutside(operand)) stacked.add(operand);
      sunk.add(id);
    } else if (sinks(node, scan) && operands(node).every(isOutside)) sunk.add(id);
    else if (outputs.includes(id)) stacked.add(id);
  });

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
    return outside.add(mapOperands(node, outsideValue));
  };
  return { scan: added, stacked: outputs.map(outsideValue) };
}

function isContraction(node: Node): boolean {
  return node.kind === "matmul" || node.kind === "outer" || (node.kind === "reduce" && node.op === "sum");
}

/**
 * Whether a node may be computed behind the loop. With lengths, stacked values are 0 at padding, and only what turns zeros
 * into zeros gives the same there.
 */
function sinks(node: Node, scan: ScanNode): boolean {
  if (
    isContraction(node) ||
    node.kind === "slice" ||
    node.kind === "pad" ||
    node.kind === "concat" ||
    node.kind === "reshape"
  )
    return true;
  if (!isPointwise(node) || node.kind === "random" || node.kind === "step") return false;
  return scan.lengths === undefined || node.kind === "mul" || node.kind === "neg" || node.kind === "broadcast";
}

interface PartOf {
  readonly node: NodeId;
  readonly dim: number;
  readonly start: number;
  readonly size: number;
}

/** Stacked values that are parts of a stacked concatenation need no storage of their own: they are slices of it. */
function concatenations({ nodes, types }: Graph, stacked: ReadonlySet<NodeId>): Map<NodeId, PartOf> {
  const found = new Map<NodeId, PartOf>();
  for (const id of stacked) {
    const node = nodes[id]!;
    if (node.kind !== "concat") continue;
    let start = 0;
    for (const part of node.parts) {
      const size = types[part]!.shape[node.dim]!;
      if (stacked.has(part)) found.set(part, { node: id, dim: node.dim, start, size });
      start += size;
    }
  }
  return found;
}
