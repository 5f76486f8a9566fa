/**
 * Cuts the computation along an axis into segments: everything that has the axis moves into scans over its segments, recurrences,
 * products and losses alike, so that it exists for one segment at a time. Their gradient then saves the states at the borders of
 * segments only and computes the rest again.
 *
 *     scan over segments, forward    all that can run from the first step to the last
 *     scan over segments, backward   what runs from the last step to the first, and what reads it
 *     …                              as often as the direction changes: twice for each bidirectional layer
 *
 * Inputs and what one of these scans hands to the next are all that remains of full length.
 */
import { type Axis, segmentsOf } from "../base/shapes.ts";
import { GraphBuilder, reachable } from "../ir/builder.ts";
import {
  type Graph,
  isPointwise,
  mapOperands,
  type Node,
  type NodeId,
  type NodeOf,
  operands,
  type Program,
} from "../ir/nodes.ts";

/**
 * Undefined when the program has no recurrence along the axis, or cannot be cut: another axis lies outside it in memory, a scan
 * along another axis reads it, a product sums over it, or what a recurrence made is shifted along it.
 */
export function cut(program: Program, axis: Axis): Program | undefined {
  const roots = [...Object.values(program.outputs), ...Object.values(program.updates)];
  const found = survey(program.graph, axis, roots);
  if (found === undefined) return undefined;
  const writer = new Cutter(program.graph, axis, found, roots);
  const moved = (names: Readonly<Record<string, NodeId>>) =>
    Object.fromEntries(Object.entries(names).map(([name, id]) => [name, writer.whole(id)]));
  const named = { outputs: moved(program.outputs), updates: moved(program.updates) };
  return { graph: writer.out.finish(), ...named };
}

/**
 * Stages are the scans over segments, in order; even ones run forward, odd ones backward. A value that no recurrence has touched
 * belongs to none: each stage makes it for itself.
 */
interface Survey {
  readonly used: ReadonlySet<NodeId>;
  /** Has the axis, or is a recurrence along it. */
  readonly along: (id: NodeId) => boolean;
  readonly touched: (id: NodeId) => boolean;
  /** For what lies along the axis and for sums over it: the stage that computes it, or the first that can. */
  readonly stage: (id: NodeId) => number;
  /** A sum or maximum over the axis of what is made of inputs element by element: it needs no room, and no stage. */
  readonly light: (id: NodeId) => boolean;
}

function survey(graph: Graph, axis: Axis, roots: readonly NodeId[]): Survey | undefined {
  const used = reachable(graph, roots);
  const along: boolean[] = [];
  const touched: boolean[] = [];
  const stage: number[] = [];
  const light: boolean[] = [];
  /** The first stage before which a value without the axis is known. */
  const known: number[] = [];
  let recurrences = 0;
  for (const [position, node] of graph.nodes.entries()) {
    const id = position as NodeId; // The position in the list is the id.
    const read = operands(node);
    const { axes } = graph.types[id]!;
    along[id] = axes.includes(axis) || (node.kind === "scan" && node.axis === axis);
    const readsAlong = read.some((operand) => along[operand]);
    const needed = Math.max(0, ...read.map((operand) => (along[operand] ? stage[operand]! : known[operand]!)));
    touched[id] = node.kind === "scan" || read.some((operand) => along[operand] && touched[operand]);
    light[id] =
      read.every((operand) => light[operand]) &&
      (isPointwise(node) || ["input", "slice", "reshape", "reduce"].includes(node.kind));
    stage[id] = needed;
    known[id] = needed;
    if (!used.has(id)) continue;
    if (along[id] && node.kind !== "scan" && axes.at(-1) !== axis) return undefined;
    if (node.kind === "scan") {
      const lengthsAlong = node.lengths !== undefined && along[node.lengths];
      const fixed = [...node.initial, ...node.captured].some((operand) => along[operand]);
      if (node.axis === axis) {
        if (fixed || lengthsAlong) return undefined;
        recurrences++;
        stage[id] = needed + ((needed % 2 === 0) === (node.direction === "forward") ? 0 : 1);
      } else if (readsAlong || node.body.graph.types.some((type) => type.axes.includes(axis))) return undefined;
    } else if (readsAlong && !along[id]) {
      const isFinal = node.kind === "pick" && node.port === "final";
      if (node.kind !== "reduce" && !isFinal) return undefined;
      known[id] = light[id] ? 0 : needed + 1;
    } else if (along[id] && !isLocal(node) && (node.kind !== "shift" || touched[id])) return undefined;
  }
  if (recurrences === 0) return undefined;
  return {
    used,
    along: (id) => along[id]!,
    touched: (id) => touched[id]!,
    stage: (id) => stage[id]!,
    light: (id) => light[id]!,
  };
}

