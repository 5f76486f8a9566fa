/** Gates side by side: products of one x with several weights become one product with the weights stacked. */
import { reachable } from "../ir/builder.ts";
import { type Graph, type NodeId, type NodeOf, operands } from "../ir/nodes.ts";
import { type Pass, type Rewrite, rewriteProgram } from "./rewrite.ts";

/**
 *     W_f·x, W_i·x, …   →   slices of [W_f; W_i; …]·x
 *
 * One wide product fills the vector lanes and reads x once. The stacked weight does not depend on the step, so it is made
 * once per call.
 */
export const sideBySide: Pass = (program) => rewriteProgram(program, (graph) => mergeProducts(graph));

function mergeProducts(graph: Graph): Rewrite {
  const groups = groupProducts(graph);
  const merged = new Map<readonly NodeId[], NodeId>();
  return (node, id, { builder, map }) => {
    const group = groups.get(id);
    if (group === undefined || node.kind !== "matmul") return undefined;
    const sizes = group.map((member) => graph.types[member]!.shape.at(-1)!);
    let product = merged.get(group);
    if (product === undefined) {
      const weight = builder.add({
        kind: "concat",
        parts: group.map((member) => map(productAt(graph, member).weight)),
        dim: 0,
      });
      product = builder.add({ kind: "matmul", x: map(node.x), weight, transposed: false });
      merged.set(group, product);
    }
    const position = group.indexOf(id);
    const start = sizes.slice(0, position).reduce((sum, size) => sum + size, 0);
    const dim = graph.types[id]!.shape.length - 1;
    return builder.add({ kind: "slice", x: product, dim, start, size: sizes[position]! });
  };
}

/** For each product that has company: the products with the same x, whose weights do not depend on each other. */
function groupProducts(graph: Graph): Map<NodeId, readonly NodeId[]> {
  const byX = new Map<NodeId, NodeId[]>();
  graph.nodes.forEach((node, position) => {
    if (node.kind !== "matmul" || node.transposed) return;
    const id = position as NodeId; // The position in the list is the id.
    const group = byX.get(node.x) ?? [];
    const isLeaf = operands(graph.nodes[node.weight]!).length === 0;
    const read = isLeaf ? undefined : reachable(graph, [node.weight]);
    if (!group.some((member) => read?.has(member))) group.push(id);
    byX.set(node.x, group);
  });
  return new Map(
    [...byX.values()].filter((group) => group.length > 1).flatMap((group) => group.map((id) => [id, group] as const)),
  );
}

function productAt(graph: Graph, id: NodeId): NodeOf<"matmul"> {
  return graph.nodes[id] as NodeOf<"matmul">; // Groups hold products only.
}
