/** The forecasting run: read, split, prepare, choose, train, score. Told as events. */
import { InternalError, OptionError } from "../../base/errors.ts";
import { inOrder } from "../../base/random.ts";
import { formatInterval, intervalMs } from "../../data/interval.ts";
import { readSeries } from "../../data/series.ts";
import { splitSeries } from "../../data/split.ts";
import type { Table } from "../../data/table.ts";
import { planAllWindows, type Windows } from "../../data/windows.ts";
import { watchGradients } from "../../inspect/watch.ts";
import { measureSteps } from "../../train/measure.ts";
import { type Batch, Model } from "../../train/model.ts";
import { train } from "../../train/train.ts";
import { averagingOf, clippingOf, endingsOf, optimizerOf, scheduleOf } from "./controls.ts";
import { Feeder } from "./feeder.ts";
import { createForecaster, type ForecasterParts } from "./forecaster.ts";
import { parseModelFiles } from "./modelFolder.ts";
import { type FeatureCounts, forecastNetwork } from "./network.ts";
import { featureCounts, fitPreparation, type PreparedSet, prepare } from "./preparation.ts";
import type { ModelRecord } from "./record.ts";
import { score, thinned, verdict } from "./scoring.ts";
import { checkOptions, resolveSettings, type Settings, stepsPerEpochOf, withEpochs } from "./settings.ts";
import type {
  ForecastEvent,
  Forecaster,
  ForecastOptions,
  LoadForecaster,
  Part,
  PlanForecast,
  PreparationReport,
  TrainForecaster,
  WindowNormalization,
} from "./types.ts";

const defaultSplit = { train: 0.7, validation: 0.1, test: 0.2 };
/** Validation windows that decide about early stopping, at most. */
const mostValidationWindows = 3000;

/**
 * Trains a forecaster on a table. Iterate over the run for its events; `forecaster()` gives the best model so far.
 * @throws OptionError at once for options outside their range; DataError, TrainingError while iterating.
 */
export const trainForecaster: TrainForecaster = (table, options, control = {}) => {
  checkOptions(options);
  let best: Forecaster | undefined;
  const events = forecastEvents(table, options, control.signal, {
    publish: (forecaster) => {
      best = forecaster;
    },
  });
  return {
    [Symbol.asyncIterator]: () => events,
    forecaster() {
      if (best !== undefined) return best;
      throw new OptionError({
        where: "forecaster()",
        given: "asked for before the first epoch",
        expected: "at least one finished epoch",
        mend: "iterate over the run first",
      });
    },
  };
};

/**
 * What `trainForecaster` would do with the same arguments: the windows of each part, what the model takes, and the time of an
 * epoch, from real steps on weights that are thrown away. The trial that chooses a window normalisation is left out.
 * @throws as `trainForecaster` does before its first epoch.
 */
export const planForecast: PlanForecast = async (table, options) => {
  checkOptions(options);
  const ready = await makeReady(table, options, undefined, "without trial");
  if (ready === undefined) throw new InternalError("a plan without a signal was aborted");
  const { settings, features, prepared, windows, record } = ready;
  const model = createModel(settings, features, windows.train.count);
  const perStep = Math.min(settings.batchSize, windows.train.count);
  const feeder = new Feeder(prepared, windows.train, settings, features);
  const batch = () => feeder.batch(inOrder(perStep));
  const { sizes } = batch();
  const plan = model.plan(sizes);
  const { trainMs, steps } = await measureSteps(model, batch);
  const stepMs = trainMs * settings.accumulate;
  const stepsPerEpoch = stepsPerEpochOf(settings, windows.train.count);
  return {
    report: record.report,
    settings: { ...settings },
    sizes,
    plan,
    stepMs,
    measuredSteps: steps,
    stepsPerEpoch,
    epochMs: stepMs * stepsPerEpoch,
    epochs: settings.epochs,
  };
};

/** A forecaster from the files of its folder. @throws FormatError */
export const loadForecaster: LoadForecaster = (files) => createForecaster(parseModelFiles(files));

