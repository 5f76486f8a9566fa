/** One training step behind a loss: its gradient, the norm, clipping, and the optimizer's update of every weight. */
import { gradients } from "../autodiff/gradient.ts";
import { product, scalarType } from "../base/shapes.ts";
import type { ParamPart } from "../compile/executable.ts";
import { afterGradient, runPasses } from "../compile/pipeline.ts";
import type { NodeId, Program } from "../ir/nodes.ts";
import { joined, type Together, weightsTogether } from "../optimize/together.ts";
import {
  abs,
  add,
  broadcast,
  div,
  less,
  mul,
  reshape,
  select,
  sqrt,
  square,
  sub,
  sumAll,
  sumFeatures,
} from "../trace/operations.ts";
import type { ParameterSpec } from "../trace/scope.ts";
import { type Tensor, Trace } from "../trace/tensor.ts";
import { type Clipping, clip } from "./clipping.ts";
import { separateCount } from "./count.ts";
import type { Optimizer } from "./optimizers/optimizer.ts";

export interface TrainingOptions {
  readonly optimizer: Optimizer;
  readonly clipping?: Clipping;
  /** Keep an average of the weights beside them. Default false. */
  readonly averaging?: boolean;
  /** Gradients are gathered over several batches before they are applied. Default false. */
  readonly accumulation?: boolean;
  /** Weights are parts of one parameter, as are their accumulators: a step has far fewer nodes. Default false: each is its own. */
  readonly together?: boolean;
}

/** Sees a program after each pass, by the name of the pass. */
export type WatchPass = (pass: string, after: Program) => void;

/** Name under which an optimizer keeps an accumulator of a weight. */
export function accumulatorName(accumulator: string, parameter: string): string {
  return `optimizer.${accumulator}.${parameter}`;
}

/** Name under which the moving average of a weight is kept. */
export function averageName(parameter: string): string {
  return `average.${parameter}`;
}

/** The parameter that holds all weights, where they lie together: no scope has names with brackets. */
export const allWeights = "(weights)";

const gathered = {
  count: "gathered.count",
  loss: "gathered.loss",
  of: (parameter: string) => `gathered.${parameter}.gradient`,
};

/** What training keeps beside these weights: names and shapes. */
export function keptByTraining(
  weights: ReadonlyMap<string, readonly number[]>,
  { optimizer, averaging = false, accumulation = false }: TrainingOptions,
): ReadonlyMap<string, readonly number[]> {
  const ofEach = [...weights].flatMap(([name, shape]) =>
    [
      ...optimizer.accumulators.map((accumulator) => accumulatorName(accumulator, name)),
      ...(averaging ? [averageName(name)] : []),
      ...(accumulation ? [gathered.of(name)] : []),
    ].map((kept) => [kept, shape] as const),
  );
  return new Map([
    ...ofEach,
    ...(accumulation ? [gathered.loss, gathered.count] : []).map((name) => [name, [1]] as const),
  ]);
}

/** Each weight, and what training keeps beside it, as a part of the parameter that holds all of its kind. */
export function partsOf(
  { name: whole, places }: Together,
  { optimizer, averaging = false }: TrainingOptions,
): ReadonlyMap<string, ParamPart> {
  const kinds = [
    (name: string) => name,
    ...optimizer.accumulators.map((accumulator) => (name: string) => accumulatorName(accumulator, name)),
    ...(averaging ? [averageName] : []),
  ];
  return new Map(
    [...places].flatMap(([name, { offset, shape }]) =>
      kinds.map((named) => [named(name), { of: named(whole), offset, count: product(shape) }] as const),
    ),
  );
}

/**
 * The step behind a program that has the loss; with accumulation it gathers only. What the optimizer adds comes behind the passes: they
 * have nothing to improve there, and it has dozens of nodes for each weight.
 */
export function trainingStep(
  program: Program,
  parameters: readonly ParameterSpec[],
  training: TrainingOptions,
  together?: Together,
  watch?: WatchPass,
): Program {
  const differentiated = differentiate(program, parameters, watch);
  const step =
    training.accumulation === true ? gathering(differentiated, together) : updating(differentiated, training, together);
  const placed = together === undefined ? step : weightsTogether(step, together);
  watch?.("update", placed);
  return placed;
}

interface Differentiated {
  readonly trace: Trace;
  readonly outputs: Program["outputs"];
  readonly weights: ReadonlyMap<string, Tensor>;
  /** loss = sum / count; no count where none could be taken out. */
  readonly sum: Tensor;
  readonly count: Tensor | undefined;
  /** Of the sum, in the order of the weights. */
  readonly gradients: readonly Tensor[];
}

/** The gradient of a loss, after all passes. */
function differentiate(program: Program, parameters: readonly ParameterSpec[], watch?: WatchPass): Differentiated {
  const { builder } = Trace.resume(program.graph);
  const trainable = parameterNodes(program, parameters);
  const { sum, count } = separateCount(builder, program.outputs["loss"]!, new Set(trainable.values()));
  const ofSum = gradients(builder, sum, [...trainable.values()]);
  const named = {
    ...program.outputs,
    sum,
    ...(count === undefined ? {} : { count }),
    ...Object.fromEntries(ofSum.map((id, i) => [`gradient.${i}`, id])),
  };
  const raw = { graph: builder.finish(), outputs: named, updates: {} };
  watch?.("gradient", raw);
  const { graph, outputs } = runPasses(raw, afterGradient, watch);
  const trace = Trace.resume(graph);
  const tensor = (name: string) => trace.tensor(outputs[name]!);
  return {
    trace,
    outputs: Object.fromEntries(Object.keys(program.outputs).map((name) => [name, outputs[name]!])),
    weights: new Map([...parameterNodes({ graph }, parameters)].map(([name, id]) => [name, trace.tensor(id)])),
    sum: tensor("sum"),
    count: count === undefined ? undefined : tensor("count"),
    gradients: ofSum.map((_, i) => tensor(`gradient.${i}`)),
  };
}

