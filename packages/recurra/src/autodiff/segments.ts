/**
 * The gradient of a scan over segments saves nothing but the states at their borders (Chen et al. 2016, arXiv:1604.06174;
 * Gruslys et al. 2016, arXiv:1606.03401). Its scan takes the segments from last to first; the body computes one segment again
 * and then walks it backwards, like a program of its own.
 *
 *     forward    s₀ → [segment 0] → s₁ → [segment 1] → s₂ → … → loss
 *     backward   s₁ → [segment 1 again, its gradient] → ∂s₁ →  s₀ → [segment 0 again, its gradient] → ∂s₀
 *
 * Gradients of what all segments share are added up in states, so that none is kept per segment.
 */
import type { TensorType } from "../base/shapes.ts";
import { GraphBuilder, reachable, rebuild } from "../ir/builder.ts";
import type { NodeId, ScanNode } from "../ir/nodes.ts";
import { add } from "../ir/ops.ts";
import { activity, type Reversal, type Reverse } from "./reversal.ts";
import type { Flow } from "./rules.ts";
import {
  type Arriving,
  type BodyActivity,
  bodyActivity,
  collectPicks,
  gradientsOfLeaves,
  type LeafGradients,
} from "./scanParts.ts";

export function segmentsGradient(
  outer: Reversal,
  id: NodeId,
  scan: ScanNode,
  done: ReadonlyMap<NodeId, NodeId>,
  reverse: Reverse,
): readonly Flow[] {
  const arriving = collectPicks(outer, id, done);
  if (arriving.final.size === 0 && arriving.stacked.size === 0) return [];
  const needs = bodyActivity(outer, scan);
  let live = new Set([...arriving.final.keys()].filter((k) => needs.state(k)));
  for (;;) {
    const attempt = reverseSegment(
      scan,
      arriving,
      [...live].sort((a, b) => a - b),
      needs,
      reverse,
    );
    const grown = new Set([...live, ...attempt.gradients.state.keys()]);
    if (grown.size === live.size) return emit(outer, id, scan, arriving, attempt);
    live = grown;
  }
}

type SequenceSource =
  | { readonly kind: "arriving"; readonly output: number }
  | { readonly kind: "sequence"; readonly index: number }
  | { readonly kind: "border"; readonly state: NodeId };

interface Attempt {
  readonly live: readonly number[];
  readonly backward: GraphBuilder;
  readonly sequences: readonly SequenceSource[];
  readonly gradients: LeafGradients;
}

function reverseSegment(
  scan: ScanNode,
  arriving: Arriving,
  live: readonly number[],
  needs: BodyActivity,
  reverse: Reverse,
): Attempt {
  const { graph, next, outputs } = scan.body;
  const backward = new GraphBuilder();
  const sequences: SequenceSource[] = [];
  const addSequence = (source: SequenceSource, type: TensorType): NodeId => {
    sequences.push(source);
    return backward.add({ kind: "element", index: sequences.length - 1, type });
  };
  const again = rebuild(graph, backward, [...next, ...outputs], (node, id) => {
    if (node.kind === "state") return addSequence({ kind: "border", state: id }, node.type);
    if (node.kind === "element") return addSequence({ kind: "sequence", index: node.index }, node.type);
    return undefined;
  });
  const leaves = [...reachable(graph, [...next, ...outputs])].filter((id) =>
    ["state", "element", "captured"].includes(graph.nodes[id]!.kind),
  );
  const active = activity(backward, new Set(leaves.filter(needs.node).map(again)));
  const arrivingInBody: Flow[] = [
    ...live.map((k, index): Flow => {
      const type = graph.types[next[k]!]!;
      return { to: again(next[k]!), gradient: backward.add({ kind: "state", index, type }) };
    }),
    ...[...arriving.stacked.keys()].map((output): Flow => {
      const type = graph.types[outputs[output]!]!;
      return { to: again(outputs[output]!), gradient: addSequence({ kind: "arriving", output }, type) };
    }),
  ];
  const flows = reverse({
    source: backward,
    out: backward,
    value: (id) => id,
    needs: active,
    arriving: arrivingInBody,
  });
  const gradients = gradientsOfLeaves(scan, backward, (id) => (leaves.includes(id) ? flows.get(again(id)) : undefined));
  return { live, backward, sequences, gradients };
}

function emit(
  outer: Reversal,
  id: NodeId,
  scan: ScanNode,
  arriving: Arriving,
  { live, backward, sequences, gradients }: Attempt,
): readonly Flow[] {
  const outputs = [...scan.body.outputs];
  for (const source of sequences)
    if (source.kind === "border" && !outputs.includes(source.state)) outputs.push(source.state);
  outer.source.replaceScan(id, { ...scan, body: { ...scan.body, outputs } });

  const stateType = (k: number) => scan.body.graph.types[scan.body.next[k]!]!;
  const elements = [...gradients.element];
  const shared = [...gradients.captured].map(([c, gradient]) => ({
    operand: scan.captured[c]!,
    gradient,
    type: outer.source.typeOf(scan.captured[c]!),
  }));
  const sums = shared.map(({ gradient, type }, i) =>
    add(backward, backward.add({ kind: "state", index: live.length + i, type }), gradient),
  );
  const next = live.map((k) => {
    const gradient = gradients.state.get(k);
    return gradient === undefined
      ? backward.zeros(stateType(k))
      : backward.add({ kind: "broadcast", x: gradient, type: stateType(k) });
  });
  const reverseScan = outer.out.add({
    ...scan,
    direction: scan.direction === "forward" ? "backward" : "forward",
    initial: [
      ...live.map((k) => arriving.final.get(k) ?? outer.out.zeros(stateType(k))),
      ...shared.map(({ type }) => outer.out.zeros(type)),
    ],
    sequences: sequences.map((source): NodeId => {
      if (source.kind === "sequence") return outer.value(scan.sequences[source.index]!);
      if (source.kind === "arriving") return arriving.stacked.get(source.output)!; // A sequence was added for each of them.
      const index = outputs.indexOf(source.state);
      return outer.value(outer.source.add({ kind: "pick", scan: id, port: "stacked", index }));
    }),
    captured: scan.captured.map((operand) => outer.value(operand)),
    body: { graph: backward.finish(), next: [...next, ...sums], outputs: elements.map(([, gradient]) => gradient) },
  });
  const pick = (port: "final" | "stacked", index: number) =>
    outer.out.add({ kind: "pick", scan: reverseScan, port, index });
  return [
    ...live.map((k, index) => ({ to: scan.initial[k]!, gradient: pick("final", index) })),
    ...elements.map(([i], index) => ({ to: scan.sequences[i]!, gradient: pick("stacked", index) })),
    ...shared.map(({ operand }, i) => ({ to: operand, gradient: pick("final", live.length + i) })),
  ];
}
