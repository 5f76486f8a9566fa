/** From a network to its programs: predict, evaluate, and one whole training step. */
import { checkLoss, gradients } from "../autodiff/gradient.ts";
import { ShapeError } from "../base/errors.ts";
import {
  type Axis,
  type AxisSizes,
  elementCount,
  formatType,
  sameType,
  scalarType,
  type TensorType,
} from "../base/shapes.ts";
import { paramsOf } from "../compile/entry.ts";
import type { ParamPart } from "../compile/executable.ts";
import { afterGradient, beforeGradient, runPasses } from "../compile/pipeline.ts";
import type { Numbers } from "../compile/tensors.ts";
import type { Graph, Node, NodeId, Program, ScanNode } from "../ir/nodes.ts";
import { cut } from "../optimize/cut.ts";
import { putTogether, weightsTogether } from "../optimize/together.ts";
import { lengthMask, select } from "../trace/operations.ts";
import { type LayerRecord, type ParameterSpec, Scope } from "../trace/scope.ts";
import { type Tensor, Trace } from "../trace/tensor.ts";
import {
  allWeights,
  applyGathered,
  keptByTraining,
  parameterNodes,
  partsOf,
  type TrainingOptions,
  trainingStep,
} from "./step.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** A network as functions over symbolic tensors. Plain data in, plain data out: it holds no weights. */
export interface Network {
  /** What a batch holds, targets too: { x: sequenceType(7), y: vectorType(24) }. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  /** Axes whose true lengths are fed as "lengths" (or "lengths.AXIS" for others than time), [batch, 1]. Default: none. */
  readonly variableLengths?: readonly Axis[];
  /**
   * States carried from one call to the next, by name: `forward` reads them among its inputs and returns the next ones under the
   * same names. Gradients end where a call begins. States that are not fed are 0. Default: none.
   */
  readonly state?: Readonly<Record<string, TensorType>>;
  /** Named results of the network. It may read every input, but `predict` needs only what it does read. */
  readonly forward: (inputs: Tensors, scope: Scope) => Tensors;
  /** One number [1] to make small. */
  readonly loss: (outputs: Tensors, inputs: Tensors, scope: Scope) => Tensor;
}

export type ProgramName = "predict" | "evaluate" | "train";

/** Each is made when it is first asked for: a model that only predicts never takes a gradient. */
export interface NetworkPrograms extends Readonly<Record<ProgramName, Program>> {
  readonly parameters: readonly ParameterSpec[];
  /** One whole step; with accumulation it gathers only. */
  readonly train: Program;
  /** All of them by name. With accumulation there is "apply" too: it takes the step with what was gathered. */
  readonly byName: Readonly<Record<string, Program>>;
  /** Names and shapes of all that any of them reads or changes. */
  readonly stored: ReadonlyMap<string, readonly number[]>;
  /** Where weights lie together: each of them and of what is kept beside it, by name, as a part of what is stored. */
  readonly parts: ReadonlyMap<string, ParamPart>;
  /**
   * The same programs, but for `apply`, cut into segments along an axis: they keep less and, for the gradient, compute it again.
   * Undefined when the axis cannot be cut.
   */
  readonly inSegments: (axis: Axis) => Readonly<Record<ProgramName, Program>> | undefined;
}

/** Sees a program after each pass, by the name of the program and of the pass. */
export type Watch = (program: string, pass: string, after: Program) => void;

/**
 * With `watch` all programs are made at once.
 * @throws ShapeError when the network's equations do not fit together, or its loss is not a single number.
 */
