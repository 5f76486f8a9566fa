/** How gradients flow back through time in a model, for one batch, and what gates and states do meanwhile: plain data. */
import { createRandom } from "../base/random.ts";
import { type AxisSizes, elementCount, sizeOf, type TensorType } from "../base/shapes.ts";
import { Executable } from "../compile/executable.ts";
import type { Batch, Model } from "../train/model.ts";
import { stateFeeds } from "../train/programs.ts";
import { diagnoseFlow } from "./diagnosis.ts";
import { type ProbedLayer, type ProbedState, type Probes, probe } from "./probes.ts";
import type { GradientFlow, LayerFlow } from "./types.ts";

export interface InspectOptions {
  /** Random directions that the reach is averaged over. Default 4. */
  readonly directions?: number;
  /** Of the directions. Default 1. */
  readonly seed?: number;
}

/**
 * Looks at one batch with the model's weights, without dropout; changes nothing.
 * @throws ShapeError when the batch does not fit the network.
 */
export function inspectGradients(model: Model, batch: Batch, options: InspectOptions = {}): GradientFlow {
  const flow = new Inspector(model, "parameters too").look(batch, options);
  const layers = flow.layers.map(({ states, gates, ...layer }) => ({
    ...layer,
    states: states.map((state) => ({ ...state })),
    gates: gates.map((gate) => ({ ...gate })),
  }));
  return { ...flow, layers };
}

/** Looks at a model again and again, with the weights that it has then. */
export class Inspector {
  readonly #model: Model;
  readonly #probes: Probes;
  readonly #executable: Executable;

  /** For states only, on one thread, or for the gradients of all parameters too. */
  constructor(model: Model, what: "states" | "parameters too") {
    this.#model = model;
    this.#probes = probe(model.network, what);
    this.#executable = new Executable({ inspect: this.#probes.program }, what === "states" ? { threads: 1 } : {});
  }

  /** Bytes that a look at batches of these sizes takes. */
  memoryBytes(sizes: AxisSizes): number {
    return this.#executable.plan(sizes).memoryBytes;
  }

