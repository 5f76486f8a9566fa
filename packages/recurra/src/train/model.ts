/** A compiled network with its weights: predicts, evaluates and takes training steps, one call into the module each. */
import { nearest, OptionError, ShapeError } from "../base/errors.ts";
import { createRandom, mix32 } from "../base/random.ts";
import { type Axis, type AxisSizes, product } from "../base/shapes.ts";
import { Executable, type Footprint, type Numbers, type Planned } from "../compile/executable.ts";
import { drawWeight } from "../init/initializers.ts";
import type { ParameterSpec } from "../trace/scope.ts";
import type { Clipping } from "./clipping.ts";
import { adam } from "./optimizers/adam.ts";
import type { Optimizer } from "./optimizers/optimizer.ts";
import { buildPrograms, type Network, stateFeeds, stateName, type Watch } from "./programs.ts";
import { accumulatorName, averageName } from "./step.ts";
import { Stream, type StreamOptions } from "./stream.ts";

/** One batch: the size of every axis, and the numbers of every input as [batch, time, features]. */
export interface Batch {
  readonly sizes: AxisSizes;
  readonly inputs: Readonly<Record<string, Numbers>>;
  /** States that the network carries, from the result of the call before. Those that are missing are 0. */
  readonly state?: CarriedState;
}

/** Values of carried states by name. */
export type CarriedState = Readonly<Record<string, Float32Array>>;

export interface ModelOptions {
  /** Weights, shuffling and dropout follow from it. Default 1. */
  readonly seed?: number;
  /** Default Adam. */
  readonly optimizer?: Optimizer;
  readonly clipping?: Clipping;
  /**
   * Keep a moving average of the weights with this decay, between 0 and 1; training validates and keeps the average. It rises
   * to the decay as min(decay, (1 + t) / (10 + t)). Default: none.
   */
  readonly averageDecay?: number;
  /**
   * Keep the equal average of the weights from step `from` on, taken every `every` steps, default 1 (stochastic weight averaging,
   * Izmailov et al. 2018, arXiv:1803.05407); training validates and keeps the average. Not together with `averageDecay`.
   */
  readonly stochasticAverage?: StochasticAverage;
  /** Let a step gather the gradients of several batches: `trainStep` then takes any number of them. Default false. */
  readonly accumulation?: boolean;
  /** The same bits on every machine, at some cost in speed. Default false. */
  readonly strict?: boolean;
  /** At most this many threads; the bits do not depend on it. Default: one per processor, or RECURRA_THREADS. */
  readonly threads?: number;
  /**
   * Bytes that a batch may take with everything that is computed for it. Where keeping all that the gradient needs would take
   * more, long sequences are cut into segments: only the states between them are kept, and the rest is computed again, which
   * takes about a third more time. Default 4 GiB, which is all that WebAssembly can address, and segments from 2 GiB on.
   */
  readonly memoryLimit?: number;
  /** Sees the training program after each pass. */
  readonly watch?: Watch;
}

export interface StochasticAverage {
  readonly from: number;
  readonly every?: number;
}

export interface StepResult {
  readonly loss: number;
  /** Of the whole gradient, before clipping. */
  readonly gradientNorm: number;
  /** States that the network carries, after the last batch; empty when it carries none. */
  readonly state: CarriedState;
}

/** What a model of some sizes takes. */
export interface ModelPlan extends Omit<Planned, "multiplyAdds"> {
  /** Numbers that training changes or that begin as given. */
  readonly parameters: number;
  /** Of the matrix products: of a prediction for each timestep of each row, of a whole prediction, of a whole training step. */
  readonly multiplyAdds: { readonly perTimestep: number; readonly predict: number; readonly train: number };
}

/** Weights by name, row-major. */
export type Weights = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** What training needs besides the weights to go on: `steps` counts the optimizer's steps. */
export interface OptimizerState {
  readonly steps: number;
  /** By the names of their parameters: "optimizer.m.w", and "average.w" where a moving average is kept. */
  readonly accumulators: Weights;
}

export class Model {
  readonly network: Network;
  readonly seed: number;
  readonly optimizer: Optimizer;
  readonly clipping: Clipping;
  readonly parameters: readonly ParameterSpec[];
  /** Whether a step may gather the gradients of several batches. */
  readonly accumulation: boolean;
  readonly #executable: Executable;
  readonly #averaging: { readonly decayAt: (step: number) => number } | undefined;
  readonly #strict: boolean;
  #steps = 0;

