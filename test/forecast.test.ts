/** Forecasting from a table to a saved model, by what a user can see. Small seeded tasks; each reaches a stated error. */

import { readFileSync } from "node:fs";
import { createRandom } from "recurra";
import { type Table, tableFromColumns } from "recurra/data";
import {
  type ForecastEvent,
  type Forecaster,
  type ForecastOptions,
  type ForecastResult,
  loadForecaster,
  trainForecaster,
} from "recurra/tasks";
import { describe, expect, it } from "vitest";
import { cells } from "../packages/recurra/src/cells/registry.ts";

type Done = Extract<ForecastEvent, { event: "done" }>;
type Columns = Record<string, unknown[]>;

const hourMs = 3_600_000;
const firstTime = Date.UTC(2024, 0, 1);
const hours = (count: number) => Array.from({ length: count }, (_, t) => new Date(firstTime + t * hourMs));
const first = (columns: Columns, count: number): Columns =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(0, count)]));
const last = (columns: Columns, count: number): Columns =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(values.length - count)]));

/** A daily wave with noise, hour by hour. */
function wave(count: number, seed = 1, noise = 0.3): Columns {
  const random = createRandom(seed);
  const y = Array.from(
    { length: count },
    (_, t) => 20 + 5 * Math.sin((2 * Math.PI * t) / 24) + noise * random.normal(),
  );
  return { date: hours(count), y };
}

const small = {
  target: "y",
  horizon: 6,
  past: 24,
  season: 24,
  window: "last",
  hiddenSize: 16,
  dropout: 0,
  epochs: 2,
  windowsPerEpoch: 320,
  batchSize: 32,
  learningRate: 0.01,
  averageDecay: 0.9,
} as const satisfies ForecastOptions;

interface Trained {
  readonly forecaster: Forecaster;
  readonly done: Done;
  readonly events: readonly ForecastEvent[];
}

async function trained(table: Table, options: ForecastOptions, control?: { signal: AbortSignal }): Promise<Trained> {
  const run = trainForecaster(table, options, control);
  const events: ForecastEvent[] = [];
  for await (const event of run) events.push(event);
  return { forecaster: run.forecaster(), done: events.at(-1) as Done, events }; // the last event is always "done"
}

const weightsOf = (forecaster: Forecaster) => Buffer.from(forecaster.toFiles().get("weights.safetensors")!);