function updating(differentiated: Differentiated, training: TrainingOptions, together: Together | undefined): Program {
  const { trace, outputs, count } = differentiated;
  const { weights, gradients } = asUpdated(differentiated, together);
  const share = count === undefined ? undefined : div(1, count);
  const means = gradients.map((ofSum) => (share === undefined ? ofSum : mul(ofSum, share)));
  const { norm, updates } = update(trace, weights, means, trace.tensor(outputs["loss"]!), training, together);
  return { graph: trace.builder.finish(), outputs: { ...outputs, gradientNorm: norm.id }, updates };
}

/**
 * Adds gradient, loss and count of a batch to what is gathered. Sums are added, not means: k batches make exactly the mean of one
 * batch of all their rows. A loss that is no sum over a count counts as 1 for each batch.
 */
function gathering(differentiated: Differentiated, together: Together | undefined): Program {
  const { trace, outputs, sum, count } = differentiated;
  const { weights, gradients } = asUpdated(differentiated, together);
  const updates: Record<string, NodeId> = {};
  const gather = (name: string, part: Tensor, shape: readonly number[]) => {
    updates[name] = broadcast(add(trace.param(name, shape), part), { axes: [], shape }).id;
  };
  [...weights].forEach(([name, weight], i) => {
    gather(gathered.of(name), gradients[i]!, weight.type.shape);
  });
  gather(gathered.loss, sum, [1]);
  gather(gathered.count, count ?? trace.literal(1), [1]);
  return { graph: trace.builder.finish(), outputs, updates };
}

/** Weights and gradients as an optimizer sees them: each, or all of them as one. */
function asUpdated(
  { trace, weights, gradients }: Differentiated,
  together: Together | undefined,
): Pick<Differentiated, "weights" | "gradients"> {
  if (together === undefined || weights.size === 0) return { weights, gradients };
  const named = new Map([...weights.keys()].map((name, i) => [name, gradients[i]!.id]));
  return {
    weights: new Map([[together.name, trace.param(together.name, together.shape)]]),
    gradients: [trace.tensor(joined(trace.builder, named, together))],
  };
}

/** The step with what was gathered for these weights, which begins anew. `shapes`: of each weight, or of all together. */
export function applyGathered(
  shapes: ReadonlyMap<string, readonly number[]>,
  training: TrainingOptions,
  together?: Together,
): Program {
  const trace = new Trace();
  const count = trace.param(gathered.count, [1]);
  const share = div(1, count);
  const loss = div(trace.param(gathered.loss, [1]), count);
  const weights = new Map([...shapes].map(([name, shape]) => [name, trace.param(name, shape)]));
  const means = [...shapes].map(([name, shape]) => mul(trace.param(gathered.of(name), shape), share));
  const { norm, updates } = update(trace, weights, means, loss, training, together);
  const zeros = (shape: readonly number[]) => trace.builder.zeros({ axes: [], shape });
  const empty = [
    [gathered.count, zeros([1])],
    [gathered.loss, zeros([1])],
    ...[...shapes].map(([name, shape]) => [gathered.of(name), zeros(shape)]),
  ];
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
  together: Together | undefined,
): { readonly norm: Tensor; readonly updates: Readonly<Record<string, NodeId>> } {
  // A network may have nothing to train: a reservoir whose readout is fitted in closed form.
  const norm = sqrt(gradientTensors.map(sumOfSquares).reduce((sum, part) => add(sum, part), trace.literal(0)));
  const learningRate = trace.input("learningRate", scalarType);
  const scalars = Object.fromEntries(
    Object.keys(optimizer.scalars(1)).map((name) => [name, trace.input(name, scalarType)]),
  );
  // A step whose loss or gradient is not finite changes nothing, so that the weights can still be looked at and saved.
  const bounded = (x: Tensor) => less(abs(x), Number.POSITIVE_INFINITY);
  const finite = mul(bounded(norm), bounded(loss));
  // What does not wait for the norm would be computed beside it, stored, and read again; so all of it waits.
  const waits = select(finite, 1, 0);
  const clipped = clip(gradientTensors, norm, clipping, together).map((gradient) => mul(gradient, waits));
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

/** Of a matrix row by row, and only then of the rows: each row can be computed by itself. Reshaped, the two sums stay two. */
function sumOfSquares(x: Tensor): Tensor {
  const squares = square(x);
  if (squares.type.shape.length < 2) return sumAll(squares);
  const rows = product(squares.type.shape.slice(0, -1));
  return sumAll(reshape(sumFeatures(squares), rows));
}

/** Averages of a gradient that has become 0 shrink for ever; below the normal numbers, where arithmetic is slow, they are 0. */
function withoutTraces(x: Tensor): Tensor {
  return select(less(abs(x), 2 ** -126), 0, x);
}

/** The trainable parameters that a program reads. */
export function parameterNodes(
  { graph }: Pick<Program, "graph">,
  parameters: readonly ParameterSpec[],
): Map<string, NodeId> {
  const ids = new Map<string, NodeId>();
  graph.nodes.forEach((node, id) => {
    if (node.kind === "param") ids.set(node.name, id as NodeId); // The position in the list is the id.
  });
  // A declared parameter that the loss does not read, or that is to stay as it began, has no gradient and no update.
  return new Map(
    parameters.flatMap(({ name, trainable }) => (trainable && ids.has(name) ? [[name, ids.get(name)!] as const] : [])),
  );
}