/** One scan over segments: how to find its results in the new program. */
interface Stage {
  readonly scan: NodeId;
  /** By recurrence of the old program: the position of its first state. */
  readonly states: ReadonlyMap<NodeId, number>;
  readonly outputs: readonly NodeId[];
}

class Cutter {
  readonly out = new GraphBuilder();
  readonly #graph: Graph;
  readonly #axis: Axis;
  readonly #survey: Survey;
  readonly #roots: ReadonlySet<NodeId>;
  readonly #moved = new Map<NodeId, NodeId>();
  readonly #stages = new Map<number, Stage>();

  constructor(graph: Graph, axis: Axis, found: Survey, roots: readonly NodeId[]) {
    this.#graph = graph;
    this.#axis = axis;
    this.#survey = found;
    this.#roots = new Set(roots);
  }

  /** A value in the new program, at its full length. */
  whole(id: NodeId): NodeId {
    const known = this.#moved.get(id);
    if (known !== undefined) return known;
    const made = this.#make(id);
    this.#moved.set(id, made);
    return made;
  }

  #make(id: NodeId): NodeId {
    const node = this.#graph.nodes[id]!;
    const { along, touched, stage, light } = this.#survey;
    const here = () => this.out.add(mapOperands(node, (operand) => this.whole(operand)));
    if (node.kind === "input" || (along(id) && !touched(id)) || light(id)) return here();
    if (along(id)) {
      const { scan, outputs } = this.#stage(stage(id));
      return this.out.add({ kind: "pick", scan, port: "stacked", index: outputs.indexOf(id) });
    }
    if (node.kind === "pick" && along(node.scan)) {
      const { scan, states } = this.#stage(stage(node.scan));
      return this.out.add({ kind: "pick", scan, port: "final", index: states.get(node.scan)! + node.index });
    }
    if (node.kind === "reduce" && along(node.x)) {
      const { scan, outputs } = this.#stage(stage(node.x));
      const parts = this.out.add({ kind: "pick", scan, port: "stacked", index: outputs.indexOf(id) });
      const axes = [segmentsOf(this.#axis), ...node.axes.filter((axis) => this.out.typeOf(parts).axes.includes(axis))];
      return this.out.add({ kind: "reduce", op: node.op, x: parts, axes, dims: [] });
    }
    return here();
  }

  #stage(number: number): Stage {
    const known = this.#stages.get(number);
    if (known !== undefined) return known;
    const made = this.#makeStage(number);
    this.#stages.set(number, made);
    return made;
  }