async function refusal(table: Table, options: ForecastOptions): Promise<string> {
  try {
    await trained(table, options);
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`; // everything thrown here is an Error
  }
  return "no error";
}

function quantilesAscend({ rows }: Pick<ForecastResult, "rows">): boolean {
  return rows.every(({ quantiles }) => quantiles.every((value, q) => q === 0 || value >= quantiles[q - 1]!));
}

describe("a forecaster", () => {
  it("beats both naive forecasts on a noisy daily wave, and its 80 % band holds between 60 and 95 %", async () => {
    const { done } = await trained(tableFromColumns(wave(700)), {
      ...small,
      window: "season",
      epochs: 40,
      patience: 40,
      windowsPerEpoch: 640,
      quantiles: [0.1, 0.5, 0.9],
    });
    const { model, seasonalNaive, lastValue } = done.metrics.test;
    expect(model.mae).toBeLessThan(0.9 * seasonalNaive.mae);
    expect(model.mae).toBeLessThan(0.3 * lastValue.mae);
    expect(model.coverage).toBeGreaterThan(0.6);
    expect(model.coverage).toBeLessThan(0.95);
    expect(done.verdict).toMatch(/^On the test part the model beats seasonal naive, the better naive forecast, by /);
  });

  it("beats the last value on the airline passengers", async () => {
    const [, ...lines] = readFileSync(new URL("../examples/data/airline-passengers.csv", import.meta.url), "utf8")
      .trim()
      .split("\n");
    const cells = lines.map((line) => line.replaceAll('"', "").split(","));
    const table = tableFromColumns({
      Month: cells.map(([month]) => month),
      y: cells.map(([, value]) => Number(value)),
    });
    const { done, events } = await trained(table, {
      target: "y",
      horizon: 12,
      past: 24,
      scale: "log",
      window: "last",
      residual: "seasonalNaive",
      hiddenSize: 32,
      epochs: 30,
      patience: 30,
    });
    expect(events[0]).toMatchObject({ report: { season: 12, interval: "1 month", timesteps: 144 } });
    expect(done.metrics.test.model.mae).toBeLessThan(0.6 * done.metrics.test.lastValue.mae);
  });

  it("is the same to the bit after saving and loading", async () => {
    const table = tableFromColumns(wave(300));
    const { forecaster, done } = await trained(table, { ...small, quantiles: [0.1, 0.9], calendar: ["hour"] });
    const files = forecaster.toFiles();
    const loaded = loadForecaster(files);
    expect(loaded.predict(table)).toEqual(forecaster.predict(table));
    expect(loaded.evaluate(table)).toEqual(forecaster.evaluate(table));
    expect(loaded.options).toEqual(forecaster.options);
    expect([...loaded.toFiles()]).toEqual([...files]);
    expect(done.metrics.test.model.mae).toBeGreaterThan(0);
  });

  it("repeats to the bit with the same seed, and not with another", async () => {
    const table = tableFromColumns(wave(300));
    const options = { ...small, dropout: 0.2, window: "auto" } as const;
    const [one, same, other] = [
      await trained(table, options),
      await trained(table, options),
      await trained(table, { ...options, seed: 2 }),
    ];
    expect(weightsOf(same.forecaster).equals(weightsOf(one.forecaster))).toBe(true);
    expect(same.done.metrics).toEqual(one.done.metrics);
    expect(weightsOf(other.forecaster).equals(weightsOf(one.forecaster))).toBe(false);
  });

  it("gives the best model so far after an abort: the one a run of that many epochs ends with", async () => {
    const table = tableFromColumns(wave(400));
    const abort = new AbortController();
    // So hasty that the last epoch is not the best one.
    const hasty = { ...small, learningRate: 0.1, averageDecay: 0 };
    const run = trainForecaster(table, { ...hasty, epochs: 100, patience: 100 }, { signal: abort.signal });
    const losses: number[] = [];
    let done: Done | undefined;
    for await (const event of run) {
      if (event.event === "epoch") losses.push(event.validationLoss);
      if (event.event === "done") done = event;
      if ((losses.at(-1) ?? 0) > Math.min(...losses)) abort.abort();
    }
    expect(done).toMatchObject({ stopped: "aborted" });
    const { epoch, validationLoss } = done!.best;
    expect(losses.length).toBe(epoch + 1);
    expect(validationLoss).toBe(Math.min(...losses));
    expect(losses[epoch - 1]).toBe(validationLoss);
    const whole = await trained(table, { ...hasty, epochs: epoch });
    expect(weightsOf(run.forecaster()).equals(weightsOf(whole.forecaster))).toBe(true);
  });

  it.each(["auto", "last"] as const)(
    "tells nothing after an abort before the first epoch (window %s)",
    async (window) => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 0); // at the first turn that training gives
      const slow = { ...small, window, hiddenSize: 64, windowsPerEpoch: 100_000, batchSize: 1, past: 96 };
      const run = trainForecaster(tableFromColumns(wave(3000)), slow, { signal: abort.signal });
      const told: string[] = [];
      for await (const { event } of run) told.push(event);
      expect(told.filter((event) => event !== "progress")).toEqual(window === "auto" ? [] : ["prepared"]);
      expect(() => run.forecaster()).toThrow("before the first epoch");
    },
  );

  it("refuses to give a forecaster before the first epoch", () => {
    expect(() => trainForecaster(tableFromColumns(wave(300)), small).forecaster()).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: forecaster() is asked for before the first epoch, expected at least one finished epoch.
      Iterate over the run first.]
    `);
  });
});

