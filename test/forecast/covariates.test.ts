/** What is known besides the target: past, future and static columns. */
import { createRandom } from "recurra";
import { tableFromColumns } from "recurra/data";
import { describe, expect, it } from "vitest";
import { type Columns, firstTime, hourMs, hours, small, trained } from "../support/forecast.ts";

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
    for (const [step, value] of forecast.entries()) expect(Math.abs(value - (step % 2 === 0 ? 16 : 4))).toBeLessThan(3);
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
