/**
 * The gradient of a scan is a scan in the other direction. Its states are the gradients of the states, its sequences are
 * what arrives at the stacked outputs and the values of the forward body that the rules ask for; those are stacked as
 * further outputs of the forward scan, unless they are cheap to compute again from others that are.
 */
import { InternalError } from "../base/errors.ts";
import type { TensorType } from "../base/shapes.ts";
import { GraphBuilder } from "../ir/builder.ts";
import { isPointwise, mapOperands, type Node, type NodeId, operands, type ScanNode } from "../ir/nodes.ts";
import { binary, type Operand, one, select, sum, unary, zero } from "../ir/ops.ts";
import type { Reversal, Reverse } from "./reversal.ts";
import type { Flow } from "./rules.ts";
import {
  type Arriving,
  type BodyActivity,
  bodyActivity,
  builderOf,
  collectPicks,
  gradientsOfLeaves,
  type LeafGradients,
} from "./scanParts.ts";
import { segmentsGradient } from "./segments.ts";

export function scanGradient(
  outer: Reversal,
  id: NodeId,
  scan: ScanNode,
  done: ReadonlyMap<NodeId, NodeId>,
  /** A body is walked like a program. */
  reverse: Reverse,
): readonly Flow[] {
  if (scan.cuts !== undefined) return segmentsGradient(outer, id, scan, done, reverse);
  const arriving = collectPicks(outer, id, done);
  if (arriving.final.size === 0 && arriving.stacked.size === 0) return [];
  const needs = bodyActivity(outer, scan);

  // A state carries a gradient backwards if one arrives at its end, or if the step before turns out to send it one.
  let live = new Set([...arriving.final.keys()].filter((k) => needs.state(k)));
  let saved: ReadonlySet<NodeId> | undefined;
  for (;;) {
    const attempt = reverseBody(scan, arriving, live, needs, saved, reverse);
    const grown = new Set([...live, ...attempt.gradients.state.keys()]);
    if (grown.size > live.size) live = grown;
    else if (saved === undefined) saved = worthSaving(attempt.forward, attempt.asked);
    else return emit(outer, id, scan, arriving, live, attempt);
  }
}

type SequenceSource =
  | { readonly kind: "arriving"; readonly output: number }
  | { readonly kind: "sequence"; readonly index: number }
  | { readonly kind: "saved"; readonly node: NodeId };

interface Attempt {
  /** The forward body; nested scans may have gained outputs. */
  readonly forward: GraphBuilder;
  readonly backward: GraphBuilder;
  readonly sequences: readonly SequenceSource[];
  readonly asked: ReadonlySet<NodeId>;
  readonly gradients: LeafGradients;
}

function reverseBody(
  scan: ScanNode,
  arriving: Arriving,
  live: ReadonlySet<number>,
  needs: BodyActivity,
  saved: ReadonlySet<NodeId> | undefined,
  reverse: Reverse,
): Attempt {
  const forward = builderOf(scan);
  const backward = new GraphBuilder();
  const sequences: SequenceSource[] = [];
  const asked = new Set<NodeId>();
  const values = new Map<NodeId, NodeId>();
  const liveList = [...live].sort((a, b) => a - b);
  const divisors = divisorsIn(forward);
  const alive = maskFor(scan, backward);

  const addSequence = (source: SequenceSource, type: TensorType): NodeId => {
    sequences.push(source);
    return backward.add({ kind: "element", index: sequences.length - 1, type });
  };
  const value = (id: NodeId): NodeId => {
    const known = values.get(id);
    if (known !== undefined) return known;
    const made = makeValue(id, forward.nodeOf(id));
    const safe = divisors.has(id) ? alive.oneElsewhere(made) : made;
    values.set(id, safe);
    return safe;
  };
  const makeValue = (id: NodeId, node: Node): NodeId => {
    const type = forward.typeOf(id);
    if (node.kind === "literal" || node.kind === "iota" || node.kind === "step") return backward.add(node);
    if (node.kind === "captured") return backward.add(node);
    if (node.kind === "element") return addSequence({ kind: "sequence", index: node.index }, type);
    if (saved !== undefined && !saved.has(id) && isCheap(node)) return backward.add(mapOperands(node, value));
    asked.add(id);
    return addSequence({ kind: "saved", node: id }, type);
  };

  const arrivingInBody: Flow[] = [];
  liveList.forEach((k, index) => {
    const next = scan.body.next[k]!;
    arrivingInBody.push({
      to: next,
      gradient: flushed(
        backward,
        alive.zeroElsewhere(backward.add({ kind: "state", index, type: forward.typeOf(next) })),
      ),
    });
  });
  for (const output of arriving.stacked.keys()) {
    const node = scan.body.outputs[output]!;
    arrivingInBody.push({
      to: node,
      gradient: alive.zeroElsewhere(addSequence({ kind: "arriving", output }, forward.typeOf(node))),
    });
  }
  const flows = reverse({ source: forward, out: backward, value, needs: needs.node, arriving: arrivingInBody });

  const gradients = gradientsOfLeaves(scan, backward, (id) => flows.get(id));
  return {
    forward,
    backward,
    sequences,
    asked,
    gradients,
  };
}

interface Alive {
  /** Padding took no part in the step, so nothing flows into the step there. */
  readonly zeroElsewhere: (gradient: NodeId) => NodeId;
  /** Values saved at padding are 0, and nothing divided by them would be NaN. */
  readonly oneElsewhere: (divisor: NodeId) => NodeId;
}

