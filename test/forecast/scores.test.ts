/** How a forecaster is scored. */
import { tableFromColumns } from "recurra/data";
import { describe, expect, it } from "vitest";
import { first, firstTime, hourMs, last, small, trained, wave } from "../support/forecast.ts";

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
