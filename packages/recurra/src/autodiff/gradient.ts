/** Reverse-mode differentiation of a graph, through recurrences, written into the same graph. */
import { ShapeError } from "../base/errors.ts";
import { formatType, sameType, scalarType, type TensorType } from "../base/shapes.ts";
import type { GraphBuilder } from "../ir/builder.ts";
import { type Node, type NodeId, operands } from "../ir/nodes.ts";
import { fit } from "../ir/ops.ts";
import { activity, type Reversal } from "./reversal.ts";
import { type At, type Flow, gradientRules, type RuleKind, total } from "./rules.ts";
import { scanGradient } from "./scan.ts";

/**
 * ∂loss/∂w for each w of `wrt`, each of the type of its w; zeros where the loss does not depend on it.
 * @throws ShapeError when the loss is not a single number.
 */
export function gradients(builder: GraphBuilder, loss: NodeId, wrt: readonly NodeId[]): NodeId[] {
  checkLoss(builder.typeOf(loss));
  const flows = reverse({
    source: builder,
    out: builder,
    value: (id) => id,
    needs: activity(builder, new Set(wrt)),
    arriving: [{ to: loss, gradient: builder.literal(1) }],
  });
  return wrt.map((id) => {
    const arrived = flows.get(id);
    return arrived === undefined ? builder.zeros(builder.typeOf(id)) : fit(builder, arrived, builder.typeOf(id));
  });
}

/** @throws ShapeError when the loss is not a single number. */
export function checkLoss(type: TensorType): void {
  if (sameType(type, scalarType)) return;
  throw new ShapeError({
    where: "gradients: loss",
    given: formatType(type),
    expected: formatType(scalarType),
    mend: "sum or average the loss over batch, time and features",
  });
}

/** Walks the source backwards. Returns the gradient of every node that needs one and got one. */
export function reverse(reversal: Reversal): ReadonlyMap<NodeId, NodeId> {
  const { source, out, value, needs } = reversal;
  const arrived = new Map<NodeId, NodeId[]>();
  const done = new Map<NodeId, NodeId>();
  const send = ({ to, gradient }: Flow) => {
    if (!needs(to)) return;
    const list = arrived.get(to);
    if (list === undefined) arrived.set(to, [gradient]);
    else list.push(gradient);
  };
  reversal.arriving.forEach(send);
  for (let position = source.nodes.length - 1; position >= 0; position--) {
    const id = position as NodeId; // The position in the list is the id.
    const node = source.nodeOf(id);
    if (node.kind === "scan") {
      scanGradient(reversal, id, node, done, reverse).forEach(send);
      continue;
    }
    const flows = arrived.get(id);
    if (flows === undefined) continue;
    const upstream = total(out, flows);
    done.set(id, upstream);
    if (node.kind === "pick") continue; // Its scan collects it.
    const at: At = {
      out,
      upstream,
      y: () => value(id),
      value,
      typeOf: (other) => source.typeOf(other),
      nodeOf: (other) => source.nodeOf(other),
    };
    flowsOf(node, at, needs).forEach(send);
  }
  return done;
}

function flowsOf(
  node: Exclude<Node, { kind: "scan" | "pick" }>,
  at: At,
  needs: (id: NodeId) => boolean,
): readonly Flow[] {
  if (!operands(node).some(needs)) return [];
  // The table has the rule for exactly this kind; the compiler cannot follow the pairing through an index.
  const rule = gradientRules[node.kind as RuleKind] as (node: Node, at: At) => readonly Flow[];
  return rule(node, at);
}