/** The length is captured behind the scan's own. */
function maskFor(scan: ScanNode, backward: GraphBuilder): Alive {
  if (scan.lengths === undefined) return { zeroElsewhere: (gradient) => gradient, oneElsewhere: (divisor) => divisor };
  const length = backward.add({ kind: "captured", index: scan.captured.length, type: { axes: ["batch"], shape: [1] } });
  const alive = binary(backward, "less", backward.add({ kind: "step", axis: scan.axis }), length);
  const elsewhere = (value: Operand) => (id: NodeId) =>
    backward.typeOf(id).axes.includes("batch") ? select(backward, alive, id, value) : id;
  return { zeroElsewhere: elsewhere(zero), oneElsewhere: elsewhere(one) };
}

/**
 * A gradient that has vanished is 0. Subnormal numbers, below 1.2e-38, cost processors a hundred cycles an operation, and a gradient
 * that shrinks from step to step spends many steps there; products of 1e-30 with weights and slopes still lie above.
 */
function flushed(builder: GraphBuilder, x: NodeId): NodeId {
  return select(builder, binary(builder, "less", unary(builder, "abs", x), { literal: 1e-30 }), zero, x);
}

/** Values of the forward body that gradient rules divide by. */
function divisorsIn(forward: GraphBuilder): ReadonlySet<NodeId> {
  return new Set(
    forward.nodes.flatMap((node, position) => {
      if (node.kind === "log") return [node.x];
      if (node.kind === "div") return [node.b];
      return node.kind === "sqrt" ? [position as NodeId] : []; // The position in the list is the id.
    }),
  );
}

/** Writes the reverse scan into `outer.out` and gives the forward scan the outputs that it reads. */
function emit(
  outer: Reversal,
  id: NodeId,
  scan: ScanNode,
  arriving: Arriving,
  live: ReadonlySet<number>,
  attempt: Attempt,
): readonly Flow[] {
  const outputs = [...scan.body.outputs];
  const stackedIndex = (node: NodeId): number => {
    const known = outputs.indexOf(node);
    return known >= 0 ? known : outputs.push(node) - 1;
  };
  const savedIndices = attempt.sequences.map((source) =>
    source.kind === "saved" ? stackedIndex(source.node) : undefined,
  );
  outer.source.replaceScan(id, { ...scan, body: { graph: attempt.forward.finish(), next: scan.body.next, outputs } });

  const sequences = attempt.sequences.map((source, i): NodeId => {
    if (source.kind === "sequence") return outer.value(scan.sequences[source.index]!);
    if (source.kind === "saved")
      return outer.value(outer.source.add({ kind: "pick", scan: id, port: "stacked", index: savedIndices[i]! }));
    const gradient = arriving.stacked.get(source.output);
    if (gradient === undefined) throw new InternalError(`nothing arrives at output ${source.output} of scan %${id}`);
    return gradient;
  });
  const { backward } = attempt;
  const liveList = [...live].sort((a, b) => a - b);
  const stateType = (k: number) => scan.body.graph.types[scan.body.next[k]!]!;
  const elements = [...attempt.gradients.element];
  const captured = [...attempt.gradients.captured];
  // A gradient may be of a smaller type than what it belongs to (a constant, say): states must keep theirs.
  const next = liveList.map((k) => {
    const gradient = attempt.gradients.state.get(k);
    return gradient === undefined
      ? backward.zeros(stateType(k))
      : backward.add({ kind: "broadcast", x: gradient, type: stateType(k) });
  });
  const bodyOutputs = [...elements, ...captured].map(([, gradient]) => gradient);
  const reverseScan = outer.out.add({
    kind: "scan",
    axis: scan.axis,
    direction: scan.direction === "forward" ? "backward" : "forward",
    lengths: scan.lengths === undefined ? undefined : outer.value(scan.lengths),
    initial: liveList.map((k) => arriving.final.get(k) ?? outer.out.zeros(stateType(k))),
    sequences,
    captured: [...scan.captured, ...(scan.lengths === undefined ? [] : [scan.lengths])].map((operand) =>
      outer.value(operand),
    ),
    body: { graph: backward.finish(), next, outputs: bodyOutputs },
  });

  const pick = (port: "final" | "stacked", index: number) =>
    outer.out.add({ kind: "pick", scan: reverseScan, port, index });
  return [
    ...liveList.map((k, index) => ({ to: scan.initial[k]!, gradient: pick("final", index) })),
    ...elements.map(([i], index) => ({ to: scan.sequences[i]!, gradient: pick("stacked", index) })),
    ...captured.map(([c], index) => ({
      to: scan.captured[c]!,
      gradient: sum(outer.out, pick("stacked", elements.length + index), [scan.axis], []),
    })),
  ];
}

/** Of the values asked for, those that cannot be computed again from the others by cheap arithmetic. */
function worthSaving(forward: GraphBuilder, asked: ReadonlySet<NodeId>): ReadonlySet<NodeId> {
  const available = (id: NodeId): boolean => {
    const node = forward.nodeOf(id);
    if (asked.has(id) || node.kind === "element" || node.kind === "captured") return true;
    return isCheap(node) && operands(node).every(available);
  };
  return new Set(
    [...asked].filter((id) => !(isCheap(forward.nodeOf(id)) && operands(forward.nodeOf(id)).every(available))),
  );
}

const costly: ReadonlySet<Node["kind"]> = new Set<Node["kind"]>([
  "exp",
  "log",
  "tanh",
  "sigmoid",
  "sqrt",
  "div",
  "sin",
  "cos",
  "random",
]);

/** A handful of instructions on values already at hand. */
function isCheap(node: Node): boolean {
  return (isPointwise(node) && !costly.has(node.kind)) || node.kind === "slice" || node.kind === "reshape";
}
