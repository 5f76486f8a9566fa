/** The training loop: epochs, validation, early stopping, best weights, abort, progress. All it does is told as events. */
import { OptionError, TrainingError } from "../base/errors.ts";
import { shuffledOrder } from "../base/random.ts";
import { type Continuous, freshStates } from "./continuous.ts";
import { diagnose } from "./diagnose.ts";
import type { Batch, CarriedState, Model, StepResult, Weights } from "./model.ts";
import { bucketedOrder } from "./order.ts";
import { type PlateauOptions, parseSchedule, plateau, type Schedule, type ScheduleName } from "./schedules.ts";

/** Samples that can be asked for by index, as batches. The batch may be reused by the next call. */
export interface Samples {
  readonly count: number;
  batch(indices: Int32Array): Batch;
}

export interface TrainOptions {
  /** Samples in any order, or streams whose states are carried from step to step. */
  readonly data: Samples | Continuous;
  /** Decides early stopping and the best weights; without it the training loss does. */
  readonly validation?: Samples | Continuous;
  readonly epochs: number;
  readonly batchSize?: number;
  /** Lengths of the samples: batches then hold samples of like length. Default: any together. */
  readonly lengths?: ArrayLike<number>;
  /** Batches whose gradients make one step of the optimizer; needs a model with `accumulation`. Default 1. */
  readonly accumulate?: number;
  readonly learningRate?: number;
  readonly schedule?: Schedule | ScheduleName;
  /** Lower the rate when the loss that decides gets no better; it multiplies the schedule. Default: never. */
  readonly plateau?: PlateauOptions;
  /** Epochs without a better loss before training stops. Default: never. */
  readonly patience?: number;
  /** Training stops when the loss that decides is at or below this. */
  readonly stopAtLoss?: number;
  /** At most this many batches an epoch, drawn anew each time. Default: all. */
  readonly stepsPerEpoch?: number;
  /** Ends the run after the current step; the best weights so far are restored. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds between progress events and turns of the event loop. Default 100. */
  readonly progressEveryMs?: number;
}

export type TrainEvent =
  | {
      readonly event: "progress";
      readonly epoch: number;
      readonly epochs: number;
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly sequencesPerSecond: number;
      readonly secondsLeft: number;
    }
  | {
      readonly event: "epoch";
      readonly epoch: number;
      readonly epochs: number;
      readonly loss: number;
      readonly validationLoss: number;
      readonly best: boolean;
      readonly seconds: number;
      readonly sequencesPerSecond: number;
    }
  | {
      readonly event: "done";
      readonly stopped: "epochs" | "patience" | "loss" | "aborted";
      readonly best: { readonly epoch: number; readonly validationLoss: number };
      readonly seconds: number;
    };

/** A loss this many times the first one has left the reach of any schedule. */
const divergenceFactor = 1e4;
/** Single batches may be far off and come back; the mean of a whole epoch this many times the first loss does not. */
const epochDivergenceFactor = 100;

/**
 * Trains in place and leaves the best weights in the model. Losses are means over samples; `validationLoss` is the training
 * loss when there is no validation.
 * @throws TrainingError when loss or gradient stop being finite, naming step, parameter and timestep, or when the loss grows
 * beyond all bounds; OptionError for options outside their range.
 */