interface Ready {
  readonly settings: Settings;
  readonly features: FeatureCounts;
  readonly prepared: PreparedSet;
  readonly windows: Readonly<Record<Part, Windows>>;
  readonly preparation: ForecasterParts["preparation"];
  readonly record: Pick<ModelRecord, "source" | "report" | "split">;
}

/** What a run hands out besides its events. */
export interface RunListener {
  /** The best forecaster so far, after each epoch and at the end. */
  publish?(forecaster: Forecaster): void;
  /** Before the first event: the model that will be trained, and windows that decide about it, at most as many as asked for. */
  begin?(model: Model, windows: (most: number) => Batch): void;
}

/** The events of a run; the options have been checked. */
export async function* forecastEvents(
  table: Table,
  options: ForecastOptions,
  signal: AbortSignal | undefined,
  listener: RunListener,
): AsyncGenerator<ForecastEvent, void, undefined> {
  const started = performance.now();
  const ready = await makeReady(table, options, signal);
  if (ready === undefined) return; // aborted, with nothing to tell of
  const { settings, features, prepared, windows, preparation } = ready;
  const model = createModel(settings, features, windows.train.count);
  const validating = windows.validation.count > 0 ? windows.validation : windows.train;
  listener.begin?.(model, (most) => {
    const shown = thinned(validating, most);
    return new Feeder(prepared, shown, settings, features).batch(inOrder(shown.count));
  });
  yield { event: "prepared", report: ready.record.report, parameters: model.parameterCount, settings: { ...settings } };

  const epochs: { epoch: number; loss: number; validationLoss: number }[] = [];
  let outcome: Pick<ModelRecord, "best" | "stopped"> = {
    best: { epoch: 0, validationLoss: Number.NaN },
    stopped: "aborted",
  };
  const forecasterNow = (rest: Pick<ModelRecord, "metrics" | "verdict">): Forecaster => {
    const record: ModelRecord = { ...ready.record, epochs: [...epochs], ...outcome, ...rest };
    return createForecaster({ options, settings, features, preparation, record, model });
  };
  for await (const event of train(model, {
    data: new Feeder(prepared, windows.train, settings, features),
    validation: new Feeder(prepared, thinned(validating, mostValidationWindows), settings, features),
    epochs: settings.epochs,
    batchSize: settings.batchSize,
    learningRate: settings.learningRate,
    patience: settings.patience,
    accumulate: settings.accumulate,
    schedule: scheduleOf(settings),
    ...endingsOf(settings),
    stepsPerEpoch: stepsPerEpochOf(settings),
    watch: watchGradients(),
    signal,
  })) {
    if (event.event === "done") {
      if (epochs.length === 0) return; // aborted before there was anything to score
      outcome = { best: event.best, stopped: event.stopped };
      const metrics = {
        validation: score({ model, settings, features }, prepared, windows.validation),
        test: score({ model, settings, features }, prepared, windows.test),
      };
      const words =
        windows.test.count > 0
          ? verdict(metrics.test, settings.season)
          : "There is no test part, so nothing is said about new data.";
      listener.publish?.(forecasterNow({ metrics, verdict: words }));
      yield {
        event: "done",
        metrics,
        best: event.best,
        stopped: event.stopped,
        seconds: (performance.now() - started) / 1000,
        verdict: words,
      };
    } else {
      if (event.event === "epoch") {
        epochs.push({ epoch: event.epoch, loss: event.loss, validationLoss: event.validationLoss });
        listener.publish?.(forecasterNow({ metrics: undefined, verdict: "Training was not finished." }));
      }
      yield event;
    }
  }
}

function createModel(settings: Settings, features: FeatureCounts, trainingWindows: number): Model {
  return new Model(forecastNetwork(settings, features), {
    seed: settings.seed,
    optimizer: optimizerOf(settings),
    clipping: clippingOf(settings),
    strict: settings.strict,
    accumulation: settings.accumulate > 1,
    ...averagingOf(settings, settings.epochs * stepsPerEpochOf(settings, trainingWindows)),
  });
}

