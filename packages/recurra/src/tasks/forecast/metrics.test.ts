import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createErrorTotals } from "./metrics.ts";

const plain = { targets: 1, deviation: [2], naiveError: [4] };

describe("createErrorTotals", () => {
  it("gives every number by its definition", () => {
    const totals = createErrorTotals({ ...plain, quantiles: [0.1, 0.5, 0.9] });
    // Errors 1, −2, 0; actual values 3, 2, 7 with mean 4 and squared distances 1 + 4 + 9.
    totals.add(0, 0, 3, 2, [1, 2, 4]);
    totals.add(0, 0, 2, 4, [9, 9, 3, 4, 5], 2);
    totals.add(0, 0, 7, 7, [6, 7, 7]);
    const table = totals.result();
    expect(table.mse).toBeCloseTo(5 / 3, 12);
    expect(table.mae).toBe(1);
    expect(table.rmse).toBeCloseTo(Math.sqrt(5 / 3), 12);
    expect(table.smape).toBeCloseTo((200 / 5 + 400 / 6 + 0) / 3, 12);
    expect(table.mase).toBe(1 / 4);
    expect(table.rse).toBeCloseTo(Math.sqrt(5 / 14), 12);
    // Pinball: 0.1·2 + 0.5·1 + 0.1·1, then 0.9·1 + 0.5·2 + 0.1·3, then 0.1·1 + 0 + 0.
    expect(table.quantileLoss).toBeCloseTo((0.8 + 2.2 + 0.1) / 9, 12);
    expect(table.coverage).toBeCloseTo(2 / 3, 12);
    expect(table.scaled.mse).toBeCloseTo(5 / 3 / 4, 12);
    expect(table.scaled.mae).toBe(1 / 2);
  });

  it("takes 0/0 as no error in sMAPE", () => {
    const totals = createErrorTotals(plain);
    totals.add(0, 0, 0, 0);
    totals.add(0, 0, 0, 5);
    expect(totals.result().smape).toBe(100);
  });

  it("averages MASE over series, not over values, and leaves out series without a scale", () => {
    const totals = createErrorTotals({ targets: 1, deviation: [1, 1, 1, 1], naiveError: [1, 10, 0, Number.NaN] });
    for (let k = 0; k < 9; k++) totals.add(0, 0, 2, 0);
    totals.add(1, 0, 40, 0);
    totals.add(2, 0, 1, 0);
    totals.add(3, 0, 1, 0);
    expect(totals.result().mase).toBe((2 + 4) / 2);
  });

  it("scales each series and target by its own deviation", () => {
    const totals = createErrorTotals({ targets: 2, deviation: [1, 10, 100, 1000], naiveError: [1, 1, 1, 1] });
    totals.add(0, 1, 10, 0);
    totals.add(1, 1, 3000, 0);
    expect(totals.result().scaled).toEqual({ mse: 5, mae: 2 });
  });

  it("has no quantile numbers without quantiles, and NaN where nothing was added", () => {
    const table = createErrorTotals(plain).result();
    expect(Object.keys(table)).toEqual(["mse", "mae", "rmse", "smape", "mase", "rse", "scaled"]);
    expect([table.mse, table.mase, table.scaled.mae]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it("refuses a forecast without the quantiles it is judged by", () => {
    const totals = createErrorTotals({ ...plain, quantiles: [0.5] });
    expect(() => totals.add(0, 0, 1, 1)).toThrowErrorMatchingInlineSnapshot(`
      [InternalError: metrics: a forecast without the quantiles it is to be judged by
      This is a fault of recurra: please report it.]
    `);
  });

  it("shows a forecast that is no number", () => {
    const totals = createErrorTotals(plain);
    totals.add(0, 0, 1, Number.NaN);
    const { mse, smape, mase } = totals.result();
    expect([mse, smape, mase]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it("keeps the digits of RSE far from zero, and does not care about order", () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 })), {
      minLength: 2,
    });
    fc.assert(
      fc.property(pairs, (pairs) => {
        fc.pre(new Set(pairs.map(([y]) => y)).size > 1);
        const far = 1e8;
        const rse = (list: typeof pairs) => {
          const totals = createErrorTotals(plain);
          for (const [y, forecast] of list) totals.add(0, 0, far + y, far + forecast);
          return totals.result().rse;
        };
        const mean = pairs.reduce((sum, [y]) => sum + y, 0) / pairs.length;
        const squares = pairs.reduce((sum, [y, forecast]) => sum + (y - forecast) ** 2, 0);
        const expected = Math.sqrt(squares / pairs.reduce((sum, [y]) => sum + (y - mean) ** 2, 0));
        for (const list of [pairs, [...pairs].reverse()]) {
          expect(Math.abs(rse(list) - expected)).toBeLessThan(1e-5 * (1 + expected));
        }
      }),
    );
  });
});