export async function* train(model: Model, options: TrainOptions): AsyncGenerator<TrainEvent, void, undefined> {
  const {
    validation,
    epochs,
    batchSize = 32,
    learningRate = 1e-3,
    patience = Number.POSITIVE_INFINITY,
    signal,
    progressEveryMs = 100,
  } = options;
  checkOptions(options, batchSize, learningRate);
  const schedule = parseSchedule(options.schedule ?? "constant");
  const feed = feedOf(model, options, batchSize);
  const stepsPerEpoch = Math.min(feed.steps, options.stepsPerEpoch ?? Number.POSITIVE_INFINITY);
  const started = performance.now();
  let lastTurn = started;
  const losses: number[] = [];
  let best: { epoch: number; validationLoss: number; weights: Weights } | undefined;
  let firstLoss: number | undefined;
  let stopped: Extract<TrainEvent, { event: "done" }>["stopped"] = "epochs";
  let samplesSeen = 0;

  run: for (let epoch = 1; epoch <= epochs; epoch++) {
    const epochStarted = performance.now();
    const takeStep = feed.epoch(epoch);
    const fallen = options.plateau === undefined ? 1 : plateau(losses, options.plateau);
    let lossSum = 0;
    let lossCount = 0;
    for (let step = 0; step < stepsPerEpoch; step++) {
      const position = (epoch - 1) * stepsPerEpoch + step;
      const rate = learningRate * fallen * schedule(position / (epochs * stepsPerEpoch), position);
      const { result, batch, size } = takeStep(step, rate);
      if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm))
        throw diagnose(model, batch, model.steps + 1, result, rate);
      firstLoss ??= result.loss;
      if (result.loss > divergenceFactor * Math.max(firstLoss, 1e-3))
        throw diverged(model.steps, firstLoss, result.loss, learningRate);
      lossSum += result.loss * size;
      lossCount += size;
      samplesSeen += size;
      const now = performance.now();
      if (now - lastTurn >= progressEveryMs) {
        const seconds = (now - started) / 1000;
        const share = (position + 1) / (epochs * stepsPerEpoch);
        yield {
          event: "progress",
          epoch,
          epochs,
          step: step + 1,
          steps: stepsPerEpoch,
          loss: lossSum / lossCount,
          sequencesPerSecond: samplesSeen / seconds,
          secondsLeft: (seconds * (1 - share)) / share,
        };
        await turn();
        lastTurn = performance.now();
      }
      if (signal?.aborted === true) {
        stopped = "aborted";
        break run;
      }
    }
    const loss = lossSum / lossCount;
    if (firstLoss !== undefined && loss > epochDivergenceFactor * Math.max(firstLoss, 1e-3))
      throw diverged(model.steps, firstLoss, loss, learningRate);
    const averaged = model.averagedWeights();
    const validationLoss =
      validation === undefined
        ? loss
        : model.withWeights(averaged, () => meanLoss(model, validation, Math.max(batchSize, 256)));
    if (!Number.isFinite(validationLoss))
      throw diverged(model.steps, firstLoss ?? Number.NaN, validationLoss, learningRate);
    losses.push(validationLoss);
    const isBest = best === undefined || validationLoss < best.validationLoss;
    if (isBest) best = { epoch, validationLoss, weights: averaged };
    const seconds = (performance.now() - epochStarted) / 1000;
    yield {
      event: "epoch",
      epoch,
      epochs,
      loss,
      validationLoss,
      best: isBest,
      seconds,
      sequencesPerSecond: lossCount / seconds,
    };
    await turn();
    if (signal?.aborted === true) {
      stopped = "aborted";
      break;
    }
    if (options.stopAtLoss !== undefined && validationLoss <= options.stopAtLoss) {
      stopped = "loss";
      break;
    }
    if (epoch - (best?.epoch ?? 0) >= patience) {
      stopped = "patience";
      break;
    }
  }
  if (best !== undefined) model.setWeights(best.weights);
  yield {
    event: "done",
    stopped,
    best: { epoch: best?.epoch ?? 0, validationLoss: best?.validationLoss ?? Number.NaN },
    seconds: (performance.now() - started) / 1000,
  };
}

/** Where the steps of an epoch come from. */
interface Feed {
  readonly steps: number;
  /** Starts an epoch. `size` counts rows, `batch` is the last one of the step. */
  epoch(epoch: number): (step: number, rate: number) => { result: StepResult; batch: Batch; size: number };
}

function feedOf(model: Model, { data, lengths, accumulate = 1 }: TrainOptions, batchSize: number): Feed {
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
      return (step, rate) => {
        let batch: Batch = { sizes: {}, inputs: {} };
        let size = 0;
        function* batches() {
          for (let at = step * perStep; at < Math.min(data.count, (step + 1) * perStep); at += batchSize) {
            batch = samples.batch(order.subarray(at, Math.min(data.count, at + batchSize)));
            size += rowsOf(batch);
            yield batch;
          }
        }
        return { result: model.trainStep(batches(), rate), batch, size };
      };
    },
  };
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
  for (let start = 0; start < samples.count; start += batchSize) {
    const batch = samples.batch(
      Int32Array.from({ length: Math.min(batchSize, samples.count - start) }, (_, i) => start + i),
    );
    sum += model.evaluate(batch) * rowsOf(batch);
  }
  return sum / samples.count;
}

function checkOptions(options: TrainOptions, batchSize: number, learningRate: number): void {
  const { accumulate = 1 } = options;
  const whole = { epochs: options.epochs, batchSize, accumulate, samples: options.data.count };
  for (const [name, given] of Object.entries(whole)) {
    if (Number.isInteger(given) && given >= 1) continue;
    throw new OptionError({
      where: `train: ${name}`,
      given: String(given),
      expected: "1, 2, 3, …",
      mend: name === "samples" ? "give at least one sample" : "give a positive whole number",
    });
  }
  if (!(learningRate > 0 && learningRate < Number.POSITIVE_INFINITY)) {
    throw new OptionError({
      where: "train: learningRate",
      given: String(learningRate),
      expected: "a positive number",
      mend: "1e-3 is a good start for Adam",
    });
  }
}

function diverged(step: number, first: number, loss: number, learningRate: number): TrainingError {
  return new TrainingError({
    where: `training step ${step}: the loss`,
    given: `${format(loss)}, after ${format(first)} at the start`,
    expected: "a loss that falls",
    mend: `training diverges: lower the learning rate (now ${learningRate}) or clip the gradient by norm`,
  });
}

function format(value: number): string {
  return Number.isFinite(value) ? value.toPrecision(3) : String(value);
}

/** Lets timers, signals and the page have a turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
