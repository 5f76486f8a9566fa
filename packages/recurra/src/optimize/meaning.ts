/**
 * What backends need not know: `lengths` become selects in the body, and `stopGradient`, which has done its work once the
 * gradient is written, disappears.
 */

import { GraphBuilder, rebuild } from "../ir/builder.ts";
import type { NodeId, ScanNode } from "../ir/nodes.ts";
import { binary, select, zero } from "../ir/ops.ts";
import { type Pass, type Rewrite, rewriteProgram, rewriteScan } from "./rewrite.ts";

export const lowerMeaning: Pass = (program) => rewriteProgram(program, lowerFrom);

function lowerFrom(): Rewrite {
  return (node, _id, site) => {
    if (node.kind === "stopGradient") return site.map(node.x);
    if (node.kind !== "scan" || node.lengths === undefined) return undefined;
    const scan = rewriteScan(node, site, lowerFrom);
    return site.builder.add(withMask(scan, scan.lengths!, site.builder.typeOf(scan.lengths!)));
  };
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
  const kept = next.map((id, index) =>
    select(body, alive, map(id), body.add({ kind: "state", index, type: graph.types[id]! })),
  );
  // A value shared by all rows has no padding of its own.
  const masked = outputs.map((id) =>
    graph.types[id]!.axes.includes("batch") ? select(body, alive, map(id), zero) : map(id),
  );
  return {
    ...scan,
    lengths: undefined,
    captured: [...scan.captured, lengths],
    body: { graph: body.finish(), next: kept, outputs: masked },
  };
}
