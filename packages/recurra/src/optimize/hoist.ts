/** Moves out of the loop what does not depend on the state: input projections for all timesteps become one product. */
import { InternalError } from "../base/errors.ts";
import type { GraphBuilder } from "../ir/builder.ts";
import { isPointwise, type Node, type NodeId, operands, type ScanNode } from "../ir/nodes.ts";
import { elementType } from "../ir/shapes.ts";
import { addOutside, type Pass, type Rewrite, rewriteBody, rewriteProgram, rewriteScansIn } from "./rewrite.ts";

export const hoist: Pass = (program) => rewriteProgram(program, hoistFrom);

function hoistFrom(): Rewrite {
  return (node, _id, site) => {
    if (node.kind !== "scan") return undefined;
    const scan = rewriteScansIn(node, site, hoistFrom);
    // What a segment needs is made for the segment, so that it never exists for all of them at once.
    return site.builder.add(scan.cuts === undefined ? hoistScan(scan, site.builder) : scan);
  };
}

/** What a node of the body depends on: nothing that changes, the step's inputs, or the state (or the step's position). */
type Dependence = "constant" | "parallel" | "recurrent";

function hoistScan(scan: ScanNode, outside: GraphBuilder): ScanNode {
  const { graph } = scan.body;
  const dependence = graph.nodes.map(() => "constant" as Dependence);
  graph.nodes.forEach((node, id) => {
    dependence[id] = dependenceOf(node, dependence);
  });
  const used = usersOf(scan);
  // Elementwise work stays inside, where it is fused into the step; what it needs from products comes from outside.
  const leaves = (id: NodeId): boolean => {
    const node = graph.nodes[id]!;
    if (dependence[id] === "recurrent" || isLeaf(node) || !used.has(id)) return false;
    if (dependence[id] === "constant") return !isPlainNumber(graph.nodes, id);
    return node.kind === "matmul" || node.kind === "outer" || node.kind === "reduce" || node.kind === "gather";
  };
  if (!graph.nodes.some((_, id) => leaves(id as NodeId))) return scan; // The position in the list is the id.

  const sequences = [...scan.sequences];
  const captured = [...scan.captured];
  const moved = new Map<NodeId, NodeId>();
  const outsideValue = (id: NodeId): NodeId => {
    const known = moved.get(id);
    if (known !== undefined) return known;
    const node = graph.nodes[id]!;
    if (node.kind === "state" || node.kind === "step") throw new InternalError("hoist: a value depends on the state");
    const made =
      node.kind === "element"
        ? scan.sequences[node.index]!
        : node.kind === "captured"
          ? scan.captured[node.index]!
          : addOutside(outside, node, outsideValue);
    moved.set(id, made);
    return made;
  };
  const body = rewriteBody(scan.body, (bodyGraph) => (_node, id, { builder }) => {
    // Nested bodies are left as they are: they were hoisted into this one already.
    if (bodyGraph !== graph || !leaves(id)) return undefined;
    const value = outsideValue(id);
    const type = outside.typeOf(value);
    if (type.axes.includes(scan.axis))
      return builder.add({ kind: "element", index: sequences.push(value) - 1, type: elementType(type, scan) });
    return builder.add({ kind: "captured", index: captured.push(value) - 1, type });
  });
  return { ...scan, sequences, captured, body };
}

function dependenceOf(node: Node, known: readonly Dependence[]): Dependence {
  if (node.kind === "state" || node.kind === "step" || node.kind === "random") return "recurrent";
  if (node.kind === "element") return "parallel";
  // A nested scan stays where it is: its results would need another axis.
  if (node.kind === "scan" || node.kind === "pick") return "recurrent";
  let result: Dependence = "constant";
  for (const operand of operands(node)) {
    if (known[operand] === "recurrent") return "recurrent";
    if (known[operand] === "parallel") result = "parallel";
  }
  // Weights and tables have no time axis, and scatterAdd would sum over it.
  const matrix = node.kind === "matmul" ? node.weight : node.kind === "gather" ? node.table : undefined;
  if (matrix !== undefined && known[matrix] !== "constant") return "recurrent";
  return node.kind === "scatterAdd" && result === "parallel" ? "recurrent" : result;
}

/** Nodes read by something that stays in the loop: moving their own operands too is then needless. */
function usersOf(scan: ScanNode): ReadonlySet<NodeId> {
  const used = new Set<NodeId>([...scan.body.next, ...scan.body.outputs]);
  for (const node of scan.body.graph.nodes) operands(node).forEach((operand) => void used.add(operand));
  return used;
}

function isLeaf(node: Node): boolean {
  return node.kind === "element" || node.kind === "captured" || node.kind === "literal" || node.kind === "iota";
}

/** Arithmetic on literals and positions only: computed where it is used, in registers. */
function isPlainNumber(nodes: readonly Node[], id: NodeId): boolean {
  const node = nodes[id]!;
  return (
    isPointwise(node) && node.kind !== "random" && operands(node).every((operand) => isPlainNumber(nodes, operand))
  );
}
