import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tableFromColumns } from "./make-table.ts";
import { readSeries } from "./series.ts";
import { splitSeries } from "./split.ts";
import { forecastWindows, planAllWindows, planWindows } from "./windows.ts";

const setOf = (timesteps: number) => {
  return readSeries(tableFromColumns({ y: Array.from({ length: timesteps }, (_, t) => t) }, "data.csv"), {
    target: "y",
  });
};
const splitOf = (timesteps: number, train: number, validation: number, test: number) => {
  return splitSeries(setOf(timesteps), { train, validation, test }, { past: 1, horizon: 1 });
};

describe("planWindows", () => {
  it("gives the windows of the published results on ETTh1", () => {
    const { set, split } = splitOf(17_420, 8640, 2880, 2880);
    const windows = planAllWindows(set, split, { past: 96, horizon: 24 });
    expect(windows.train.count).toBe(8640 - 96 - 24 + 1);
    expect(windows.validation.count).toBe(2857);
    expect(windows.test.count).toBe(2857);
    expect([windows.train.origin[0], windows.train.origin.at(-1)]).toEqual([96, 8640 - 24]);
    expect([windows.test.origin[0], windows.test.origin.at(-1)]).toEqual([11_520, 14_400 - 24]);
    expect(planAllWindows(set, split, { past: 96, horizon: 96 }).test.count).toBe(2785);
  });

  it("keeps each future in its part, each past in the series, and training windows apart from the rest", () => {
    const size = fc.integer({ min: 1, max: 9 });
    const part = fc.integer({ min: 1, max: 30 });
    fc.assert(
      fc.property(part, part, part, size, size, size, (train, validation, test, past, horizon, stride) => {
        const { split } = splitOf(train + validation + test, train, validation, test);
        for (const part of ["train", "validation", "test"] as const) {
          const { start, end } = split.series[0]!.train;
          const range = split.series[0]![part];
          const windows = planWindows(split, part, { past, horizon, stride });
          const fits = (origin: number) => {
            const from = part === "train" ? origin - past >= start && origin <= end : origin - past >= 0;
            return from && origin >= range.start && origin + horizon <= range.end;
          };
          const all = Array.from({ length: train + validation + test }, (_, t) => t).filter(fits);
          const first = all[0] ?? 0;
          expect(Array.from(windows.origin)).toEqual(all.filter((origin) => (origin - first) % stride === 0));
        }
      }),
    );
  });

  it("starts training where the training part starts, while later parts may look back before it", () => {
    const id = Array.from({ length: 22 }, (_, row) => (row < 10 ? "a" : "b"));
    const read = readSeries(tableFromColumns({ id, y: id.map((_, row) => row) }), { target: "y", series: "id" });
    const { split } = splitSeries(read, { train: 4, validation: 1, test: 1 }, { past: 3, horizon: 1 });
    const train = planWindows(split, "train", { past: 3, horizon: 1 });
    expect([Array.from(train.series), Array.from(train.origin)]).toEqual([
      [0, 1],
      [7, 9],
    ]);
    const validation = planWindows(split, "validation", { past: 7, horizon: 1 });
    expect([Array.from(validation.series), Array.from(validation.origin)]).toEqual([
      [0, 1],
      [8, 10],
    ]);
  });

  it("refuses sizes that are not whole timesteps", () => {
    const { split } = splitOf(10, 6, 2, 2);
    expect(() => planWindows(split, "test", { past: 2, horizon: 0 })).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: horizon is 0, expected 1, 2, 3, ….
      Count in whole timesteps.]
    `);
    expect(() => planWindows(split, "test", { past: 1.5, horizon: 1 })).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: past is 1.5, expected 1, 2, 3, ….
      Count in whole timesteps.]
    `);
  });
});

describe("planAllWindows", () => {
  it("thins out training windows only", () => {
    const { set, split } = splitOf(40, 20, 10, 10);
    const { train, test } = planAllWindows(set, split, { past: 4, horizon: 2, stride: 3 });
    expect(Array.from(train.origin)).toEqual([4, 7, 10, 13, 16]);
    expect(test.count).toBe(9);
  });

  it("refuses parts without a window, unless none was asked for", () => {
    const { set, split } = splitOf(20, 10, 5, 5);
    expect(() => planAllWindows(set, split, { past: 8, horizon: 3 })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: the training part is 10 timesteps long, expected at least 11 (past 8 + horizon 3).
      Give more rows, make this part larger, or look back on and forecast fewer timesteps.]
    `);
    expect(() => planAllWindows(set, split, { past: 2, horizon: 6 })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: the validation part is 5 timesteps long, expected at least 6 (horizon).
      Give more rows, make this part larger, or forecast fewer timesteps.]
    `);
    const whole = splitOf(20, 1, 0, 0);
    expect(planAllWindows(whole.set, whole.split, { past: 2, horizon: 6 }).test.count).toBe(0);
  });
});

describe("forecastWindows", () => {
  it("begins right after the last target of each series", () => {
    const { windows } = forecastWindows(setOf(7), { past: 3, horizon: 2 });
    expect(windows).toEqual({ past: 3, horizon: 2, count: 1, series: Int32Array.of(0), origin: Int32Array.of(7) });
  });

  it("refuses a past that is too short and a future that is not known", () => {
    expect(() => forecastWindows(setOf(7), { past: 8, horizon: 2 })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv is 7 timesteps long, expected at least 8 timesteps (past 8).
      Give more rows, or look back on and forecast fewer timesteps.]
    `);
    const read = (y: readonly (number | null)[]) => {
      const table = tableFromColumns({ y, price: y.map((_, t) => t) }, "new.csv");
      return readSeries(table, { target: "y", futureCovariates: ["price"] });
    };
    expect(forecastWindows(read([1, 2, null, null]), { past: 2, horizon: 2 }).windows.count).toBe(1);
    expect(() => forecastWindows(read([1, 2, null]), { past: 2, horizon: 2 })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: new.csv: price after the last target is known for 1 timesteps, expected known for all 2 timesteps of the forecast.
      Add rows for the future with these columns and an empty target.]
    `);
    expect(() => forecastWindows(read([1, 2]), { past: 2, horizon: 2 })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: new.csv: price after the last target is missing, expected known for all 2 timesteps of the forecast.
      Add rows for the future with these columns and an empty target.]
    `);
  });
});
