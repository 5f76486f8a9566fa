/** From a network to its programs: predict, evaluate, and one whole training step. */
import { gradients } from "../autodiff/gradient.ts";
import type { Axis, TensorType } from "../base/shapes.ts";
import { scalarType } from "../base/shapes.ts";
import { afterGradient, beforeGradient, runPasses } from "../compile/pipeline.ts";
import type { Graph, Node, NodeId, Program, ScanNode } from "../ir/nodes.ts";
import {
  abs,
  add,
  broadcast,
  div,
  lengthMask,
  less,
  mul,
  select,
  sqrt,
  square,
  sub,
  sumAll,
} from "../trace/operations.ts";
import { type ParameterSpec, Scope } from "../trace/scope.ts";
import { type Tensor, Trace } from "../trace/tensor.ts";
import { type Clipping, clip } from "./clipping.ts";
import { separateCount } from "./count.ts";
import type { Optimizer } from "./optimizers/optimizer.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** A network as functions over symbolic tensors. Plain data in, plain data out: it holds no weights. */
export interface Network {
  /** What a batch holds, targets too: { x: sequenceType(7), y: vectorType(24) }. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  /** Axes whose true lengths are fed as "lengths" (or "lengths.AXIS" for others than time), [batch, 1]. Default: none. */
  readonly variableLengths?: readonly Axis[];
  /** Named results of the network. It may read every input, but `predict` needs only what it does read. */
  readonly forward: (inputs: Tensors, scope: Scope) => Tensors;
  /** One number [1] to make small. */
  readonly loss: (outputs: Tensors, inputs: Tensors, scope: Scope) => Tensor;
}

export interface TrainingOptions {
  readonly optimizer: Optimizer;
  readonly clipping?: Clipping;
  /** Keep an exponential moving average of the weights beside them (Polyak averaging). Default false. */
  readonly averaging?: boolean;
}

export interface NetworkPrograms {
  readonly parameters: readonly ParameterSpec[];
  readonly predict: Program;
  readonly evaluate: Program;
  readonly train: Program;
}

/** Sees a program after each pass, by the name of the program and of the pass. */
export type Watch = (program: string, pass: string, after: Program) => void;

export function buildPrograms(network: Network, training: TrainingOptions, watch?: Watch): NetworkPrograms {
  const still = traceNetwork(network, false);
  const noisy = traceNetwork(network, true);
  const optimized = (name: string, program: Program, passes = beforeGradient) =>
    runPasses(program, passes, watch === undefined ? undefined : (pass, after) => watch(name, pass, after));
  watch?.("train", "trace", noisy.loss);
  return {
    parameters: still.parameters,
    predict: optimized("predict", still.outputs),
    evaluate: optimized("evaluate", still.loss),
    train: optimized(
      "train",
      withUpdates(optimized("train", noisy.loss), noisy.parameters, training, watch),
      afterGradient,
    ),
  };
}

/** The name under which lengths along an axis are fed. */
export function lengthsInput(axis: Axis): string {
  return axis === "time" ? "lengths" : `lengths.${axis}`;
}

export interface TracedNetwork {
  readonly parameters: readonly ParameterSpec[];
  readonly outputs: Program;
  readonly loss: Program;
  /** Of each recurrence of the program. */
  readonly stateNames: ReadonlyMap<NodeId, readonly string[]>;
}

/** The equations of a network, before any pass; `training` turns dropout and its kind on. */
export function traceNetwork(network: Network, training: boolean): TracedNetwork {
  const trace = new Trace();
  const axes = network.variableLengths ?? [];
  const lengths = Object.fromEntries(
    axes.map((axis) => [axis, trace.input(lengthsInput(axis), { axes: ["batch"], shape: [1] })]),
  );
  const seed = trace.input("seed", scalarType);
  const scope = new Scope({ trace, training, seed, lengths });
  // Padding is replaced by zeros where it enters: whatever it holds, NaN included, reaches neither result nor gradient.
  const inputs = Object.fromEntries(
    Object.entries(network.inputs).map(([name, type]) => {
      const fed = trace.input(name, type);
      const axis = type.axes.find((candidate) => lengths[candidate] !== undefined);
      return [name, axis === undefined ? fed : select(lengthMask(lengths[axis]!, axis), fed, 0)];
    }),
  );
  const outputs = network.forward(inputs, scope);
  const loss = network.loss(outputs, inputs, scope);
  const graph = trace.builder.finish();
  const ids = Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.id]));
  return {
    parameters: scope.parameters,
    outputs: { graph, outputs: ids, updates: {} },
    loss: { graph, outputs: { loss: loss.id }, updates: {} },
    stateNames: trace.stateNames,
  };
}

