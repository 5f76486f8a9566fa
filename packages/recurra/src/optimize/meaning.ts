/**
 * What backends need not know: `lengths` become selects in the body, `stopGradient`, which has done its work once the
 * gradient is written, disappears, and outer products that keep an axis become sums of products.
 */

import type { Axis } from "../base/shapes.ts";
import { GraphBuilder, rebuild } from "../ir/builder.ts";
import type { Graph, NodeId, NodeOf, ScanNode } from "../ir/nodes.ts";
import { binary, mul, select, sum, zero } from "../ir/ops.ts";
import { type Pass, type Rewrite, rewriteProgram, rewriteScan, type Site } from "./rewrite.ts";

/** Scans along `packed` keep their lengths: the backend leaves padding out. */
export function lowerMeaning(packed?: Axis): Pass {
  return (program) =>
    isMeant(program.graph)
      ? rewriteProgram(program, (graph) => lowerFrom(graph === program.graph ? packed : undefined))
      : program;
}

/** Whether anything is to be done in a graph or in the bodies of its scans. */
function isMeant(graph: Graph): boolean {
  return graph.nodes.some(
    (node) =>
      node.kind === "stopGradient" ||
      (node.kind === "outer" && keepsAxes(node, graph)) ||
      (node.kind === "scan" && (node.lengths !== undefined || isMeant(node.body.graph))),
  );
}

function keepsAxes(node: NodeOf<"outer">, { types }: Graph): boolean {
  return node.axes.length < types[node.a]!.axes.length;
}

function lowerFrom(packed: Axis | undefined): Rewrite {
  return (node, _id, site) => {
    if (node.kind === "stopGradient") return site.map(node.x);
    if (node.kind === "outer" && keepsAxes(node, site.graph)) return spreadOuter(node, site);
    if (node.kind !== "scan" || node.lengths === undefined) return undefined;
    const scan = rewriteScan(node, site, () => lowerFrom(undefined));
    if (scan.axis === packed) return site.builder.add(scan);
    return site.builder.add(withMask(scan, scan.lengths!, site.builder.typeOf(scan.lengths!)));
  };
}

/** An outer product for each position of the axes it keeps is no matrix product: a sum of broadcast products. */
function spreadOuter(node: NodeOf<"outer">, { graph, builder, map }: Site): NodeId {
  const column = [...graph.types[node.a]!.shape, 1];
  const b = graph.types[node.b]!.shape;
  const rows = b.slice(0, -1);
  const row = [...rows, 1, b.at(-1)!];
  const products = mul(
    builder,
    builder.add({ kind: "reshape", x: map(node.a), shape: column }),
    builder.add({ kind: "reshape", x: map(node.b), shape: row }),
  );
  const summed = sum(
    builder,
    products,
    node.axes,
    rows.map((_, dim) => dim),
  );
  return builder.add({ kind: "reshape", x: summed, shape: builder.typeOf(summed).shape.slice(-2) });
}

function withMask(
  scan: ScanNode,
  lengths: NodeId,
  type: { axes: readonly string[]; shape: readonly number[] },
): ScanNode {
  const body = new GraphBuilder();
  const { graph, next, outputs } = scan.body;
  const map = rebuild(graph, body, [...next, ...outputs], () => undefined);
  const length = body.add({ kind: "captured", index: scan.captured.length, type });
  const alive = binary(body, "less", body.add({ kind: "step", axis: scan.axis }), length);
  // A value shared by all rows lives while any of them does.
  const anyAlive = () => body.add({ kind: "reduce", op: "max", x: alive, axes: ["batch"], dims: [] });
  const aliveFor = (id: NodeId) => (graph.types[id]!.axes.includes("batch") ? alive : anyAlive());
  const kept = next.map((id, index) =>
    select(body, aliveFor(id), map(id), body.add({ kind: "state", index, type: graph.types[id]! })),
  );
  const masked = outputs.map((id) => select(body, aliveFor(id), map(id), zero));
  return {
    ...scan,
    lengths: undefined,
    captured: [...scan.captured, lengths],
    body: { graph: body.finish(), next: kept, outputs: masked },
  };
}
