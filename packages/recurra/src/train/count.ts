/**
 * The mean over a batch is a sum divided by a count. The gradient is linear, so it can be taken of the sum alone and divided at
 * the end: then nothing that differs from row to row waits for the count of all rows, and rows can be computed apart.
 */
import { activity } from "../autodiff/reversal.ts";
import type { GraphBuilder } from "../ir/builder.ts";
import type { NodeId } from "../ir/nodes.ts";
import { add, div, mul } from "../ir/ops.ts";

export interface CountedLoss {
  /** loss = sum / count; no count when none could be taken out. */
  readonly sum: NodeId;
  readonly count: NodeId | undefined;
}

/** Takes out what the loss is divided by, through sums of means over the same count. */
export function separateCount(builder: GraphBuilder, loss: NodeId, parameters: ReadonlySet<NodeId>): CountedLoss {
  const depends = activity(builder, parameters);
  const rows = activity(builder, rowLeaves(builder));
  const separate = (id: NodeId): CountedLoss => {
    const node = builder.nodeOf(id);
    if (node.kind === "div" && !depends(node.b)) {
      const inner = separate(node.a);
      // Division by a plain number stays with the sum.
      if (builder.nodeOf(node.b).kind === "literal")
        return { sum: div(builder, inner.sum, node.b), count: inner.count };
      return { sum: inner.sum, count: inner.count === undefined ? node.b : mul(builder, inner.count, node.b) };
    }
    if (node.kind === "add") {
      const [a, b] = [separate(node.a), separate(node.b)];
      if (a.count !== undefined && a.count === b.count) return { sum: add(builder, a.sum, b.sum), count: a.count };
      // A term that reads no row, a penalty of the weights, takes part with every row that counts.
      for (const [mean, term] of [[a, node.b] as const, [b, node.a] as const]) {
        if (mean.count !== undefined && !rows(term))
          return { sum: add(builder, mean.sum, mul(builder, mean.count, term)), count: mean.count };
      }
    }
    if (node.kind === "mul") {
      const [literal, other] = builder.nodeOf(node.a).kind === "literal" ? [node.a, node.b] : [node.b, node.a];
      const inner = separate(other);
      if (builder.nodeOf(literal).kind === "literal")
        return { sum: mul(builder, inner.sum, literal), count: inner.count };
    }
    return { sum: id, count: undefined };
  };
  return separate(loss);
}

function rowLeaves(builder: GraphBuilder): ReadonlySet<NodeId> {
  return new Set(
    builder.nodes.flatMap((_, position) => {
      const id = position as NodeId; // The position in the list is the id.
      return builder.typeOf(id).axes.includes("batch") ? [id] : [];
    }),
  );
}
