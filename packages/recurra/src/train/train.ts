/** The training loop: epochs, validation, early stopping, best weights, abort, progress. All it does is told as events. */
import { TrainingError } from "../base/errors.ts";
import { diagnose } from "./diagnose.ts";
import { feedOf, meanLoss } from "./feed.ts";
import type { Model, Weights } from "./model.ts";
import { checkOptions, type TrainOptions } from "./options.ts";
import { parseSchedule, plateau } from "./schedules.ts";
import { explodingNorm, GradientNorms, type GradientWarning, warningText } from "./warnings.ts";

export type TrainEvent =
  | {
      readonly event: "progress";
      readonly epoch: number;
      readonly epochs: number;
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      /** Of the last step, before clipping. */
      readonly gradientNorm: number;
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
      /** Over the steps of the epoch, before clipping. */
      readonly gradientNorm: { readonly mean: number; readonly largest: number };
      readonly seconds: number;
      readonly sequencesPerSecond: number;
    }
  | WarningEvent
  | {
      readonly event: "done";
      readonly stopped: "epochs" | "patience" | "loss" | "aborted";
      readonly best: { readonly epoch: number; readonly validationLoss: number };
      readonly seconds: number;
    };

/** Training goes on. Each kind is told once in a run. */
export interface WarningEvent extends GradientWarning {
  readonly event: "warning";
  readonly epoch: number;
  readonly step: number;
  /** Place, what was seen and its mend, for people. */
  readonly message: string;
}

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
  const feed = feedOf(model, { ...options, batchSize });
  const stepsPerEpoch = Math.min(feed.steps, options.stepsPerEpoch ?? Number.POSITIVE_INFINITY);
  const started = performance.now();
  let lastTurn = started;
  const losses: number[] = [];
  let best: { epoch: number; validationLoss: number; weights: Weights } | undefined;
  let firstLoss: number | undefined;
  let stopped: Extract<TrainEvent, { event: "done" }>["stopped"] = "epochs";
  let samplesSeen = 0;
  let norms: GradientNorms | undefined;
  const told = new Set<GradientWarning["kind"]>();
  const weightNorm = lengthOf(model.weights());

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
      const { loss, gradientNorm } = result;
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
        throw diagnose(model, batch, model.steps + 1, result, rate);
      firstLoss ??= loss;
      norms ??= new GradientNorms(weightNorm, loss);
      norms.see(gradientNorm);
      if (loss > divergenceFactor * Math.max(firstLoss, 1e-3))
        throw diverged(model.steps, firstLoss, loss, learningRate);
      lossSum += loss * size;
      lossCount += size;
      samplesSeen += size;
      const norm = norms.exploding();
      const exploding = norm === undefined ? undefined : explodingNorm(model, norm);
      const seen = options.watch?.(model, batch, position + 1);
      if (exploding !== undefined || seen !== undefined) {
        for (const warning of [exploding, seen]) {
          if (warning === undefined || told.has(warning.kind)) continue;
          told.add(warning.kind);
          yield { event: "warning", epoch, step: step + 1, message: warningText(model.steps, warning), ...warning };
        }
      }
      const now = performance.now();
      if (now - lastTurn >= progressEveryMs && signal?.aborted !== true) {
        const seconds = (now - started) / 1000;
        const share = (position + 1) / (epochs * stepsPerEpoch);
        yield {
          event: "progress",
          epoch,
          epochs,
          step: step + 1,
          steps: stepsPerEpoch,
          loss: lossSum / lossCount,
          gradientNorm,
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
      gradientNorm: norms!.takeSummary(), // an epoch has a step
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

/** The norm of all weights together. */
function lengthOf(weights: Weights): number {
  let sum = 0;
  for (const values of weights.values()) for (const value of values) sum += value * value;
  return Math.sqrt(sum);
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

/** Lets timers, signals and the page have a turn. A timer of no time takes a millisecond, so where there is another way it is taken. */
function turn(): Promise<void> {
  const { setImmediate = setTimeout } = globalThis as { setImmediate?: (run: () => void) => unknown };
  return new Promise((resolve) => void setImmediate(resolve));
}
