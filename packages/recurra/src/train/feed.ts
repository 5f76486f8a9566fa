/** Where batches come from: samples in any order, or streams whose states are carried on. For the steps of training, and for a mean loss. */
import { inOrder, shuffledOrder } from "../base/random.ts";
import { type Continuous, freshStates } from "./continuous.ts";
import type { Batch, CarriedState, Model, StepResult } from "./model.ts";
import { bucketedOrder } from "./order.ts";

/** Samples that can be asked for by index, as batches. The batch may be reused by the next call. */
export interface Samples {
  readonly count: number;
  batch(indices: Int32Array): Batch;
}

/** Where the steps of an epoch come from. */
export interface Feed {
  readonly steps: number;
  /** Starts an epoch. `size` counts rows, `batch` is the last one of the step. */
  epoch(epoch: number): (step: number, rate: number) => { result: StepResult; batch: Batch; size: number };
}

export interface FeedOptions {
  readonly data: Samples | Continuous;
  readonly batchSize: number;
  readonly lengths?: ArrayLike<number> | undefined;
  readonly accumulate?: number | undefined;
}

export function feedOf(model: Model, { data, lengths, accumulate = 1, batchSize }: FeedOptions): Feed {
  if (isContinuous(data)) {
    return {
      steps: data.count,
      epoch() {
        let state: CarriedState = {};
        return (step, rate) => {
          const chunk = data.chunk(step);
          const begun = freshStates(state, chunk);
          const start = chunk.before === undefined ? begun : model.advance({ ...chunk.before, state: begun });
          const onward = chunk.onward === undefined ? undefined : advanced(model, chunk.onward, start);
          const batch = { ...chunk.batch, state: start };
          const result = model.trainStep(batch, rate);
          state = onward ?? result.state;
          return { result, batch, size: rowsOf(batch) };
        };
      },
    };
  }
  const samples: Samples = data; // The generator below does not see that the type is narrowed.
  const perStep = batchSize * accumulate;
  return {
    steps: Math.ceil(data.count / perStep),
    epoch(epoch) {
      const order =
        lengths === undefined
          ? shuffledOrder(data.count, model.seed, epoch)
          : bucketedOrder(lengths, model.seed, epoch, batchSize);
      const picks = cut(order, batchSize);
      if (accumulate === 1) {
        return (step, rate) => {
          const batch = samples.batch(picks[step]!);
          return { result: model.trainStep(batch, rate), batch, size: rowsOf(batch) };
        };
      }
      return (step, rate) => {
        let batch: Batch = { sizes: {}, inputs: {} };
        let size = 0;
        function* batches() {
          for (const own of picks.slice(step * accumulate, (step + 1) * accumulate)) {
            batch = samples.batch(own);
            size += rowsOf(batch);
            yield batch;
          }
        }
        return { result: model.trainStep(batches(), rate), batch, size };
      };
    },
  };
}

/** A batch each; the last one may be smaller. */
function cut(order: Int32Array, batchSize: number): readonly Int32Array[] {
  return Array.from({ length: Math.ceil(order.length / batchSize) }, (_, i) =>
    order.subarray(i * batchSize, (i + 1) * batchSize),
  );
}

function isContinuous(data: Samples | Continuous): data is Continuous {
  return "chunk" in data;
}

function rowsOf({ sizes }: Batch): number {
  return sizes["batch"] ?? 1;
}

/** A window of no timesteps leaves the states where they are. */
function advanced(model: Model, batch: Batch, state: CarriedState): CarriedState {
  return batch.sizes["time"] === 0 ? state : model.advance({ ...batch, state });
}

/** The mean loss over samples, without dropout; over streams the mean over chunks, states carried on. */
export function meanLoss(model: Model, samples: Samples | Continuous, batchSize: number): number {
  let sum = 0;
  if (isContinuous(samples)) {
    let state: CarriedState = {};
    for (let index = 0; index < samples.count; index++) {
      const chunk = samples.chunk(index);
      const begun = freshStates(state, chunk);
      const start = chunk.before === undefined ? begun : model.advance({ ...chunk.before, state: begun });
      const result = model.evaluateWithState({ ...chunk.batch, state: start });
      state = chunk.onward === undefined ? result.state : advanced(model, chunk.onward, start);
      sum += result.loss;
    }
    return sum / samples.count;
  }
  for (const picks of cut(inOrder(samples.count), batchSize)) {
    const batch = samples.batch(picks);
    sum += model.evaluate(batch) * rowsOf(batch);
  }
  return sum / samples.count;
}