export function buildPrograms(network: Network, training: TrainingOptions, watch?: Watch): NetworkPrograms {
  const still = traceNetwork(network, false);
  const noisy = still.readsTraining || watch !== undefined ? traceNetwork(network, true) : still;
  for (const { loss } of [still, noisy]) checkLoss(loss.graph.types[loss.outputs["loss"]!]!);
  const { parameters } = noisy;
  const watching = (name: string) => (pass: string, after: Program) => watch?.(name, pass, after);
  watch?.("train", "trace", noisy.loss);
  const forward: Readonly<Record<ProgramName, Program>> = lazily({
    predict: () => runPasses(still.outputs, beforeGradient, watching("predict")),
    evaluate: () => (noisy === still ? forward.train : runPasses(still.loss, beforeGradient, watching("evaluate"))),
    train: () => runPasses(noisy.loss, beforeGradient, watching("train")),
  });
  const trainable = new Map(
    [...parameterNodes(forward.train, parameters)].map(([name, id]) => [name, forward.train.graph.types[id]!.shape]),
  );
  const together =
    training.together === true && trainable.size > 0 ? putTogether(allWeights, forward.train, trainable) : undefined;
  const weights = together === undefined ? trainable : new Map([[together.name, together.shape]]);
  const placed = (program: Program) => (together === undefined ? program : weightsTogether(program, together));
  const trained = (name: string, loss: Program) => trainingStep(loss, parameters, training, together, watching(name));
  const makers = {
    predict: () => placed(forward.predict),
    evaluate: () => placed(forward.evaluate),
    train: () => trained("train", forward.train),
  };
  const byName: Readonly<Record<ProgramName, Program>> =
    training.accumulation === true
      ? lazily({ ...makers, apply: () => applyGathered(weights, training, together) })
      : lazily(makers);
  if (watch !== undefined) Object.values(byName);
  return {
    parameters: still.parameters,
    byName,
    stored: new Map([
      ...[...readBy(still, forward)].filter(([name]) => together === undefined || !together.places.has(name)),
      ...weights,
      ...keptByTraining(weights, training),
    ]),
    parts: together === undefined ? new Map() : partsOf(together, training),
    get predict() {
      return byName.predict;
    },
    get evaluate() {
      return byName.evaluate;
    },
    get train() {
      return byName.train;
    },
    inSegments(axis) {
      const predict = cut(forward.predict, axis);
      const evaluate = cut(forward.evaluate, axis);
      const train = cut(forward.train, axis);
      if (predict === undefined || evaluate === undefined || train === undefined) return undefined;
      watch?.("train in segments", "cut", train);
      return lazily({
        predict: () => placed(predict),
        evaluate: () => placed(evaluate),
        train: () => trained("train in segments", train),
      });
    },
  };
}

/** Properties that are computed when they are first read. */
function lazily<K extends string, T>(makers: Readonly<Record<K, () => T>>): Readonly<Record<K, T>> {
  const result = {};
  for (const [name, make] of Object.entries<() => T>(makers)) {
    let made: T | undefined;
    const get = () => {
      made ??= make();
      return made;
    };
    Object.defineProperty(result, name, { enumerable: true, get });
  }
  return result as Record<K, T>; // Every name of the makers has its getter.
}

/**
 * The parameters that programs read before a gradient is taken, without those that the passes drop. For that a program besides `train`
 * is made only where its trace reads more than is known by then.
 */
function readBy(
  { loss, outputs }: TracedNetwork,
  forward: Readonly<Record<ProgramName, Program>>,
): ReadonlyMap<string, readonly number[]> {
  const known = paramsOf([forward.train]);
  for (const [name, traced] of [
    ["evaluate", loss],
    ["predict", outputs],
  ] as const) {
    if ([...paramsOf([traced]).keys()].every((param) => known.has(param))) continue;
    for (const [param, shape] of paramsOf([forward[name]])) known.set(param, shape);
  }
  return known;
}

/** The name under which lengths along an axis are fed. */
export function lengthsInput(axis: Axis): string {
  return axis === "time" ? "lengths" : `lengths.${axis}`;
}

export interface TracedNetwork {
  readonly parameters: readonly ParameterSpec[];
  readonly outputs: Program;
  readonly loss: Program;
  /** Whether anything asked if it is traced for training: if not, both traces are the same. */
  readonly readsTraining: boolean;
  /** Of each recurrence of the program. */
  readonly stateNames: ReadonlyMap<NodeId, readonly string[]>;
  /** What its layers have said of themselves. */
  readonly layers: readonly LayerRecord[];
}