  constructor(network: Network, options: ModelOptions = {}) {
    const { seed = 1, optimizer = adam(), clipping = {}, strict = false, threads, memoryLimit, watch } = options;
    this.#averaging = averagingOf(options);
    const averaging = this.#averaging !== undefined;
    this.accumulation = options.accumulation ?? false;
    const training = { optimizer, clipping, averaging, accumulation: this.accumulation, together: true };
    const { parameters, byName, stored, parts, inSegments } = buildPrograms(network, training, watch);
    this.#strict = strict;
    this.network = network;
    this.seed = seed;
    this.optimizer = optimizer;
    this.clipping = clipping;
    this.parameters = parameters;
    this.#executable = new Executable(byName, {
      strict,
      params: stored,
      parts,
      inSegments,
      ...(threads === undefined ? {} : { threads }),
      ...(memoryLimit === undefined ? {} : { memoryLimit }),
    });
    const random = createRandom(seed);
    for (const parameter of parameters)
      if (this.#executable.params.has(parameter.name))
        this.#executable.changeParam(parameter.name, (values) => drawWeight(values, parameter, random));
    this.#beginAverages();
  }

  get parameterCount(): number {
    return this.parameters.reduce((sum, { shape }) => sum + product(shape), 0);
  }

  /** Training steps taken. */
  get steps(): number {
    return this.#steps;
  }

  /** Bytes of memory, temporaries and module, the kernels in use ("plain", "relaxed" or "native avx512" and its kind), and whether sequences are cut. */
  get footprint(): Footprint {
    return this.#executable.footprint;
  }

  /**
   * What predictions, evaluations and training steps of these sizes take, were they the largest, without doing any: parameters,
   * operations, bytes, kernels and threads. `measureSteps` has the time.
   * @throws ShapeError when an axis has no size, UnsupportedError when they would not fit in memory.
   */
  plan(sizes: AxisSizes): ModelPlan {
    const { multiplyAdds, ...planned } = this.#executable.plan(sizes);
    const { predict = 0, train = 0 } = multiplyAdds;
    const timesteps = (sizes["batch"] ?? 1) * (sizes["time"] ?? 1);
    const perTimestep = timesteps === 0 ? 0 : predict / timesteps;
    return { ...planned, parameters: this.parameterCount, multiplyAdds: { perTimestep, predict, train } };
  }

  /**
   * With variable lengths: the axis whose padding is neither kept nor computed, or why all steps of all rows are ("" without
   * lengths). Results do not depend on it, time does.
   */
  packing(program: "predict" | "evaluate" | "train"): { readonly axis: Axis } | { readonly reason: string } {
    return this.#executable.packing(program);
  }

  /** Threads that would take part in a large call now. Workers join a model after its first large call, once they have compiled it. */
  threadsReady(): number {
    return this.#executable.threadsReady;
  }

  /** Named outputs of the network, each as [batch, time, features]. */
  predict(batch: Batch): Readonly<Record<string, Float32Array<ArrayBuffer>>> {
    this.#call("predict", batch, { seed: this.maskSeed() });
    return Object.fromEntries(
      this.#executable.outputs("predict").map((name) => [name, this.#executable.output("predict", name, batch.sizes)]),
    );
  }

  /**
   * The network as it is now, to be advanced one timestep at a time. Later changes of the weights do not reach the stream.
   * @throws UnsupportedError when an output needs later timesteps: layers that run backward, sums over all of time.
   */
  stream(options: StreamOptions = {}): Stream {
    const source = { network: this.network, parameters: this.parameters, weights: this.weights() };
    return new Stream({ ...source, seed: this.maskSeed(), strict: this.#strict }, options);
  }

  /** The loss without dropout. */
  evaluate(batch: Batch): number {
    return this.evaluateWithState(batch).loss;
  }

  /** The loss without dropout, and the states that the network carries. */
  evaluateWithState(batch: Batch): { readonly loss: number; readonly state: CarriedState } {
    this.#call("evaluate", batch, { seed: this.maskSeed() });
    return { loss: this.#executable.scalar("evaluate", "loss"), state: this.#carried("evaluate", batch) };
  }

  /** The states after the batch, from those it is given, with the weights as they are. */
  advance(batch: Batch): CarriedState {
    const outputs = this.predict(batch);
    return Object.fromEntries(Object.keys(this.network.state ?? {}).map((name) => [name, outputs[name]!]));
  }

  /**
   * One step of the optimizer, with the mean over all rows of the batches. When loss or gradient are not finite nothing changes:
   * look at the result. Several batches need `accumulation`; each is done with before the next is asked for.
   */
  trainStep(batches: Batch | Iterable<Batch>, learningRate: number): StepResult {
    const step = this.#steps + 1;
    const scalars: Record<string, number> = {
      seed: this.maskSeed(),
      learningRate,
      ...this.optimizer.scalars(step),
    };
    if (this.#averaging !== undefined) scalars["averageDecay"] = this.#averaging.decayAt(step);
    let state = noStates;
    if ("sizes" in batches) state = this.#trainOn(batches, 0, scalars);
    else {
      let part = 0;
      for (const batch of batches) state = this.#trainOn(batch, part++, scalars);
    }
    if (this.accumulation) this.#executable.call("apply", {}, {}, scalars);
    const from = this.accumulation ? "apply" : "train";
    const loss = this.#executable.scalar(from, "loss");
    const gradientNorm = this.#executable.scalar(from, "gradientNorm");
    if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) this.#steps = step;
    return { loss, gradientNorm, state };
  }

  /** The whole step, or what batch number `part` adds to it. */
  #trainOn(batch: Batch, part: number, scalars: Readonly<Record<string, number>>): CarriedState {
    if (part === 1 && !this.accumulation) throw needsAccumulation();
    this.#call("train", batch, this.accumulation ? { seed: this.maskSeed(part) } : scalars);
    return this.#carried("train", batch);
  }

  /** A copy of the weights. */
  weights(): Weights {
    return this.#copies((name) => name);
  }

  /** A copy of their average, be it kept by the model or by the optimizer; of the weights themselves where none is kept. */
  averagedWeights(): Weights {
    return this.#copies((name) => this.#averageOf(name) ?? name);
  }

  /**
   * Puts these weights in place. Their moving average, where one is kept, begins anew at them; the optimizer's accumulators stay.
   * @throws ShapeError when a weight is missing, unknown or of another size; nothing is changed then.
   */
  setWeights(weights: Weights): void {
    this.#put(weights);
    this.#beginAverages();
  }

  #beginAverages(): void {
    for (const { name } of this.parameters) {
      const average = this.#averageOf(name);
      if (average !== undefined) this.#executable.writeParam(average, this.#executable.readParam(name));
    }
  }

  /**
   * What `run` returns with these weights in place; afterwards the model's own are back and nothing else has changed. `run` must
   * be done when it returns: no promise.
   * @throws ShapeError as `setWeights` does.
   */
  withWeights<T>(weights: Weights, run: () => T): T {
    const own = this.weights();
    this.#put(weights);
    try {
      return run();
    } finally {
      this.#put(own);
    }
  }

  /**
   * What training keeps from step to step besides the weights: the steps taken, the optimizer's accumulators and the moving
   * average. With `weights()` it is all that `trainStep` depends on: the next steps have the same bits as without a break.
   * `train` keeps more in a run, and a new run begins it anew: epoch 1, with its order of samples, the schedule of the learning
   * rate, patience and the best weights so far. It also leaves the best weights in the model, not the last ones.
   */
  optimizerState(): OptimizerState {
    const { params } = this.#executable;
    const names = [...this.#keptBetweenSteps().keys()].filter((name) => params.has(name));
    return {
      steps: this.#steps,
      accumulators: new Map(names.map((name) => [name, this.#executable.readParam(name)])),
    };
  }

  /**
   * Puts back what `optimizerState` gave. Set the weights first: that begins the moving average anew.
   * @throws ShapeError when an accumulator is missing, unknown or of another size, OptionError when `steps` is no count; nothing
   * is changed then.
   */
  setOptimizerState({ steps, accumulators }: OptimizerState): void {
    const kept = this.#keptBetweenSteps();
    const mend = "restore the state of a model with the same network, optimizer and choice of averageDecay";
    this.#check("optimizer state", accumulators, kept, mend);
    if (!Number.isInteger(steps) || steps < 0) {
      throw new OptionError({
        where: "optimizer state: steps",
        given: String(steps),
        expected: "0, 1, 2, …",
        mend: "give the number of steps that were taken",
      });
    }
    this.#steps = steps;
    this.#write(accumulators);
  }

  /** The seed of the random masks of the next step, or of a further batch of it, a whole number below 2^24. */
  maskSeed(part = 0): number {
    const first = mix32(mix32(this.seed) ^ this.#steps);
    return (part === 0 ? first : mix32(first + part)) & 0xffffff;
  }

  #put(weights: Weights): void {
    const shapes = new Map(this.parameters.map(({ name, shape }) => [name, shape]));
    this.#check("weight", weights, shapes, "load weights that were saved from the same network");
    this.#write(weights);
  }

  /** A parameter that no program reads has no place: it may be given and may be missing. */
  #check(what: string, given: Weights, shapes: ReadonlyMap<string, readonly number[]>, mend: string): void {
    for (const name of given.keys()) {
      if (shapes.has(name)) continue;
      const near = nearest(name, [...shapes.keys()]);
      throw new ShapeError({
        where: `${what} "${name}"`,
        given: "unknown",
        expected: shapes.size === 0 ? "none" : `one of ${[...shapes.keys()].join(", ")}`,
        mend: near === undefined ? mend : `did you mean "${near}"?`,
      });
    }
    for (const [name, shape] of shapes) {
      const values = given.get(name);
      if (values === undefined && !this.#executable.params.has(name)) continue;
      if (values?.length === product(shape)) continue;
      throw new ShapeError({
        where: `${what} "${name}"`,
        given: values === undefined ? "missing" : `${values.length} numbers`,
        expected: `${product(shape)} numbers, [${shape.join(", ")}]`,
        mend,
      });
    }
  }

  #write(values: Weights): void {
    for (const [name, numbers] of values)
      if (this.#executable.params.has(name)) this.#executable.writeParam(name, numbers);
  }

  #copies(storedAs: (name: string) => string): Weights {
    const { params } = this.#executable;
    return new Map(
      this.parameters.flatMap(({ name }) =>
        params.has(name) ? [[name, this.#executable.readParam(storedAs(name))] as const] : [],
      ),
    );
  }

  /** The parameter that holds the average of a weight, if one is kept. */
  #averageOf(name: string): string | undefined {
    const { evaluated } = this.optimizer;
    const kept =
      this.#averaging !== undefined
        ? averageName(name)
        : evaluated === undefined
          ? undefined
          : accumulatorName(evaluated, name);
    return kept !== undefined && this.#executable.params.has(kept) ? kept : undefined;
  }

  /** Names and shapes of all that an update may read besides weight and gradient. */
  #keptBetweenSteps(): ReadonlyMap<string, readonly number[]> {
    const averages = this.#averaging === undefined ? [] : [averageName];
    const names = [
      ...this.optimizer.accumulators.map((accumulator) => (name: string) => accumulatorName(accumulator, name)),
      ...averages,
    ];
    return new Map(this.parameters.flatMap(({ name, shape }) => names.map((nameOf) => [nameOf(name), shape] as const)));
  }

  #call(program: string, { sizes, inputs, state }: Batch, scalars: Readonly<Record<string, number>>): void {
    const { network } = this;
    const all = network.state === undefined ? inputs : { ...inputs, ...stateFeeds(network, sizes, state) };
    this.#executable.call(program, sizes, all, scalars);
  }

  #carried(program: string, { sizes }: Batch): CarriedState {
    if (this.network.state === undefined) return noStates;
    const names = Object.keys(this.network.state);
    return Object.fromEntries(names.map((name) => [name, this.#executable.output(program, stateName(name), sizes)]));
  }
}

const noStates: CarriedState = {};

function needsAccumulation(): OptionError {
  return new OptionError({
    where: "trainStep: batches",
    given: "more than one",
    expected: "one, as the model was built without accumulation",
    mend: "build the model with accumulation: true",
  });
}

/** An average as the share of the old one in the new: step 1, 2, 3, … */
function averagingOf({
  averageDecay,
  stochasticAverage,
}: ModelOptions): { readonly decayAt: (step: number) => number } | undefined {
  if (stochasticAverage === undefined) {
    if (averageDecay === undefined) return undefined;
    return { decayAt: (step) => Math.min(averageDecay, (1 + step) / (10 + step)) };
  }
  const { from, every = 1 } = stochasticAverage;
  const valid = [from, every].every((value) => Number.isInteger(value) && value >= 1);
  if (!valid || averageDecay !== undefined) {
    throw new OptionError({
      where: "model: stochasticAverage",
      given: `from ${from} every ${every}${averageDecay === undefined ? "" : ` with averageDecay ${averageDecay}`}`,
      expected: "steps of 1, 2, 3, … and no averageDecay",
      mend: "count in whole steps, and choose one of the two averages",
    });
  }
  return {
    decayAt(step) {
      if (step < from) return 0; // Until then the average is the weight itself.
      const taken = (step - from) / every;
      return Number.isInteger(taken) ? taken / (taken + 1) : 1;
    },
  };
}