describe("covariates", () => {
  it("known for the future are used: a target that only follows them is learned, and is not without them", async () => {
    const random = createRandom(7);
    const x = Array.from({ length: 500 }, () => random.normal());
    const columns = { date: hours(500), x, y: x.map((value) => 10 + 3 * value + 0.1 * random.normal()) };
    const options = { ...small, epochs: 30, patience: 30, windowsPerEpoch: 640, window: "none" } as const;
    const withX = await trained(tableFromColumns(columns), { ...options, futureCovariates: ["x"] });
    const withoutX = await trained(tableFromColumns(columns), options);
    expect(withX.done.metrics.test.model.scaled.mae).toBeLessThan(0.2);
    expect(withoutX.done.metrics.test.model.scaled.mae).toBeGreaterThan(0.7);

    const future = { date: hours(506), x: [...x, 2, -2, 2, -2, 2, -2], y: [...columns.y, ...Array(6).fill(null)] };
    const forecast = withX.forecaster.predict(tableFromColumns(future)).rows.map((row) => row.forecast);
    for (const [step, value] of forecast.entries())
      expect(Math.abs(value - (step % 2 === 0 ? 16 : 4))).toBeLessThan(2.5);
    expect(() => withX.forecaster.predict(tableFromColumns(columns, "now.csv"))).toThrowErrorMatchingInlineSnapshot(`
      [DataError: now.csv: x after the last target is missing, expected known for all 6 timesteps of the forecast.
      Add rows for the future with these columns and an empty target.]
    `);
  });

  it("of the past are used: a target that follows one six timesteps later is learned", async () => {
    const random = createRandom(8);
    const x = Array.from({ length: 500 }, () => random.normal());
    const y = x.map((_, t) => 3 * (x[t - 6] ?? 0) + 0.1 * random.normal());
    const { done } = await trained(tableFromColumns({ date: hours(500), x, y }), {
      ...small,
      epochs: 12,
      patience: 12,
      windowsPerEpoch: 640,
      window: "none",
      pastCovariates: ["x"],
    });
    expect(done.metrics.test.model.scaled.mae).toBeLessThan(0.4);
  });

  it("as categories are used, an unseen one is no failure, and static ones tell series apart", async () => {
    const random = createRandom(9);
    const count = 300;
    const rows = (["up", "down"] as const).flatMap((kind) =>
      Array.from({ length: count }, (_, t) => {
        const shop = random.uniform() < 0.5 ? "open" : "closed";
        const sign = kind === "up" ? 1 : -1;
        return {
          date: hours(count)[t]!,
          id: kind,
          kind,
          shop,
          y: sign * (shop === "open" ? 4 : 1) + 0.1 * random.normal(),
        };
      }),
    );
    const columns = (list: readonly Readonly<Record<string, unknown>>[]): Columns =>
      Object.fromEntries(
        ["date", "id", "kind", "shop", "y"].map((name) => [name, list.map((row) => row[name] ?? null)]),
      );
    const options = {
      ...small,
      series: "id",
      futureCovariates: ["shop"],
      categorical: ["shop"],
      staticCovariates: ["kind"],
      window: "none",
      epochs: 16,
      patience: 16,
      windowsPerEpoch: 640,
    } as const;
    const { forecaster, done } = await trained(tableFromColumns(columns(rows)), options);
    expect(done.metrics.test.model.scaled.mae).toBeLessThan(0.25);

    const future = (kind: string, shop: string) => [
      ...rows.filter(({ id }) => id === "up").map((row) => ({ ...row, kind })),
      ...Array.from({ length: 6 }, (_, k) => ({
        date: new Date(firstTime + (count + k) * hourMs),
        id: "up",
        kind,
        shop,
      })),
    ];
    const forecast = (kind: string, shop: string) =>
      forecaster.predict(tableFromColumns(columns(future(kind, shop)))).rows.map((row) => row.forecast);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean(forecast("up", "open")) - 4)).toBeLessThan(0.5);
    expect(Math.abs(mean(forecast("up", "closed")) - 1)).toBeLessThan(0.5);
    expect(forecast("up", "renovated").every(Number.isFinite)).toBe(true);
    expect(forecast("down", "open")).not.toEqual(forecast("up", "open"));
  });

  it("of the calendar are used: what only follows the hour of day is learned from a past shorter than a day", async () => {
    const random = createRandom(10);
    const levels = Array.from({ length: 24 }, () => random.normal());
    const y = Array.from({ length: 24 * 30 }, (_, t) => levels[t % 24]! + 0.05 * random.normal());
    const { done } = await trained(tableFromColumns({ date: hours(y.length), y }), {
      ...small,
      past: 6,
      window: "none",
      calendar: ["hour"],
      epochs: 15,
      patience: 15,
      windowsPerEpoch: 640,
    });
    expect(done.metrics.test.model.scaled.mae).toBeLessThan(0.35);
  });
});