/** The equations of a network, before any pass; `training` turns dropout and its kind on. */
export function traceNetwork(network: Network, training: boolean): TracedNetwork {
  const { trace, scope, inputs, outputs, results } = traceForward(network, training);
  const loss = network.loss(outputs, inputs, scope);
  const carried = Object.fromEntries(
    Object.keys(network.state ?? {}).map((name) => [stateName(name), outputs[name]!.id]),
  );
  const ids = results();
  const graph = trace.builder.finish();
  return {
    parameters: scope.parameters,
    outputs: { graph, outputs: ids, updates: {} },
    loss: { graph, outputs: { loss: loss.id, ...carried }, updates: {} },
    readsTraining: scope.readsTraining,
    stateNames: trace.stateNames,
    layers: scope.layers,
  };
}

/** What a network computes, without dropout and loss. Every row is as long as the axis `full`, whatever lengths it may be fed. */
export function forwardProgram(network: Network, full: Axis): Program {
  const variableLengths = (network.variableLengths ?? []).filter((axis) => axis !== full);
  const { trace, results } = traceForward({ ...network, variableLengths }, false);
  const outputs = results();
  return { graph: trace.builder.finish(), outputs, updates: {} };
}

function traceForward(network: Network, training: boolean) {
  const trace = new Trace();
  const axes = network.variableLengths ?? [];
  const lengths = Object.fromEntries(
    axes.map((axis) => [axis, trace.input(lengthsInput(axis), { axes: ["batch"], shape: [1] })]),
  );
  const seed = trace.input("seed", scalarType);
  const scope = new Scope({ trace, training, seed, lengths });
  const masked = (tensor: Tensor): Tensor => {
    const axis = tensor.type.axes.find((candidate) => lengths[candidate] !== undefined);
    return axis === undefined ? tensor : select(lengthMask(lengths[axis]!, axis), tensor, 0);
  };
  // Padding is replaced by zeros where it enters: whatever it holds, NaN included, reaches neither result nor gradient.
  const inputs: Record<string, Tensor> = Object.fromEntries(
    Object.entries(network.inputs).map(([name, type]) => {
      return [name, masked(trace.input(name, type))];
    }),
  );
  const states = Object.entries(network.state ?? {});
  for (const [name, type] of states) inputs[name] = trace.input(stateName(name), type);
  const outputs = network.forward(inputs, scope);
  checkStates(outputs, states);
  // Padding says nothing on the way out either.
  const result = (tensor: Tensor) => (tensor.type.axes.includes("batch") ? masked(tensor) : tensor);
  return {
    trace,
    scope,
    inputs,
    outputs,
    /** Traced behind the loss, which reads the outputs as they are. */
    results: () => Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, result(tensor).id])),
  };
}

/** The name under which a carried state is fed, and its next value read. */
export function stateName(name: string): string {
  return `state.${name}`;
}

/** What is fed for the carried states of a call: 0 for those that are not given. */
export function stateFeeds(
  { state: types = {} }: Network,
  sizes: AxisSizes,
  given: Readonly<Record<string, Numbers>> = {},
): Readonly<Record<string, Numbers>> {
  return Object.fromEntries(
    Object.entries(types).map(([name, type]) => [
      stateName(name),
      given[name] ?? new Float32Array(elementCount(type, sizes)),
    ]),
  );
}

function checkStates(outputs: Tensors, states: readonly (readonly [string, TensorType])[]): void {
  for (const [name, type] of states) {
    const given = outputs[name]?.type;
    if (given !== undefined && sameType(given, type)) continue;
    throw new ShapeError({
      where: `network: the next state "${name}"`,
      given: given === undefined ? "missing" : formatType(given),
      expected: `${formatType(type)} among the outputs of forward`,
      mend: "return what the recurrence ends with under the name of the state",
    });
  }
}

/** An output that holds indices: of the rows of a table, or of classes. */
export interface IndexOutput {
  readonly output: string;
  /** 0 … count − 1 are legal. */
  readonly count: number;
  /** The input that the indices are, perhaps masked; undefined where they are computed. */
  readonly input: string | undefined;
}

