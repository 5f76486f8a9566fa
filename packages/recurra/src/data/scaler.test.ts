import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tableFromColumns } from "./make-table.ts";
import { fitCovariateScaler, fitScaler, fitTargetScalers, scale, unscale } from "./scaler.ts";
import { readSeries } from "./series.ts";
import { splitSeries } from "./split.ts";

describe("fitScaler", () => {
  it("fits mean and deviation (by N) of the given rows only", () => {
    // Rows (1, 10) (3, 10) (100, 10): the last lies outside.
    const values = Float64Array.of(1, 10, 3, 10, 100, 10);
    const scaler = fitScaler(["a", "b"], [{ values, start: 0, end: 2 }]);
    expect(scaler).toEqual({ columns: ["a", "b"], mean: [2, 10], deviation: [1, 1], constant: ["b"] });
    expect(JSON.parse(JSON.stringify(scaler))).toEqual(scaler);
  });

  it("pools stretches and leaves out what was not observed", () => {
    const scaler = fitScaler(
      ["a"],
      [
        { values: Float64Array.of(1, 99, 3), observed: Uint8Array.of(1, 0, 1), start: 0, end: 3 },
        { values: Float64Array.of(7, 5), start: 1, end: 2 },
      ],
    );
    expect(scaler.mean).toEqual([3]);
    expect(scaler.deviation[0]).toBeCloseTo(Math.sqrt(8 / 3), 14);
  });

  it("finds a constant column whose mean is rounded", () => {
    const values = new Float64Array(1000).fill(0.1);
    expect(fitScaler(["a"], [{ values, start: 0, end: 1000 }])).toMatchObject({
      mean: [0.1],
      deviation: [1],
      constant: ["a"],
    });
  });

  it("keeps its digits far from zero", () => {
    const values = Float64Array.from({ length: 1000 }, (_, t) => 1e9 + (t % 2));
    expect(fitScaler(["a"], [{ values, start: 0, end: 1000 }]).deviation[0]).toBeCloseTo(0.5, 9);
  });

  it("is undone by unscale, and gives mean 0 and deviation 1", () => {
    const number = fc.integer({ min: -(10 ** 6), max: 10 ** 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { minLength: 2 }), (rows) => {
        const values = Float64Array.from(rows.flat());
        const scaler = fitScaler(["a", "b"], [{ values, start: 0, end: rows.length }]);
        const scaled = scale(scaler, values);
        for (const [k, value] of unscale(scaler, scaled).entries()) expect(value).toBeCloseTo(values[k]!, 6);
        const again = fitScaler(["a", "b"], [{ values: scaled, start: 0, end: rows.length }]);
        for (const k of [0, 1]) {
          if (scaler.constant.includes(scaler.columns[k]!)) continue;
          expect(again.mean[k]).toBeCloseTo(0, 8);
          expect(again.deviation[k]).toBeCloseTo(1, 8);
        }
      }),
    );
  });
});

const halves = { train: 0.5, validation: 0.25, test: 0.25 };
const size = { past: 1, horizon: 1 };

describe("fitTargetScalers", () => {
  it("fits each series by itself, from its training part", () => {
    const id = ["a", "b", "a", "b", "a", "b", "a", "b"];
    const table = tableFromColumns({ id, y: [1, 10, 3, 30, 500, 0, 900, 7] }, "data.csv");
    const { set, split } = splitSeries(readSeries(table, { target: "y", series: "id" }), halves, size);
    const { scalers, notes } = fitTargetScalers(set, split);
    expect(scalers.map(({ mean, deviation }) => [mean[0], deviation[0]])).toEqual([
      [2, 1],
      [20, 10],
    ]);
    expect(notes).toEqual([]);
  });

  it("names constant series among others, and refuses the only one", () => {
    const id = ["a", "a", "a", "a", "b", "b", "b", "b"];
    const y = [5, 5, 6, 7, 1, 2, 3, 4];
    const many = splitSeries(
      readSeries(tableFromColumns({ id, y }, "data.csv"), { target: "y", series: "id" }),
      halves,
      size,
    );
    expect(fitTargetScalers(many.set, many.split).notes).toEqual(["y: constant in the training part of a"]);
    const table = tableFromColumns({ y: y.slice(0, 4) }, "data.csv");
    const one = splitSeries(readSeries(table, { target: "y" }), halves, size);
    expect(() => fitTargetScalers(one.set, one.split)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: column y is 5 throughout the training part, expected values that change, so that there is something to learn.
      Choose another target, or a longer training part.]
    `);
    const flat = tableFromColumns({ id, y: y.map((_, row) => (row < 4 ? 1 : 2)) }, "data.csv");
    const all = splitSeries(readSeries(flat, { target: "y", series: "id" }), halves, size);
    expect(() => fitTargetScalers(all.set, all.split)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: column y is constant in the training part of every series, expected values that change, so that there is something to learn.
      Choose another target, or a longer training part.]
    `);
  });
});

it("fitCovariateScaler fits one scaler over all series, from their training parts, and reports constants", () => {
  const table = tableFromColumns({
    id: ["a", "a", "a", "a", "b", "b", "b", "b"],
    y: [1, 2, 3, 4, 5, 6, 7, 8],
    load: [1, 1, 90, 90, 3, 3, 90, 90],
    flag: [0, 0, 1, 1, 0, 0, 1, 1],
    size: [2, 2, 2, 2, 6, 6, 6, 6],
  });
  const options = { target: "y", series: "id", pastCovariates: ["load", "flag"], staticCovariates: ["size"] };
  const { set, split } = splitSeries(readSeries(table, options), halves, size);
  const past = fitCovariateScaler(set, split, "pastCovariates");
  expect(past.scaler).toEqual({ columns: ["load", "flag"], mean: [2, 0], deviation: [1, 1], constant: ["flag"] });
  expect(past.notes).toEqual(["flag: constant in the training part"]);
  expect(fitCovariateScaler(set, split, "staticCovariates").scaler).toMatchObject({ mean: [4], deviation: [2] });
  expect(fitCovariateScaler(set, split, "futureCovariates").scaler.columns).toEqual([]);
});
