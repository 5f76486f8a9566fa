/** From a network to its programs: predict, evaluate, and one whole training step. */
import { gradients } from "../autodiff/gradient.ts";
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
import { afterGradient, beforeGradient, runPasses } from "../compile/pipeline.ts";
import type { Numbers } from "../compile/tensors.ts";
import type { Graph, Node, NodeId, Program, ScanNode } from "../ir/nodes.ts";
import { cut } from "../optimize/cut.ts";
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
import { type LayerRecord, type ParameterSpec, Scope } from "../trace/scope.ts";
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

export interface TrainingOptions {
  readonly optimizer: Optimizer;
  readonly clipping?: Clipping;
  /** Keep an average of the weights beside them. Default false. */
  readonly averaging?: boolean;
  /** Gradients are gathered over several batches before they are applied. Default false. */
  readonly accumulation?: boolean;
}

export type ProgramName = "predict" | "evaluate" | "train";

export interface NetworkPrograms extends Readonly<Record<ProgramName, Program>> {
  readonly parameters: readonly ParameterSpec[];
  /** One whole step; with accumulation it gathers only. */
  readonly train: Program;
  /** With accumulation: takes the step with what was gathered. */
  readonly apply?: Program;
  /**
   * The same programs, but for `apply`, cut into segments along an axis: they keep less and, for the gradient, compute it again.
   * Undefined when the axis cannot be cut.
   */
  readonly inSegments: (axis: Axis) => Readonly<Record<ProgramName, Program>> | undefined;
}

/** Sees a program after each pass, by the name of the program and of the pass. */
export type Watch = (program: string, pass: string, after: Program) => void;