  /** As `inspectGradients`. What states and gates do is counted when it is asked for, before the next look. */
  look(batch: Batch, { directions = 4, seed = 1 }: InspectOptions = {}): GradientFlow {
    const [model, executable] = [this.#model, this.#executable];
    const { layers, parameters } = this.#probes;
    const weights = model.weights();
    for (const name of executable.params.keys()) executable.writeParam(name, weights.get(name)!);

    const random = createRandom(seed);
    const states = layers.flatMap((layer) => layer.states.map((state) => ({ layer, state })));
    const pulled = new Map(states.map(({ layer, state }) => [state, new Float64Array(stepsOf(layer, batch))]));
    const run = () => {
      const feeds: Record<string, Float32Array> = {};
      for (const { layer, state } of states) {
        feeds[state.probe] = new Float32Array(elementCount(state.type, batch.sizes));
        const rows = elementCount(state.type, batch.sizes) / stepsOf(layer, batch);
        feeds[state.direction] = Float32Array.from({ length: rows }, () => (random.integer(2) === 0 ? -1 : 1));
      }
      const carried = stateFeeds(model.network, batch.sizes, batch.state);
      executable.call("inspect", batch.sizes, { ...batch.inputs, ...carried, seed: [model.maskSeed()], ...feeds });
    };
    const read = (output: string) => executable.output("inspect", output, batch.sizes);
    for (let drawn = 0; drawn < directions; drawn++) {
      run();
      for (const { layer, state } of states) {
        summed(read(state.pulled), state.type, layer, batch, squares, pulled.get(state)!);
      }
    }
    const loss = executable.scalar("inspect", "loss");
    const flows = layers.map((layer) => layerFlow(layer, batch, read, pulled, directions));
    const changes = [...parameters].map(([name, output]) => {
      const gradient = read(output);
      return { name, weightNorm: norm(weights.get(name)!), gradientNorm: norm(gradient), gradient };
    });
    return { loss, layers: flows, parameters: changes, findings: diagnoseFlow(model, loss, flows) };
  }
}

export interface UpdateRatio {
  readonly name: string;
  /** ‖ΔW‖ / ‖W‖ of one step of training; about 1e-3 is usual. */
  readonly ratio: number;
}

/** What one step of training would change, relative to the weights. The model is left as it was. */
export function updateRatios(model: Model, batch: Batch, learningRate: number): readonly UpdateRatio[] {
  const before = model.weights();
  const state = model.optimizerState();
  try {
    model.trainStep(batch, learningRate);
    const after = model.weights();
    return [...before].map(([name, old]) => {
      const now = after.get(name)!;
      return { name, ratio: norm(old.map((value, i) => now[i]! - value)) / norm(old) };
    });
  } finally {
    model.setWeights(before);
    model.setOptimizerState(state);
  }
}

type Read = (output: string) => Float32Array;

function layerFlow(
  layer: ProbedLayer,
  batch: Batch,
  read: Read,
  pulled: ReadonlyMap<ProbedState, Float64Array>,
  directions: number,
): LayerFlow {
  const steps = stepsOf(layer, batch);
  const average = (values: Float32Array, type: TensorType, add: Adding) =>
    summed(values, type, layer, batch, add).map((sum) => (sum * steps) / values.length);
  return {
    name: layer.name,
    direction: layer.direction,
    steps,
    states: layer.states.map((state) => {
      const { type, lossGradient } = state;
      const perStep = elementCount(type, batch.sizes) / steps;
      const squared = summed(read(lossGradient), type, layer, batch, squares);
      return {
        name: state.name,
        lossGradient: squared.map(Math.sqrt),
        reach: pulled.get(state)!.map((sum) => Math.sqrt(sum / (directions * perStep))),
        get size() {
          return average(read(state.values), type, squares).map(Math.sqrt);
        },
        get saturated() {
          return average(read(state.values), type, outside(-0.97, 0.97));
        },
      };
    }),
    gates: layer.gates.map(({ name, values, type }) => ({
      name,
      get mean() {
        return average(read(values), type, numbers);
      },
      get closed() {
        return average(read(values), type, outside(0.05, Number.POSITIVE_INFINITY));
      },
      get open() {
        return average(read(values), type, outside(Number.NEGATIVE_INFINITY, 0.95));
      },
    })),
  };
}

function stepsOf(layer: ProbedLayer, batch: Batch): number {
  return sizeOf(layer.axis, batch.sizes);
}

/** Goes on with a sum over a run of numbers: a loop of its own for each, for a look visits many. */
type Adding = (sum: number, values: Float32Array, first: number, end: number) => number;

const numbers: Adding = (sum, values, first, end) => {
  let total = sum;
  for (let i = first; i < end; i++) total += values[i]!;
  return total;
};

const squares: Adding = (sum, values, first, end) => {
  let total = sum;
  for (let i = first; i < end; i++) total += values[i]! * values[i]!;
  return total;
};

/** Counts the numbers below or above. */
function outside(low: number, high: number): Adding {
  return (sum, values, first, end) => {
    let total = sum;
    for (let i = first; i < end; i++) if (values[i]! < low || values[i]! > high) total++;
    return total;
  };
}

/** By step; `sums` is what has been added before. */
function summed(
  values: Float32Array,
  { axes, shape }: TensorType,
  layer: ProbedLayer,
  { sizes }: Batch,
  add: Adding,
  sums = new Float64Array(sizeOf(layer.axis, sizes)),
): Float64Array {
  const inner = elementCount({ axes: axes.slice(axes.indexOf(layer.axis) + 1), shape }, sizes);
  for (let first = 0, run = 0; first < values.length; first += inner, run++) {
    const step = run % sums.length;
    sums[step] = add(sums[step]!, values, first, first + inner);
  }
  return sums;
}

function norm(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