describe("missing values", () => {
  const gappy = (): Columns => {
    const columns = wave(400);
    const random = createRandom(3);
    return {
      ...columns,
      y: columns["y"]!.map((value, t) => (t > 0 && t < 399 && random.uniform() < 0.1 ? null : value)),
    };
  };

  it.each(["interpolate", "mask"] as const)("never count as truth (%s)", async (missing) => {
    const { y } = gappy();
    const { forecaster, done, events } = await trained(tableFromColumns(gappy()), { ...small, missing });
    const lost = y!.filter((value) => value === null).length;
    expect(events[0]).toMatchObject({
      report: { notes: [`y: ${lost} missing values ${missing === "mask" ? "masked" : "interpolated"}`] },
    });

    // The last value by hand: over the test part's windows, and there only over what was observed.
    const known = [...y!] as (number | null)[]; // the column holds numbers and null
    const before = (t: number) => {
      if (known[t] !== null) return known[t]!;
      let [left, right] = [t, t];
      while (known[left] === null) left--;
      if (missing === "mask") return known[left]!;
      while (known[right] === null) right++;
      return known[left]! + ((known[right]! - known[left]!) * (t - left)) / (right - left);
    };
    let [sum, count] = [0, 0];
    for (let origin = 320; origin + 6 <= 400; origin++) {
      for (let t = origin; t < origin + 6; t++) {
        if (known[t] === null) continue;
        sum += Math.abs(known[t]! - before(origin - 1));
        count++;
      }
    }
    expect(done.metrics.test.lastValue.mae).toBeCloseTo(sum / count, 10);
    expect(forecaster.predict(tableFromColumns(gappy())).rows.every((row) => Number.isFinite(row.forecast))).toBe(true);
  });

  it("are refused when they are errors", async () => {
    expect(await refusal(tableFromColumns(gappy(), "gappy.csv"), { ...small, missing: "error" })).toMatch(
      /^DataError: gappy\.csv: row \d+, column y is empty, expected a value in every row\./,
    );
  });
});

