import { describe, expect, it } from "vitest";
import { layGrid } from "./grid.ts";
import { tableFromColumns } from "./make-table.ts";
import { resolveRoles } from "./roles.ts";

const lay = (
  date: readonly (string | null)[],
  missing: "interpolate" | "error" = "interpolate",
  store?: readonly (string | null)[],
) => {
  const y = date.map((_, k) => k);
  const table = tableFromColumns(store === undefined ? { date, y } : { date, y, store }, "data.csv");
  const series = store === undefined ? {} : { series: "store" };
  return layGrid(table, resolveRoles(table, { target: "y", time: "date", ...series }), missing);
};

describe("layGrid", () => {
  it("counts timesteps without a row and says where the first is", () => {
    const grid = lay(["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06", "2024-01-08"]);
    expect(Array.from(grid.series[0]!.positions)).toEqual([0, 1, 4, 5, 7]);
    expect(grid.insertedSteps).toBe(3);
    expect(grid.notes).toEqual(["3 missing timesteps of 1 day are inserted, the first after 2024-01-02"]);
  });

  it("separates interleaved series and keeps their order", () => {
    const grid = lay(["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02", "2024-01-04"], "interpolate", [
      "b",
      "a",
      "b",
      "a",
      "a",
    ]);
    expect(grid.series.map(({ id }) => id)).toEqual(["b", "a"]);
    expect(Array.from(grid.series[1]!.rows)).toEqual([1, 3, 4]);
    expect(Array.from(grid.series[1]!.positions)).toEqual([0, 1, 3]);
    expect(grid.notes).toEqual([
      "1 missing timestep of 1 day is inserted in 1 series, the first in a after 2024-01-02",
    ]);
  });

  it("takes months as regular", () => {
    const grid = lay(["2024-01-31", "2024-02-29", "2024-03-31", "2024-05-31"]);
    expect(Array.from(grid.series[0]!.positions)).toEqual([0, 1, 2, 4]);
    expect(grid.notes).toEqual(["1 missing timestep of 1 month is inserted, the first after 2024-03-31"]);
  });

  it("takes trading days as one step apart and counts holidays", () => {
    const week = (from: number, without: number) => {
      return [0, 1, 2, 3, 4].filter((k) => k !== without).map((k) => `2018-01-${String(from + k).padStart(2, "0")}`);
    };
    const grid = lay([...week(1, 0), ...week(8, -1), ...week(15, 0), ...week(22, -1)]);
    expect(grid.interval).toEqual({ kind: "businessDays" });
    expect(Array.from(grid.series[0]!.positions)).toEqual(Array.from({ length: 18 }, (_, k) => k));
    expect(grid.notes).toEqual(["business days: weekends are left out, and 1 weekday without a row"]);
  });

  it("takes rows as timesteps without a time column, and says so", () => {
    const table = tableFromColumns({ y: [1, 2, 3] }, "data.csv");
    const grid = layGrid(table, resolveRoles(table, { target: "y" }), "error");
    expect(grid.interval).toEqual({ kind: "index" });
    expect(grid.series[0]).toEqual({
      id: "series",
      rows: Int32Array.of(0, 1, 2),
      positions: Int32Array.of(0, 1, 2),
      times: undefined,
    });
    expect(grid.notes).toEqual(["no time column: rows are taken as timesteps in the order given"]);
  });

  it("refuses a time that is there twice", () => {
    expect(() => lay(["2024-01-01", "2024-01-02", "2024-01-02"])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 3, column date is 2024-01-02, the time of data.csv: row 2 again, expected one row for each time.
      Keep one of the rows; if the table holds several series, name the column that tells them apart (option series).]
    `);
  });

  it("refuses times out of order, and names the series", () => {
    expect(() => lay(["2024-01-03", "2024-01-02"])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 2, column date is 2024-01-02, earlier than data.csv: row 1 with 2024-01-03, expected times in ascending order.
      Sort the rows by time; if the table holds several series, name the column that tells them apart (option series).]
    `);
    expect(() =>
      lay(["2024-01-03", "2024-01-01", "2024-01-02"], "error", ["a", "b", "a"]),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 3, column date of series "a" is 2024-01-02, earlier than data.csv: row 1 with 2024-01-03, expected times in ascending order.
      Sort the rows by time; if the table holds several series, name the column that tells them apart (option series).]
    `);
  });

  it("refuses a time off the grid, and names the usual interval", () => {
    const dates = ["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00", "2024-01-01 02:47"];
    expect(() => lay(dates)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 4, column date is 2024-01-01 02:47, 47 minutes after the row before it, expected a whole number of steps of 1 hour after it (the usual interval).
      Resample the data to one interval, or correct this time.]
    `);
  });

  it("refuses gaps when they are errors", () => {
    expect(() => lay(["2024-01-01", "2024-01-02", "2024-01-05"], "error")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 3, column date is 2024-01-05, 3 days after the row before it, expected 1 day after it (the usual interval).
      Add the missing rows, or choose "interpolate" or "mask" for what is missing.]
    `);
  });

  it("refuses to make up more timesteps than there are rows", () => {
    expect(() => lay(["2024-01-01", "2024-01-02", "2024-02-05"])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 2: the time after 2024-01-02 is the first of 33 timesteps without a row, more than the 3 rows there are, expected a row every 1 day, with few missing.
      Resample the data to a longer interval.]
    `);
  });

  it("refuses empty times and empty series names", () => {
    expect(() => lay(["2024-01-01", null])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 2, column date is empty, expected a time.
      Fill it in, or leave the row out.]
    `);
    expect(() => lay(["2024-01-01", "2024-01-01"], "error", ["a", null])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 2, column store is empty, expected the name of the series the row belongs to.
      Fill it in, or leave the row out.]
    `);
  });
});
