/** Gaps in a table of a forecaster. */
import { createRandom } from "recurra";
import { tableFromColumns } from "recurra/data";
import { describe, expect, it } from "vitest";
import { type Columns, refusal, small, trained, wave } from "../support/forecast.ts";

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
