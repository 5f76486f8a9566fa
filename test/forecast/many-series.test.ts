/** One forecaster for many series. */
import { tableFromColumns } from "recurra/data";
import { describe, expect, it } from "vitest";
import { type Columns, firstTime, hourMs, quantilesAscend, small, trained, wave } from "../support/forecast.ts";

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