/**
 * What a failed step is examined with: the gradient of each parameter by name, each forward scan's states stacked, and all
 * indices, of table rows and of classes.
 */
export function diagnosticProgram(network: Network): { readonly program: Program; readonly indices: IndexOutput[] } {
  const { parameters, loss } = traceNetwork(network, true);
  const trace = Trace.resume(loss.graph);
  const outputs: Record<string, NodeId> = { ...loss.outputs };
  const indices = indicesIn(loss.graph).map(({ index, count }, k): IndexOutput => {
    outputs[`indices.${k}`] = index;
    return { output: `indices.${k}`, count, input: inputBehind(loss.graph, index) };
  });
  loss.graph.nodes.forEach((node, position) => {
    if (node.kind !== "scan") return;
    const scan = position as NodeId; // The position in the list is the id.
    const first = node.body.outputs.length;
    const inBody = indicesIn(node.body.graph);
    const shown = [...node.body.next, ...inBody.map(({ index }) => index)];
    trace.builder.replaceScan(scan, { ...node, body: { ...node.body, outputs: [...node.body.outputs, ...shown] } });
    inBody.forEach(({ index, count }, k) => {
      const output = `indices.${scan}.${k}`;
      outputs[output] = trace.builder.add({
        kind: "pick",
        scan,
        port: "stacked",
        index: first + node.body.next.length + k,
      });
      indices.push({ output, count, input: inputBehind(loss.graph, outsideOf(node, index)) });
    });
    node.body.next.forEach((_, k) => {
      outputs[`states.${scan}.${k}`] = trace.builder.add({ kind: "pick", scan, port: "stacked", index: first + k });
    });
  });
  const weights = parameterNodes(loss, parameters);
  gradients(trace.builder, loss.outputs["loss"]!, [...weights.values()]).forEach((id, i) => {
    outputs[`gradient.${[...weights.keys()][i]}`] = id;
  });
  return { program: runPasses({ graph: trace.builder.finish(), outputs, updates: {} }, afterGradient), indices };
}

/** What `gather` reads rows by; and what a select gives NaN for unless it is whole and below a number: the classes of crossEntropy. */
function indicesIn(graph: Graph): { readonly index: NodeId; readonly count: number }[] {
  const nodeOf = (id: NodeId) => graph.nodes[id]!;
  const factors = (id: NodeId): Node[] => {
    const node = nodeOf(id);
    return node.kind === "mul" ? [...factors(node.a), ...factors(node.b)] : [node];
  };
  return graph.nodes.flatMap((node) => {
    if (node.kind === "gather") return [{ index: node.index, count: graph.types[node.table]!.shape[0]! }];
    const otherwise = node.kind === "select" ? nodeOf(node.b) : undefined;
    if (node.kind !== "select" || otherwise?.kind !== "literal" || !Number.isNaN(otherwise.value)) return [];
    const conditions = factors(node.condition);
    const whole = conditions.flatMap((condition) => (condition.kind === "equal" ? [condition.a] : []));
    return conditions.flatMap((condition) => {
      const bound = condition.kind === "less" ? nodeOf(condition.b) : undefined;
      const isIndex = condition.kind === "less" && bound?.kind === "literal" && whole.includes(condition.a);
      return isIndex ? [{ index: condition.a, count: bound.value }] : [];
    });
  });
}

/** The node outside a scan that a node of its body stands for, if it does. */
function outsideOf(scan: ScanNode, id: NodeId): NodeId | undefined {
  const node = scan.body.graph.nodes[id]!;
  if (node.kind === "element") return scan.sequences[node.index];
  return node.kind === "captured" ? scan.captured[node.index] : undefined;
}

function inputBehind(graph: Graph, id: NodeId | undefined): string | undefined {
  const node = id === undefined ? undefined : graph.nodes[id];
  if (node?.kind === "input") return node.name;
  if (node?.kind === "select") return inputBehind(graph, node.a); // Padding and what is masked are selected away.
  return node?.kind === "reshape" || node?.kind === "broadcast" ? inputBehind(graph, node.x) : undefined;
}
