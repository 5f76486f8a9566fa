/** What a forecaster chooses by itself. */
import { tableFromColumns } from "recurra/data";
import { describe, expect, it } from "vitest";
import { quantilesAscend, refusal, small, trained, wave } from "../support/forecast.ts";

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
