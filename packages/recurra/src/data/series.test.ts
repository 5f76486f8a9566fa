import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tableFromColumns, tableFromRows } from "./make-table.ts";
import { listNames, readSeries } from "./series.ts";

const days = (count: number) => Array.from({ length: count }, (_, k) => `2024-01-${String(k + 1).padStart(2, "0")}`);

describe("readSeries", () => {
  it("makes matrices by role, row by row", () => {
    const table = tableFromColumns(
      { date: days(2), a: [1, 2], b: [3, 4], load: [5, 6], region: ["n", "n"], size: [9, 9] },
      "data.csv",
    );
    const set = readSeries(table, {
      target: ["b", "a"],
      pastCovariates: ["load"],
      staticCovariates: ["size", "region"],
    });
    expect(set.notes).toEqual([]);
    expect(set.series).toEqual([
      {
        id: "series",
        timesteps: 2,
        knownTimesteps: 2,
        times: Float64Array.of(Date.UTC(2024, 0, 1), Date.UTC(2024, 0, 2)),
        targets: Float64Array.of(3, 1, 4, 2),
        observed: undefined,
        pastCovariates: Float64Array.of(5, 6),
        futureCovariates: new Float64Array(0),
        staticCovariates: Float64Array.of(9),
        pastCategories: [],
        futureCategories: [],
        staticCategories: ["n"],
      },
    ]);
  });

  const gappy = tableFromRows(
    [
      { date: "2024-01-01", OT: 1, load: null },
      { date: "2024-01-02", OT: null, load: 2 },
      { date: "2024-01-03", OT: 5, load: 3 },
      { date: "2024-01-05", OT: 9, load: 5 },
      { date: "2024-01-06", OT: null, load: 6 },
    ],
    "data.csv",
  );

  it("interpolates gaps and missing numbers, and reports them by column", () => {
    const { series, notes } = readSeries(gappy, { target: "OT", pastCovariates: ["load"] });
    expect(series[0]!.targets).toEqual(Float64Array.of(1, 3, 5, 7, 9));
    expect(series[0]!.observed).toEqual(Uint8Array.of(1, 0, 1, 0, 1));
    expect(series[0]!.pastCovariates).toEqual(Float64Array.of(2, 2, 3, 4, 5));
    expect(series[0]!.times!.at(3)).toBe(Date.UTC(2024, 0, 4));
    expect(notes).toEqual([
      "1 missing timestep of 1 day is inserted, the first after 2024-01-03",
      "OT: 2 missing values interpolated",
      "load: 2 missing values interpolated",
      "1 timestep after the last target left out",
    ]);
  });

  it("masks without looking ahead", () => {
    const { series, notes } = readSeries(gappy, { target: "OT", missing: "mask" });
    expect(series[0]!.targets).toEqual(Float64Array.of(1, 1, 5, 5, 9));
    expect(series[0]!.observed).toEqual(Uint8Array.of(1, 0, 1, 0, 1));
    expect(notes).toContain("OT: 2 missing values masked");
  });

  it("refuses missing numbers when they are errors", () => {
    const table = tableFromColumns({ OT: [1, null, 3] }, "data.csv");
    expect(() => readSeries(table, { target: "OT", missing: "error" })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 2, column OT is empty, expected a value in every row.
      Fill it in, or choose "interpolate" or "mask" for what is missing.]
    `);
  });

  it("keeps rows at the end with only future covariates as known future, and refuses none of them", () => {
    const table = tableFromColumns(
      {
        date: days(5),
        OT: [1, 2, 3, null, null],
        price: [1, 2, 3, 4, 5],
        promo: ["a", "a", "b", "b", "c"],
        past: [1, 2, 3, null, null],
      },
      "data.csv",
    );
    const options = {
      target: "OT",
      futureCovariates: ["price", "promo"],
      categorical: ["promo"],
      pastCovariates: ["past"],
    };
    for (const missing of ["error", "mask", "interpolate"] as const) {
      const { series, notes } = readSeries(table, { ...options, missing });
      expect(notes).toEqual([]);
      expect([series[0]!.timesteps, series[0]!.knownTimesteps]).toEqual([3, 5]);
      expect(series[0]!.times!.length).toBe(5);
      expect(series[0]!.targets).toEqual(Float64Array.of(1, 2, 3));
      expect(series[0]!.pastCovariates).toEqual(Float64Array.of(1, 2, 3));
      expect(series[0]!.futureCovariates).toEqual(Float64Array.of(1, 2, 3, 4, 5));
      expect(series[0]!.futureCategories).toEqual([["a", "a", "b", "b", "c"]]);
    }
  });

  it("refuses a known future with holes when missing numbers are errors", () => {
    const table = tableFromColumns({ OT: [1, 2, null, null], price: [1, 2, null, 4] }, "data.csv");
    const options = { target: "OT", futureCovariates: ["price"], missing: "error" } as const;
    expect(() => readSeries(table, options)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 3, column price is empty, expected a value in every row.
      Fill it in, or choose "interpolate" or "mask" for what is missing.]
    `);
  });

  it("keeps missing categories apart, and reports them", () => {
    const table = tableFromColumns({ OT: [1, 2], weather: ["sun", null] }, "data.csv");
    const { series, notes } = readSeries(table, {
      target: "OT",
      pastCovariates: ["weather"],
      categorical: ["weather"],
    });
    expect(series[0]!.pastCategories).toEqual([["sun", null]]);
    expect(notes).toContain("weather: 1 missing value taken as an unknown category");
  });

  it("leaves out series without a target where there are others", () => {
    const table = tableFromColumns({ id: ["a", "b", "b"], OT: [null, 1, 2] }, "data.csv");
    const { series, notes } = readSeries(table, { target: "OT", series: "id" });
    expect(series.map(({ id }) => id)).toEqual(["b"]);
    expect(notes).toContain("series without a target value left out: a");
  });

  it("refuses an empty table, an empty target and an empty covariate", () => {
    expect(() => readSeries(tableFromRows([], "data.csv"), { target: "OT" })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv is empty, expected at least one row below the column names.
      Check that the right data was given and that it was written to the end.]
    `);
    const table = tableFromColumns({ OT: [null, null], y: [1, 2], id: ["a", "b"] }, "data.csv");
    expect(() => readSeries(table, { target: "OT" })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: column OT is empty, expected at least one number.
      Fill it in, or leave it out.]
    `);
    expect(() => readSeries(table, { target: "OT", series: "id" })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: column OT is empty, expected numbers to learn from.
      Choose another target, or fill the column.]
    `);
    expect(() =>
      readSeries(table, { target: "y", series: "id", pastCovariates: ["OT"] }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: column OT of series "a" is empty, expected at least one number.
      Fill it in, or leave it out.]
    `);
  });

  it("refuses text in the target", () => {
    const table = tableFromColumns({ OT: ["1", "oops"] }, "data.csv");
    expect(() => readSeries(table, { target: "OT" })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 2, column OT is the text "oops", expected a number.
      Write a number, or leave the cell empty.]
    `);
  });

  it("refuses a static covariate that changes within a series", () => {
    const table = tableFromColumns({ id: ["a", "b", "a"], y: [1, 2, 3], size: [1, 2, 3] }, "data.csv");
    expect(() =>
      readSeries(table, { target: "y", series: "id", staticCovariates: ["size"] }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 3, column size is 3, expected 1, as in data.csv: row 1: a static covariate is constant within a series (here "a").
      Make it a past or future covariate.]
    `);
  });

  it("holds new data to the interval of the old", () => {
    const table = tableFromColumns({ date: ["2024-01-01 00:00", "2024-01-01 00:30"], y: [1, 2] }, "new.csv");
    const options = { target: "y", interval: { kind: "fixed", ms: 3_600_000 } } as const;
    expect(() => readSeries(table, options)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: new.csv: row 2, column date is 2024-01-01 00:30, 30 minutes after the row before it, expected a whole number of steps of 1 hour after it (the usual interval).
      Resample the data to one interval, or correct this time.]
    `);
  });

  it("gives each series the same whether read alone or with others", () => {
    const cell = fc.option(fc.integer({ min: -9, max: 9 }), { nil: null });
    const rows = fc.array(fc.record({ id: fc.constantFrom("a", "b"), y: cell, z: cell }), { minLength: 1 });
    fc.assert(
      fc.property(rows, fc.constantFrom("interpolate" as const, "mask" as const), (rows, missing) => {
        const options = { target: ["y", "z"], series: "id", missing };
        for (const id of ["a", "b"]) {
          const own = rows.filter((row) => row.id === id);
          fc.pre(own.some(({ y }) => y !== null) && own.some(({ z }) => z !== null));
          const together = readSeries(tableFromRows(rows), options).series.find((series) => series.id === id);
          expect(together).toEqual(readSeries(tableFromRows(own), options).series[0]);
          expect(together!.targets.every(Number.isFinite)).toBe(true);
        }
      }),
    );
  });
});

it("listNames cuts long lists", () => {
  expect(listNames(["a", "b"])).toBe("a, b");
  expect(listNames(["a", "b", "c", "d", "e", "f", "g"])).toBe("a, b, c, d, e and 2 more");
});