/** Undefined when the signal came first. */
async function makeReady(
  table: Table,
  options: ForecastOptions,
  signal: AbortSignal | undefined,
  trial: "with trial" | "without trial" = "with trial",
): Promise<Ready | undefined> {
  if (signal?.aborted === true) return undefined;
  const all = readSeries(table, options);
  const hasMissing = options.missing === "mask" || all.series.some(({ observed }) => observed !== undefined);
  const sizes = resolveSettings(options, all.interval, hasMissing);
  const { set, split, notes: splitNotes } = splitSeries(all, options.split ?? defaultSplit, sizes);
  const windows = planAllWindows(set, split, sizes);
  const first = withEpochs(sizes, options, windows.train.count);
  const { preparation, notes: fitNotes } = fitPreparation(set, split, first);
  const { prepared } = prepare(set, preparation, first);
  const features = featureCounts(preparation, first);
  const toChoose = trial === "with trial" && (options.window === undefined || options.window === "auto");
  const choice = toChoose ? await chooseWindow(first, features, prepared, windows, signal) : undefined;
  if (toChoose && choice === undefined) return undefined;
  const settings = choice === undefined ? first : { ...first, window: choice.window };
  const report: PreparationReport = {
    seriesCount: set.series.length,
    timesteps: set.series.reduce((sum, { timesteps }) => sum + timesteps, 0),
    intervalMs: intervalMs(set.interval),
    interval: set.interval.kind === "index" ? undefined : formatInterval(set.interval),
    season: settings.season,
    windows: { train: windows.train.count, validation: windows.validation.count, test: windows.test.count },
    notes: [...all.notes, ...splitNotes, ...fitNotes, ...(choice === undefined ? [] : [choice.note])],
  };
  return { settings, features, prepared, windows, preparation, record: { source: table.source, report, split } };
}

const probeSteps = 60;
const probeWindows = 400;

/** Milliseconds between looks at the signal. */
const probeTurnMs = 20;

/**
 * Trains with each window normalisation for a moment and keeps the one with the smallest scaled error on validation.
 * Undefined when the signal came first.
 */
async function chooseWindow(
  settings: Settings,
  features: FeatureCounts,
  prepared: PreparedSet,
  windows: Readonly<Record<Part, Windows>>,
  signal: AbortSignal | undefined,
): Promise<{ window: WindowNormalization; note: string } | undefined> {
  const candidates: WindowNormalization[] =
    settings.season > 1 && settings.past > settings.season
      ? ["last", "season", "standard"]
      : ["last", "mean", "standard"];
  const judged = windows.validation.count > 0 ? windows.validation : windows.train;
  const results: { window: WindowNormalization; error: number }[] = [];
  for (const window of candidates) {
    const tried = { ...settings, window };
    const model = createModel(tried, features, windows.train.count);
    const probe = train(model, {
      data: new Feeder(prepared, windows.train, tried, features),
      epochs: 1,
      batchSize: settings.batchSize,
      stepsPerEpoch: probeSteps,
      accumulate: settings.accumulate,
      learningRate: settings.learningRate,
      schedule: scheduleOf({ ...settings, schedule: "constant" }),
      progressEveryMs: probeTurnMs,
      signal,
    });
    for await (const _ of probe) {
      // Only the weights at the end matter.
    }
    if (signal?.aborted === true) return undefined;
    results.push({
      window,
      error: score({ model, settings: tried, features }, prepared, thinned(judged, probeWindows)).model.scaled.mae,
    });
  }
  const best = results.reduce((a, b) => (b.error < a.error ? b : a));
  const listed = results.map(({ window, error }) => `${window} ${error.toPrecision(3)}`).join(", ");
  return {
    window: best.window,
    note: `window normalisation chosen by a short trial, scaled error on validation: ${listed}`,
  };
}
