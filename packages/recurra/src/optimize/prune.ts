/** Drops what nothing uses: outputs and states of scans that nobody picks, and the operands that only they needed. */
import { reachable } from "../ir/builder.ts";
import type { Graph, Node, NodeId, ScanNode } from "../ir/nodes.ts";
import { type Pass, type Rewrite, rewriteBody, rewriteProgram, rewriteScansIn } from "./rewrite.ts";

export const prune: Pass = (program) =>
  isPruned(program.graph, [...Object.values(program.outputs), ...Object.values(program.updates)])
    ? program
    : rewriteProgram(program, pruneFrom);

function isPruned(graph: Graph, roots: readonly NodeId[]): boolean {
  const used = reachable(graph, roots);
  if (used.size < graph.nodes.length) return false;
  return graph.nodes.every((node, id) => {
    if (node.kind !== "scan") return true;
    if (!isPruned(node.body.graph, [...node.body.next, ...node.body.outputs])) return false;
    return shrink(node, keptOf(node, picksOf(graph, used, id as NodeId))) === node; // The position in the list is the id.
  });
}

interface Kept {
  readonly states: readonly number[];
  readonly outputs: readonly number[];
}

function pruneFrom(graph: Graph, roots: readonly NodeId[]): Rewrite {
  const used = reachable(graph, roots);
  const kept = new Map<NodeId, Kept>();
  graph.nodes.forEach((node, position) => {
    const id = position as NodeId; // The position in the list is the id.
    if (node.kind === "scan" && used.has(id)) kept.set(id, keptOf(node, picksOf(graph, used, id)));
  });
  return (node, id, site) => {
    if (node.kind === "scan") return site.builder.add(shrink(rewriteScansIn(node, site, pruneFrom), kept.get(id)!));
    if (node.kind !== "pick") return undefined;
    const { states, outputs } = kept.get(node.scan)!;
    const index = (node.port === "final" ? states : outputs).indexOf(node.index);
    return site.builder.add({ ...node, scan: site.map(node.scan), index });
  };
}

function picksOf(graph: Graph, used: ReadonlySet<NodeId>, scan: NodeId): readonly Extract<Node, { kind: "pick" }>[] {
  return graph.nodes.flatMap((node, id) =>
    node.kind === "pick" && node.scan === scan && used.has(id as NodeId) ? [node] : [],
  );
}

function keptOf(scan: ScanNode, picks: readonly Extract<Node, { kind: "pick" }>[]): Kept {
  const outputs = [...new Set(picks.filter((pick) => pick.port === "stacked").map((pick) => pick.index))].sort(
    (a, b) => a - b,
  );
  const states = new Set(picks.filter((pick) => pick.port === "final").map((pick) => pick.index));
  for (;;) {
    const roots = [...outputs.map((j) => scan.body.outputs[j]!), ...[...states].map((k) => scan.body.next[k]!)];
    const before = states.size;
    for (const id of reachable(scan.body.graph, roots)) {
      const node = scan.body.graph.nodes[id]!;
      if (node.kind === "state") states.add(node.index);
    }
    if (states.size === before) return { states: [...states].sort((a, b) => a - b), outputs };
  }
}

/** Keeps the chosen states and outputs, and of sequences and captured values those that the body still reads. */
function shrink(scan: ScanNode, { states, outputs }: Kept): ScanNode {
  const smaller = {
    ...scan.body,
    next: states.map((k) => scan.body.next[k]!),
    outputs: outputs.map((j) => scan.body.outputs[j]!),
  };
  const alive = reachable(scan.body.graph, [...smaller.next, ...smaller.outputs]);
  const read = (kind: "element" | "captured") => {
    const indices = new Set<number>();
    for (const id of alive) {
      const node = scan.body.graph.nodes[id]!;
      if (node.kind === kind) indices.add(node.index);
    }
    return [...indices].sort((a, b) => a - b);
  };
  const sequences = distinct(read("element"), scan.sequences);
  const captured = distinct(read("captured"), scan.captured);
  const isWhole =
    states.length === scan.body.next.length &&
    outputs.length === scan.body.outputs.length &&
    sequences.length === scan.sequences.length &&
    captured.length === scan.captured.length &&
    alive.size === scan.body.graph.nodes.length;
  if (isWhole) return scan;
  const body = rewriteBody(smaller, (graph) => (node, _id, { builder }) => {
    if (graph !== scan.body.graph) return undefined;
    if (node.kind === "state") return builder.add({ ...node, index: states.indexOf(node.index) });
    if (node.kind === "element") return builder.add({ ...node, index: sequences.indexOf(scan.sequences[node.index]!) });
    if (node.kind === "captured") return builder.add({ ...node, index: captured.indexOf(scan.captured[node.index]!) });
    return undefined;
  });
  return { ...scan, initial: states.map((k) => scan.initial[k]!), sequences, captured, body };
}

function distinct(indices: readonly number[], ids: readonly NodeId[]): NodeId[] {
  return [...new Set(indices.map((index) => ids[index]!))];
}