  #makeStage(number: number): Stage {
    const { along, touched, stage } = this.#survey;
    const body = new GraphBuilder();
    const [initial, sequences, captured]: [NodeId[], NodeId[], NodeId[]] = [[], [], []];
    const states = new Map<NodeId, number>();
    const moved = new Map<NodeId, NodeId>();
    const handed = (list: NodeId[], id: NodeId): number => {
      const whole = this.whole(id);
      const index = list.indexOf(whole);
      return index >= 0 ? index : list.push(whole) - 1;
    };
    const inside = (id: NodeId): NodeId => {
      const known = moved.get(id);
      if (known !== undefined) return known;
      const made = make(id);
      moved.set(id, made);
      return made;
    };
    const make = (id: NodeId): NodeId => {
      const node = this.#graph.nodes[id]!;
      const type = this.#graph.types[id]!;
      if (!along(id)) {
        if (isNumber(this.#graph, id)) return body.add(mapOperands(node, inside));
        return body.add({ kind: "captured", index: handed(captured, id), type });
      }
      // A shift reaches over the border of its segment: it is made at full length.
      if (node.kind === "input" || node.kind === "shift" || (touched(id) && stage(id) < number))
        return body.add({ kind: "element", index: handed(sequences, id), type });
      if (node.kind !== "scan") return body.add(mapOperands(node, inside));
      const first = initial.push(...node.initial.map((state) => this.whole(state))) - node.initial.length;
      states.set(id, first);
      const [begin, ...rest] = [node.initial, node.sequences, node.captured];
      const [sequenceIds, capturedIds] = rest.map((list) => list.map(inside)) as [NodeId[], NodeId[]]; // Two lists in, two out.
      return body.add({
        ...node,
        lengths: node.lengths === undefined ? undefined : inside(node.lengths),
        initial: begin.map((state, k) =>
          body.add({ kind: "state", index: first + k, type: this.#graph.types[state]! }),
        ),
        sequences: sequenceIds,
        captured: capturedIds,
      });
    };

    const wanted = this.#wanted(number);
    const outputs = wanted.map((id): NodeId => {
      const node = this.#graph.nodes[id]!;
      if (along(id)) return inside(id);
      const reduce = node as NodeOf<"reduce">; // #wanted names nothing else without the axis.
      // Rows stay apart, so that the batch can still be split; the sum over them follows outside.
      const axes = reduce.axes.filter((axis) => axis !== "batch");
      return body.add({ ...reduce, x: inside(reduce.x), axes });
    });
    this.#graph.nodes.forEach((node, position) => {
      const id = position as NodeId; // The position in the list is the id.
      const isOwn = this.#survey.used.has(id) && node.kind === "scan" && along(id) && stage(id) === number;
      if (isOwn) inside(id);
    });
    const next: NodeId[] = [];
    for (const [scan, first] of states) {
      (this.#graph.nodes[scan] as NodeOf<"scan">).initial.forEach((_, index) => {
        next[first + index] = body.add({ kind: "pick", scan: inside(scan), port: "final", index });
      });
    }
    const scan = this.out.add({
      kind: "scan",
      axis: segmentsOf(this.#axis),
      cuts: this.#axis,
      direction: number % 2 === 0 ? "forward" : "backward",
      lengths: undefined,
      initial,
      sequences,
      captured,
      body: { graph: body.finish(), next, outputs },
    });
    return { scan, states, outputs: wanted };
  }

  /** What others need of a stage: sums over the axis, and what a later stage or the caller reads at full length. */
  #wanted(number: number): NodeId[] {
    const { used, along, touched, stage, light } = this.#survey;
    const wanted = new Set<NodeId>();
    const handOver = (id: NodeId) => {
      if (along(id) && touched(id) && stage(id) === number && this.#graph.nodes[id]!.kind !== "scan") wanted.add(id);
    };
    for (const id of used) {
      const node = this.#graph.nodes[id]!;
      if (this.#roots.has(id)) handOver(id);
      if (node.kind === "reduce" && along(node.x) && !along(id)) {
        if (!light(id) && stage(node.x) === number) wanted.add(id);
      } else if (along(id) && stage(id) > number) operands(node).forEach(handOver);
    }
    return [...wanted].sort((a, b) => a - b);
  }
}

/** What a step needs no other steps for. */
function isLocal(node: Node): boolean {
  const kinds = ["input", "slice", "pad", "concat", "reshape", "reduce", "matmul", "gather", "pick"];
  return isPointwise(node) || kinds.includes(node.kind);
}

/** Literals, and arithmetic and broadcasts of literals. */
function isNumber(graph: Graph, id: NodeId): boolean {
  const node = graph.nodes[id]!;
  return isPointwise(node) && operands(node).every((operand) => isNumber(graph, operand)) && node.kind !== "random";
}
