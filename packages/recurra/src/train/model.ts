/** A compiled network with its weights: predicts, evaluates and takes training steps, one call into the module each. */
import { ShapeError } from "../base/errors.ts";
import { createRandom, mix32 } from "../base/random.ts";
import { type AxisSizes, product } from "../base/shapes.ts";
import { Executable, type Numbers } from "../compile/executable.ts";
import { initialValues } from "../init/initializers.ts";
import type { ParameterSpec } from "../trace/scope.ts";
import { adam, type Clipping, type Optimizer } from "./optimizers.ts";
import { accumulatorName, averageName, buildPrograms, type Network, type Watch } from "./programs.ts";

/** One batch: the size of every axis, and the numbers of every input as [batch, time, features]. */
export interface Batch {
  readonly sizes: AxisSizes;
  readonly inputs: Readonly<Record<string, Numbers>>;
}

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
  /** The same bits on every machine, at some cost in speed. Default false. */
  readonly strict?: boolean;
  /** At most this many threads; the bits do not depend on it. Default: one per processor, or RECURRA_THREADS. */
  readonly threads?: number;
  /** Sees the training program after each pass. */
  readonly watch?: Watch;
}

export interface StepResult {
  readonly loss: number;
  /** Of the whole gradient, before clipping. */
  readonly gradientNorm: number;
}

/** Weights by name, row-major. */
export type Weights = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

export class Model {
  readonly network: Network;
  readonly seed: number;
  readonly optimizer: Optimizer;
  readonly parameters: readonly ParameterSpec[];
  readonly #executable: Executable;
  readonly #averageDecay: number | undefined;
  #steps = 0;

  constructor(
    network: Network,
    { seed = 1, optimizer = adam(), clipping = {}, averageDecay, strict = false, threads, watch }: ModelOptions = {},
  ) {
    const averaging = averageDecay !== undefined;
    const { parameters, predict, evaluate, train } = buildPrograms(network, { optimizer, clipping, averaging }, watch);
    this.#averageDecay = averageDecay;
    this.network = network;
    this.seed = seed;
    this.optimizer = optimizer;
    this.parameters = parameters;
    this.#executable = new Executable(
      { predict, evaluate, train },
      { strict, ...(threads === undefined ? {} : { threads }) },
    );
    const random = createRandom(seed);
    this.setWeights(
      new Map(
        parameters.map(({ name, shape, initializer }) => [name, initialValues(initializer, shape, random.fork(name))]),
      ),
    );
    for (const { name } of parameters) {
      if (!this.#executable.params.has(averageName(name))) continue;
      this.#executable.param(averageName(name)).set(this.#executable.param(name));
    }
  }

  get parameterCount(): number {
    return this.parameters.reduce((sum, { shape }) => sum + product(shape), 0);
  }

  /** Training steps taken. */
  get steps(): number {
    return this.#steps;
  }

  /** Bytes of memory and of the compiled module, and the multiply-add arithmetic in use. */
  get footprint(): { readonly memoryBytes: number; readonly moduleBytes: number; readonly arithmetic: string } {
    return { ...this.#executable.footprint, arithmetic: this.#executable.arithmetic };
  }

  /** Threads that would take part in a large call now. Workers join a model after its first large call, once they have compiled it. */
  threadsReady(): number {
    return this.#executable.threadsReady;
  }

  /** Named outputs of the network, each as [batch, time, features]. */
  predict(batch: Batch): Readonly<Record<string, Float32Array<ArrayBuffer>>> {
    this.#executable.call("predict", batch.sizes, this.#feeds(batch, {}));
    return Object.fromEntries(
      this.#executable.outputs("predict").map((name) => [name, this.#executable.output("predict", name, batch.sizes)]),
    );
  }

  /** The loss without dropout. */
  evaluate(batch: Batch): number {
    this.#executable.call("evaluate", batch.sizes, this.#feeds(batch, {}));
    return this.#executable.scalar("evaluate", "loss");
  }

  /** One step of the optimizer. When loss or gradient are not finite nothing changes: look at the result. */
  trainStep(batch: Batch, learningRate: number): StepResult {
    const step = this.#steps + 1;
    this.#executable.call(
      "train",
      batch.sizes,
      this.#feeds(batch, {
        learningRate: [learningRate],
        averageDecay: [this.#decayAt(step)],
        ...wrap(this.optimizer.scalars(step)),
      }),
    );
    const result = {
      loss: this.#executable.scalar("train", "loss"),
      gradientNorm: this.#executable.scalar("train", "gradientNorm"),
    };
    if (Number.isFinite(result.loss) && Number.isFinite(result.gradientNorm)) this.#steps = step;
    return result;
  }

  /** A copy of the weights. */
  weights(): Weights {
    return this.#copies((name) => name);
  }

  /** A copy of their moving average; of the weights themselves when none is kept. */
  averagedWeights(): Weights {
    return this.#averageDecay === undefined ? this.weights() : this.#copies(averageName);
  }

  /** @throws ShapeError when a weight is missing, unknown or of another size. */
  setWeights(weights: Weights): void {
    for (const { name, shape } of this.parameters) {
      const given = weights.get(name);
      if (given === undefined || given.length !== product(shape)) {
        throw new ShapeError({
          where: `weight "${name}"`,
          given: given === undefined ? "missing" : `${given.length} numbers`,
          expected: `${product(shape)} numbers, [${shape.join(", ")}]`,
          mend: "load weights that were saved from the same network",
        });
      }
    }
    for (const { name } of this.parameters)
      if (this.#executable.params.has(name)) this.#executable.param(name).set(weights.get(name)!);
  }

  /** What the optimizer keeps between steps, to resume training exactly. */
  optimizerState(): { readonly steps: number; readonly accumulators: Weights } {
    const names = this.#accumulatorNames();
    return {
      steps: this.#steps,
      accumulators: new Map(names.map((name) => [name, this.#executable.param(name).slice()])),
    };
  }

  setOptimizerState(state: { readonly steps: number; readonly accumulators: Weights }): void {
    this.#steps = state.steps;
    for (const name of this.#accumulatorNames()) this.#executable.param(name).set(state.accumulators.get(name)!);
  }

  /** The seed of the random masks of the next step, a whole number below 2^24. */
  maskSeed(): number {
    return mix32(mix32(this.seed) ^ this.#steps) & 0xffffff;
  }

  #copies(storedAs: (name: string) => string): Weights {
    const { params } = this.#executable;
    return new Map(
      this.parameters.flatMap(({ name }) =>
        params.has(storedAs(name)) ? [[name, this.#executable.param(storedAs(name)).slice()] as const] : [],
      ),
    );
  }

  #decayAt(step: number): number {
    return Math.min(this.#averageDecay ?? 0, (1 + step) / (10 + step));
  }

  #accumulatorNames(): string[] {
    return this.parameters
      .flatMap(({ name }) => this.optimizer.accumulators.map((accumulator) => accumulatorName(accumulator, name)))
      .filter((name) => this.#executable.params.has(name));
  }

  #feeds(batch: Batch, scalars: Readonly<Record<string, Numbers>>): Readonly<Record<string, Numbers>> {
    return { ...batch.inputs, seed: [this.maskSeed()], ...scalars };
  }
}

function wrap(scalars: Readonly<Record<string, number>>): Readonly<Record<string, Numbers>> {
  return Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, [value]]));
}
