/** Forecasting from a table to a saved model, by what a user can see. Small seeded tasks; each reaches a stated error. */
import { readFileSync } from "node:fs";
import { tableFromColumns } from "recurra/data";
import { loadForecaster, trainForecaster } from "recurra/tasks";
import { describe, expect, it } from "vitest";
import { type Done, small, trained, wave, weightsOf } from "../support/forecast.ts";

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
    const [, ...lines] = readFileSync(new URL("../../examples/data/airline-passengers.csv", import.meta.url), "utf8")
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