export function buildPrograms(network: Network, training: TrainingOptions, watch?: Watch): NetworkPrograms {
  const still = traceNetwork(network, false);
  const noisy = traceNetwork(network, true);
  const optimized = (name: string, program: Program, passes = beforeGradient) =>
    runPasses(program, passes, watch === undefined ? undefined : (pass, after) => watch(name, pass, after));
  watch?.("train", "trace", noisy.loss);
  const { parameters } = noisy;
  const forward = {
    predict: optimized("predict", still.outputs),
    evaluate: optimized("evaluate", still.loss),
    train: optimized("train", noisy.loss),
  };
  const trained = (name: string, loss: Program) => {
    const step =
      training.accumulation === true
        ? gathering(loss, parameters)
        : withUpdates(name, loss, parameters, training, watch);
    return optimized(name, step, afterGradient);
  };
  return {
    parameters: still.parameters,
    ...forward,
    train: trained("train", forward.train),
    ...(training.accumulation === true
      ? { apply: optimized("apply", applying(forward.train, parameters, training), afterGradient) }
      : {}),
    inSegments(axis) {
      const predict = cut(forward.predict, axis);
      const evaluate = cut(forward.evaluate, axis);
      const train = cut(forward.train, axis);
      if (predict === undefined || evaluate === undefined || train === undefined) return undefined;
      watch?.("train in segments", "cut", train);
      return { predict, evaluate, train: trained("train in segments", train) };
    },
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
  name: string,
  program: Program,
  parameters: readonly ParameterSpec[],
  training: TrainingOptions,
  watch?: Watch,
): Program {
  const trace = Trace.resume(program.graph);
  const weights = parameterNodes(program, parameters);
  const { sum, count } = separateCount(trace.builder, program.outputs["loss"]!, new Set(weights.values()));
  const gradientTensors = gradients(trace.builder, sum, [...weights.values()]).map((id) => {
    const ofSum = trace.tensor(id);
    return count === undefined ? ofSum : div(ofSum, trace.tensor(count));
  });
  watch?.(name, "gradient", { graph: trace.builder.finish(), outputs: program.outputs, updates: {} });
  const named = new Map([...weights].map(([name, id]) => [name, trace.tensor(id)]));
  const { norm, updates } = update(trace, named, gradientTensors, trace.tensor(program.outputs["loss"]!), training);
  return { graph: trace.builder.finish(), outputs: { ...program.outputs, gradientNorm: norm.id }, updates };
}

const gathered = {
  count: "gathered.count",
  loss: "gathered.loss",
  of: (parameter: string) => `gathered.${parameter}.gradient`,
};

/**
 * Adds gradient, loss and count of a batch to what is gathered. Sums are added, not means: k batches make exactly the mean of one
 * batch of all their rows. A loss that is no sum over a count counts as 1 for each batch.
 */
function gathering(program: Program, parameters: readonly ParameterSpec[]): Program {
  const trace = Trace.resume(program.graph);
  const weights = parameterNodes(program, parameters);
  const { sum, count } = separateCount(trace.builder, program.outputs["loss"]!, new Set(weights.values()));
  const parts = gradients(trace.builder, sum, [...weights.values()]);
  const updates: Record<string, NodeId> = {};
  const gather = (name: string, part: Tensor, shape: readonly number[]) => {
    updates[name] = broadcast(add(trace.param(name, shape), part), { axes: [], shape }).id;
  };
  [...weights].forEach(([name, id], i) => {
    gather(gathered.of(name), trace.tensor(parts[i]!), trace.tensor(id).type.shape);
  });
  gather(gathered.loss, trace.tensor(sum), [1]);
  gather(gathered.count, count === undefined ? trace.literal(1) : trace.tensor(count), [1]);
  return { graph: trace.builder.finish(), outputs: program.outputs, updates };
}

/** The step with what was gathered, which begins anew. */
function applying(program: Program, parameters: readonly ParameterSpec[], training: TrainingOptions): Program {
  const trace = new Trace();
  const shapes = [...parameterNodes(program, parameters)].map(
    ([name, id]) => [name, program.graph.types[id]!.shape] as const,
  );
  const count = trace.param(gathered.count, [1]);
  const loss = div(trace.param(gathered.loss, [1]), count);
  const weights = new Map(shapes.map(([name, shape]) => [name, trace.param(name, shape)]));
  const sums = shapes.map(([name, shape]) => trace.param(gathered.of(name), shape));
  const { norm, updates } = update(
    trace,
    weights,
    sums.map((sum) => div(sum, count)),
    loss,
    training,
  );
  const empty = [gathered.count, gathered.loss, ...shapes.map(([name]) => gathered.of(name))].map((name, i) => {
    const shape = i < 2 ? [1] : shapes[i - 2]![1];
    return [name, trace.builder.zeros({ axes: [], shape })] as const;
  });
  return {
    graph: trace.builder.finish(),
    outputs: { loss: loss.id, gradientNorm: norm.id },
    updates: { ...updates, ...Object.fromEntries(empty) },
  };
}

/** The norm of the gradient, and the new value of every weight, average and accumulator. */
function update(
  trace: Trace,
  weights: ReadonlyMap<string, Tensor>,
  gradientTensors: readonly Tensor[],
  loss: Tensor,
  { optimizer, clipping = {}, averaging = false }: TrainingOptions,
): { readonly norm: Tensor; readonly updates: Readonly<Record<string, NodeId>> } {
  // A network may have nothing to train: a reservoir whose readout is fitted in closed form.
  const norm = sqrt(
    gradientTensors.map((gradient) => sumAll(square(gradient))).reduce((sum, part) => add(sum, part), trace.literal(0)),
  );
  const clipped = clip(gradientTensors, norm, clipping);
  const learningRate = trace.input("learningRate", scalarType);
  const scalars = Object.fromEntries(
    Object.keys(optimizer.scalars(1)).map((name) => [name, trace.input(name, scalarType)]),
  );
  // A step whose loss or gradient is not finite changes nothing, so that the weights can still be looked at and saved.
  const bounded = (x: Tensor) => less(abs(x), Number.POSITIVE_INFINITY);
  const finite = mul(bounded(norm), bounded(loss));
  const decay = averaging ? trace.input("averageDecay", scalarType) : undefined;
  const updates: Record<string, NodeId> = {};
  [...weights].forEach(([name, weight], i) => {
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
      updates[accumulatorName(accumulator, name)] = guarded(withoutTraces(next.accumulators[accumulator]!), old);
    }
  });
  return { norm, updates };
}

/** Averages of a gradient that has become 0 shrink for ever; below the normal numbers, where arithmetic is slow, they are 0. */
function withoutTraces(x: Tensor): Tensor {
  return select(less(abs(x), 2 ** -126), 0, x);
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
