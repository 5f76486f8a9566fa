/** How gradients flow back through time in a model, for one batch, and what gates and states do meanwhile: plain data. */
import { createRandom } from "../base/random.ts";
import { type AxisSizes, elementCount, product, sizeOf, type TensorType } from "../base/shapes.ts";
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
  return new Inspector(model, "parameters too").look(batch, options);
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

  /** As `inspectGradients`. */
  look(batch: Batch, { directions = 4, seed = 1 }: InspectOptions = {}): GradientFlow {
    const [model, executable] = [this.#model, this.#executable];
    const { layers, parameters } = this.#probes;
    const weights = model.weights();
    for (const name of executable.params.keys()) executable.writeParam(name, weights.get(name)!);

    const random = createRandom(seed);
    const states = layers.flatMap((layer) => layer.states.map((state) => ({ layer, state })));
    const squares = new Map(states.map(({ layer, state }) => [state, new Float64Array(stepsOf(layer, batch))]));
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
        const sum = squares.get(state)!;
        byStep(read(state.pulled), state.type, layer, batch, (step, value) => {
          sum[step]! += value * value;
        });
      }
    }
    const loss = executable.scalar("inspect", "loss");
    const flows = layers.map((layer) => layerFlow(layer, batch, read, squares, directions));
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
  squares: ReadonlyMap<ProbedState, Float64Array>,
  directions: number,
): LayerFlow {
  const steps = stepsOf(layer, batch);
  const average = (values: Float32Array, type: TensorType, of: (value: number) => number) =>
    mean(values, type, layer, batch, of);
  const share = (values: Float32Array, type: TensorType, counts: (value: number) => boolean) =>
    average(values, type, (value) => (counts(value) ? 1 : 0));
  return {
    name: layer.name,
    direction: layer.direction,
    steps,
    states: layer.states.map((state) => {
      const { type, lossGradient } = state;
      const values = read(state.values);
      const perStep = elementCount(type, batch.sizes) / steps;
      const squared = new Float64Array(steps);
      byStep(read(lossGradient), type, layer, batch, (step, value) => {
        squared[step]! += value * value;
      });
      return {
        name: state.name,
        lossGradient: squared.map(Math.sqrt),
        reach: squares.get(state)!.map((sum) => Math.sqrt(sum / (directions * perStep))),
        size: average(values, type, (value) => value * value).map(Math.sqrt),
        saturated: share(values, type, (value) => Math.abs(value) > 0.97),
      };
    }),
    gates: layer.gates.map(({ name, values: output, type }) => {
      const values = read(output);
      return {
        name,
        mean: average(values, type, (value) => value),
        closed: share(values, type, (value) => value < 0.05),
        open: share(values, type, (value) => value > 0.95),
      };
    }),
  };
}

function stepsOf(layer: ProbedLayer, batch: Batch): number {
  return sizeOf(layer.axis, batch.sizes);
}

/** Visits every number of a tensor with the step it belongs to. */
function byStep(
  values: Float32Array,
  { axes, shape }: TensorType,
  layer: ProbedLayer,
  { sizes }: Batch,
  visit: (step: number, value: number) => void,
): void {
  const inner = axes
    .slice(axes.indexOf(layer.axis) + 1)
    .reduce((size, axis) => size * sizeOf(axis, sizes), product(shape));
  const steps = sizeOf(layer.axis, sizes);
  for (let i = 0, run = 0; i < values.length; run++) {
    const step = run % steps;
    for (const end = i + inner; i < end; i++) visit(step, values[i]!);
  }
}

function mean(
  values: Float32Array,
  type: TensorType,
  layer: ProbedLayer,
  batch: Batch,
  of: (value: number) => number,
): Float64Array {
  const steps = stepsOf(layer, batch);
  const sums = new Float64Array(steps);
  byStep(values, type, layer, batch, (step, value) => {
    sums[step]! += of(value);
  });
  return sums.map((sum) => (sum * steps) / values.length);
}

function norm(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