/** Name under which an optimizer keeps an accumulator of a weight. */
export function accumulatorName(accumulator: string, parameter: string): string {
  return `optimizer.${accumulator}.${parameter}`;
}

/** Name under which the moving average of a weight is kept. */
export function averageName(parameter: string): string {
  return `average.${parameter}`;
}

/** The gradient of every parameter, its norm, clipping and the optimizer's update, behind the loss. */
function withUpdates(
  program: Program,
  parameters: readonly ParameterSpec[],
  { optimizer, clipping = {}, averaging = false }: TrainingOptions,
  watch?: Watch,
): Program {
  const trace = Trace.resume(program.graph);
  const weights = parameterNodes(program, parameters);
  const { sum, count } = separateCount(trace.builder, program.outputs["loss"]!, new Set(weights.values()));
  const gradientTensors = gradients(trace.builder, sum, [...weights.values()]).map((id) => {
    const ofSum = trace.tensor(id);
    return count === undefined ? ofSum : div(ofSum, trace.tensor(count));
  });
  watch?.("train", "gradient", { graph: trace.builder.finish(), outputs: program.outputs, updates: {} });

  const norm = sqrt(gradientTensors.map((gradient) => sumAll(square(gradient))).reduce((sum, part) => add(sum, part)));
  const clipped = clip(gradientTensors, norm, clipping);
  const learningRate = trace.input("learningRate", scalarType);
  const scalars = Object.fromEntries(
    Object.keys(optimizer.scalars(1)).map((name) => [name, trace.input(name, scalarType)]),
  );
  // A step whose loss or gradient is not finite changes nothing, so that the weights can still be looked at and saved.
  const bounded = (x: Tensor) => less(abs(x), Number.POSITIVE_INFINITY);
  const finite = mul(bounded(norm), bounded(trace.tensor(program.outputs["loss"]!)));
  const decay = averaging ? trace.input("averageDecay", scalarType) : undefined;
  const updates: Record<string, NodeId> = {};
  [...weights].forEach(([name, id], i) => {
    const weight = trace.tensor(id);
    const accumulators = Object.fromEntries(
      optimizer.accumulators.map((accumulator) => [
        accumulator,
        trace.param(accumulatorName(accumulator, name), weight.type.shape),
      ]),
    );
    const next = optimizer.update(weight, clipped[i]!, accumulators, { learningRate, scalars });
    const guarded = (value: Tensor, old: Tensor) => broadcast(select(finite, value, old), old.type).id;
    updates[name] = guarded(next.weight, weight);
    if (decay !== undefined) {
      const average = trace.param(averageName(name), weight.type.shape);
      updates[averageName(name)] = guarded(add(mul(decay, average), mul(sub(1, decay), next.weight)), average);
    }
    for (const [accumulator, old] of Object.entries(accumulators)) {
      updates[accumulatorName(accumulator, name)] = guarded(next.accumulators[accumulator]!, old);
    }
  });
  return { graph: trace.builder.finish(), outputs: { ...program.outputs, gradientNorm: norm.id }, updates };
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

/** The trainable parameters that a program reads. */
function parameterNodes(program: Program, parameters: readonly ParameterSpec[]): Map<string, NodeId> {
  const ids = new Map<string, NodeId>();
  program.graph.nodes.forEach((node, id) => {
    if (node.kind === "param") ids.set(node.name, id as NodeId); // The position in the list is the id.
  });
  // A declared parameter that the loss does not read, or that is to stay as it began, has no gradient and no update.
  return new Map(
    parameters.flatMap(({ name, trainable }) => (trainable && ids.has(name) ? [[name, ids.get(name)!] as const] : [])),
  );
}