describe("scores", () => {
  it("of a new table are those of the run's test part when the same windows are scored", async () => {
    const columns = wave(400);
    const { forecaster, done } = await trained(tableFromColumns(columns), { ...small, quantiles: [0.2, 0.8] });
    // Training ends at 280, validation at 320: the test windows look back to 296.
    expect(forecaster.evaluate(tableFromColumns(last(columns, 400 - 296)))).toEqual({
      scores: done.metrics.test,
      notes: [],
    });
  });

  it("say how many windows forecast times of the training part", async () => {
    const columns = wave(400);
    const { forecaster } = await trained(tableFromColumns(columns), small);
    // Origins 24 … 394, of which those to 279 begin in the training part.
    expect(forecaster.evaluate(tableFromColumns(columns)).notes).toEqual([
      "256 of 371 windows forecast times of the training part, which ends at 2024-01-12 15:00: what the model was trained on says little about new data",
    ]);
    expect(forecaster.backtest(tableFromColumns(columns)).notes).toEqual([]);
    expect(forecaster.backtest(tableFromColumns(columns), { origins: 2, step: 115 }).notes).toEqual([
      "1 of 2 windows forecast times of the training part, which ends at 2024-01-12 15:00: what the model was trained on says little about new data",
    ]);
    const { date: _, ...untimed } = columns;
    const { forecaster: withoutTimes } = await trained(tableFromColumns(untimed), small);
    expect(withoutTimes.evaluate(tableFromColumns(untimed)).notes).toEqual([
      "no time column: rows are taken as timesteps in the order given",
    ]);
  });

  it("come with what the preparation found", async () => {
    const columns = wave(400);
    const { forecaster } = await trained(tableFromColumns(columns), small);
    const later = tableFromColumns(last({ ...columns, y: columns["y"]!.with(350, null) }, 100));
    const notes = ["y: 1 missing value interpolated"];
    expect(forecaster.evaluate(later).notes).toEqual(notes);
    expect(forecaster.backtest(later).notes).toEqual(notes);
  });

  it("of a backtest are those of predictions made with less data", async () => {
    const columns = wave(400);
    const { forecaster } = await trained(tableFromColumns(columns), small);
    const { origins, overall, timed } = forecaster.backtest(tableFromColumns(columns), { origins: 3, step: 10 });
    expect(timed).toBe(true);
    expect(origins.map(({ time }) => (time! - firstTime) / hourMs)).toEqual([374, 384, 394]);
    const byHand = [374, 384, 394].map((origin) => {
      const { rows } = forecaster.predict(tableFromColumns(first(columns, origin)));
      expect(rows.map(({ time }) => (time - firstTime) / hourMs)).toEqual([0, 1, 2, 3, 4, 5].map((k) => origin + k));
      const errors = rows.map(({ forecast }, k) => Math.abs(forecast - Number(columns["y"]![origin + k])));
      return errors.reduce((sum, error) => sum + error, 0) / errors.length;
    });
    for (const [k, { scores }] of origins.entries()) expect(scores.model.mae).toBeCloseTo(byHand[k]!, 6);
    expect(overall.model.mae).toBeCloseTo((byHand[0]! + byHand[1]! + byHand[2]!) / 3, 6);
    expect(() =>
      forecaster.backtest(tableFromColumns(columns, "short.csv"), { origins: 100 }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: short.csv is 400 timesteps long, expected at least 624 for 100 origins, 6 timesteps apart (past 24, horizon 6).
      Ask for fewer origins, a smaller step, or give more rows.]
    `);
  });
});

describe("many series", () => {
  const table = (ids: Readonly<Record<string, number>>): Columns => {
    const parts = Object.entries(ids).map(
      ([id, count], s) => ({ id, ...wave(count, s + 1) }) as { id: string } & Columns,
    );
    return {
      id: parts.flatMap(({ id, date }) => date!.map(() => id)),
      date: parts.flatMap(({ date }) => date!),
      y: parts.flatMap(({ y }, s) => y!.map((value) => Number(value) * 10 ** s)),
    };
  };

  it("of unequal length and size are learned together; short ones are left out with a note", async () => {
    const { done, events, forecaster } = await trained(tableFromColumns(table({ a: 300, b: 200, c: 20 })), {
      ...small,
      series: "id",
      epochs: 5,
      windowsPerEpoch: 640,
    });
    expect(events[0]).toMatchObject({
      report: {
        seriesCount: 2,
        timesteps: 500,
        notes: ["shorter than 30 timesteps (past 24 + horizon 6), left out: c"],
      },
    });
    expect(done.metrics.test.model.mase).toBeLessThan(done.metrics.test.lastValue.mase);

    const forecast = forecaster.predict(tableFromColumns(table({ a: 300, new: 90, c: 20 })));
    expect(forecast.notes).toEqual([
      "not seen in training, scaled by their own history: new, c",
      "shorter than 24 timesteps (past 24), left out: c",
    ]);
    expect(forecast.rows.map(({ series }) => series)).toEqual([...Array(6).fill("a"), ...Array(6).fill("new")]);
    for (const { series, forecast: value } of forecast.rows) {
      const size = series === "a" ? 1 : 10;
      expect(value).toBeGreaterThan(10 * size);
      expect(value).toBeLessThan(30 * size);
    }
  });

  it("that end at different times are tested from origins counted back from the end of each", async () => {
    const { forecaster } = await trained(tableFromColumns(table({ a: 300, b: 200 })), { ...small, series: "id" });
    const { origins } = forecaster.backtest(tableFromColumns(table({ a: 300, b: 200 })), { origins: 2, step: 10 });
    expect(origins.map(({ stepsBeforeEnd, time }) => [stepsBeforeEnd, time])).toEqual([
      [16, undefined],
      [6, undefined],
    ]);
    const same = forecaster.backtest(tableFromColumns(table({ a: 300, b: 300 })), { origins: 1 });
    expect(same.origins.map(({ stepsBeforeEnd, time }) => [stepsBeforeEnd, (time! - firstTime) / hourMs])).toEqual([
      [6, 294],
    ]);
  });

  it("of several columns are forecast together", async () => {
    const columns = { ...wave(300), z: wave(300, 5)["y"]!.map((value) => -100 * Number(value)) };
    const { forecaster } = await trained(tableFromColumns(columns), {
      ...small,
      target: ["y", "z"],
      quantiles: [0.1, 0.9],
    });
    const result = forecaster.predict(tableFromColumns(columns));
    expect(result.rows.map(({ target }) => target)).toEqual([...Array(6).fill("y"), ...Array(6).fill("z")]);
    expect(quantilesAscend(result)).toBe(true);
    for (const { target, forecast } of result.rows) expect(Math.sign(forecast)).toBe(target === "y" ? 1 : -1);
    expect(forecaster.views(tableFromColumns(columns), 2).map(({ target }) => target)).toEqual(["y", "z"]);
  });
});

describe("choices", () => {
  it.each([
    ...(["none", "last", "season", "mean", "standard"] as const).map((window) => ({ window })),
    ...(["lastValue", "seasonalNaive"] as const).map((residual) => ({ residual })),
    { residual: "seasonalBlend", past: 24 * 7 },
    { scale: "none" },
    { scale: "log", window: "standard", residual: "seasonalNaive" },
    { cell: "lstm", depth: 2 },
    { loss: "huber", segment: 1 },
  ] as const)("forecast in the units of the data, with quantiles that do not cross: %j", async (choice) => {
    const columns = wave(500);
    const { forecaster, done } = await trained(tableFromColumns(columns), {
      ...small,
      quantiles: [0.05, 0.25, 0.5, 0.75, 0.95],
      ...choice,
    });
    const result = forecaster.predict(tableFromColumns(columns));
    expect(quantilesAscend(result)).toBe(true);
    expect(result.rows.every(({ forecast }) => forecast > 5 && forecast < 40)).toBe(true);
    expect(done.metrics.test.model.mae).toBeLessThan(done.metrics.test.lastValue.mae);
    for (const view of forecaster.views(tableFromColumns(columns)))
      for (let t = 0; t < 6; t++)
        for (let q = 1; q < 5; q++)
          expect(view.quantiles[q]!.values[t]).toBeGreaterThanOrEqual(view.quantiles[q - 1]!.values[t]!);
  });

  it.each([
    [{}, true],
    [{ loss: "mse" }, false],
    [{ quantiles: [0.1, 0.9] }, false],
  ] as const)(
    "make the median the point forecast with the loss mae and 0.5 among the quantiles: %j",
    async (choice, same) => {
      const table = tableFromColumns(wave(300));
      const { forecaster } = await trained(table, { ...small, quantiles: [0.1, 0.5, 0.9], ...choice });
      const { rows } = forecaster.predict(table);
      expect(rows.every(({ forecast, quantiles }) => forecast === quantiles[1])).toBe(same);
    },
  );

  it("of a residual add the naive forecast back: a series without noise is forecast exactly", async () => {
    const { done } = await trained(tableFromColumns(wave(400, 1, 0)), {
      ...small,
      residual: "seasonalNaive",
      epochs: 5,
      averageDecay: 0.5,
      windowsPerEpoch: 640,
      learningRate: 0.003,
    });
    expect(done.metrics.test.model.scaled.mae).toBeLessThan(0.03);
  });

  it("of no scale are refused where float32 cannot hold a target", async () => {
    const columns = wave(300);
    columns["y"]![41] = 1e39;
    expect(await refusal(tableFromColumns(columns, "sales.csv"), { ...small, scale: "none" })).toBe(
      'DataError: sales.csv: column y, series "series", timestep 42 is 1e+39, expected a size of at most 3.4e38, the largest that the network computes with, because no scale was asked for.\nUse the standard scale, or give the column in another unit.',
    );
  });

  it("of the log scale are refused where a target is not positive", async () => {
    const columns = wave(300);
    columns["y"]![41] = 0;
    expect(await refusal(tableFromColumns(columns, "sales.csv"), { ...small, scale: "log" })).toMatchInlineSnapshot(`
      "DataError: sales.csv: column y, series "series", timestep 42 is 0, expected a positive number, because the log scale was asked for.
      Use the standard scale."
    `);
  });

  it("of the window by a short trial are told", async () => {
    const { events } = await trained(tableFromColumns(wave(300)), { ...small, past: 48, window: "auto" });
    expect(events[0]).toMatchObject({
      report: {
        notes: [
          expect.stringMatching(/^window normalisation chosen by a short trial, .*: last .*, season .*, standard /),
        ],
      },
    });
  });
});

describe("training that cannot work", () => {
  it.each([1e6, 1e3, 100])("says that a learning rate of %d diverges", async (learningRate) => {
    const message = await refusal(tableFromColumns(wave(300)), { ...small, epochs: 8, learningRate });
    expect(message).toMatch(/^TrainingError: training step \d+: .*\nTraining diverges: lower the learning rate \(now /);
  });

  it.each([
    [
      "an unknown cell",
      wave(300),
      { cell: "ltsm" },
      `OptionError: cell is unknown: "ltsm", expected one of ${Object.keys(cells).join(", ")}.\nDid you mean "lstm"?`,
    ],
    ["horizon 0", wave(300), { horizon: 0 }, "OptionError: horizon is 0, expected 1, 2, 3, ….\nGive a whole number."],
    [
      "a segment that does not divide the past",
      wave(300),
      { segment: 7 },
      "OptionError: segment is 7, expected a divisor of past, which is 24.\nChoose segment 6 or past 21.",
    ],
    [
      "a past shorter than the residual needs",
      wave(300),
      { residual: "seasonalBlend" },
      'OptionError: past is 24, expected at least 168 for residual "seasonalBlend".\nLook back further, or forecast no residual.',
    ],
    [
      "quantiles that do not ascend",
      wave(300),
      { quantiles: [0.9, 0.1] },
      "OptionError: quantiles is 0.9, 0.1, expected levels between 0 and 1, ascending.\nFor example 0.1, 0.5, 0.9.",
    ],
    [
      "a series shorter than past and horizon",
      wave(20),
      {},
      "DataError: data.csv is 20 timesteps long, expected at least 30 timesteps (past 24 + horizon 6).\nGive more rows, or look back on and forecast fewer timesteps.",
    ],
    [
      "a part shorter than the horizon",
      wave(50),
      {},
      "DataError: data.csv: the validation part is 5 timesteps long, expected at least 6 (horizon).\nGive more rows, make this part larger, or forecast fewer timesteps.",
    ],
    [
      "a constant series",
      { date: hours(300), y: Array(300).fill(5) },
      {},
      "DataError: data.csv: column y is 5 throughout the training part, expected values that change, so that there is something to learn.\nChoose another target, or a longer training part.",
    ],
    [
      "numbers out of range",
      { date: hours(300), y: wave(300)["y"]!.map((value) => Number(value) * 1e300) },
      {},
      "DataError: data.csv: column y is between 1.434554206687281e+301 and 2.539839284979305e+301, expected numbers whose squares can be computed, of a size between 1e-150 and 1e150.\nGive the column in another unit.",
    ],
    [
      "times without a pattern",
      {
        date: hours(300).map((time, t) => new Date(time.getTime() + ((t * t * 7919) % 3000) * 1000)),
        y: wave(300)["y"]!,
      },
      {},
      "DataError: data.csv: column date is irregular: its most common step, 709 seconds, is only 1 of 299, expected times at one interval.\nResample the data to one interval, or leave the column out to take each row as one timestep.",
    ],
  ] as [string, Columns, Partial<ForecastOptions>, string][])("refuses %s", async (_, columns, options, message) => {
    expect(await refusal(tableFromColumns(columns, "data.csv"), { ...small, ...options })).toBe(message);
  });

  it("refuses times where there were none, and none where there were", async () => {
    const columns = wave(300);
    const { date: _, ...untimed } = columns;
    const timedModel = await trained(tableFromColumns(columns), small);
    const untimedModel = await trained(tableFromColumns(untimed), small);
    expect(() =>
      timedModel.forecaster.predict(tableFromColumns(untimed, "new.csv")),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: new.csv: the time column is missing, expected a time for each row, as in the data that the model was trained on.
      Add the column of times.]
    `);
    expect(() =>
      untimedModel.forecaster.predict(tableFromColumns(columns, "new.csv")),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: new.csv: the time column is there, expected none, as in the data that the model was trained on.
      Leave the column of times out.]
    `);
    expect(untimedModel.forecaster.predict(tableFromColumns(untimed)).rows[0]).toMatchObject({ time: 300 });
  });
});
