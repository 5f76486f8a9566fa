import { describe, expect, it } from "vitest";
import { findColumn, labelsOf, numbersOf, rowLabel, type Table, timesOf } from "./table.ts";

const table: Table = {
  source: "data.csv",
  rowCount: 3,
  rowLabel: (row) => `data.csv: line ${row + 2}`,
  columns: [
    { name: "date", kind: "time", values: Float64Array.of(0, 3_600_000, Number.NaN) },
    { name: "OT", kind: "number", values: Float64Array.of(1.5, Number.NaN, -2) },
    { name: "HUFL", kind: "text", values: ["3.5", null, "n/a"] },
    { name: "code", kind: "text", values: [null, "7", "8"] },
    { name: "load", kind: "number", values: Float64Array.of(1, Number.NEGATIVE_INFINITY, 2) },
  ],
};

describe("findColumn", () => {
  it("names the nearest column when there is none of that name", () => {
    expect(() => findColumn(table, "0T")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: column "0T" is missing, expected one of date, OT, HUFL, code, load.
      Did you mean "OT"?]
    `);
    expect(() => findColumn(table, "temperature")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: column "temperature" is missing, expected one of date, OT, HUFL, code, load.
      Check the spelling, or add the column.]
    `);
  });

  it("refuses two columns of one name", () => {
    const twice = { ...table, columns: [...table.columns, table.columns[1]!] };
    expect(() => findColumn(twice, "OT")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: column "OT" is there twice, expected one column of each name.
      Rename one of them.]
    `);
  });
});

describe("numbersOf", () => {
  it("gives the numbers with NaN where they are missing", () => {
    expect(numbersOf(table, "OT")).toEqual(Float64Array.of(1.5, Number.NaN, -2));
  });

  it("points to the first cell that is no number", () => {
    expect(() => numbersOf(table, "HUFL")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: line 4, column HUFL is the text "n/a", expected a number.
      Write a number, or leave the cell empty.]
    `);
  });

  it("points to the first cell of numbers given as text", () => {
    expect(() => numbersOf(table, "code")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: line 3, column code is the text "7", expected a number.
      Convert the column to numbers when reading it.]
    `);
  });

  it("refuses times and infinite numbers", () => {
    expect(() => numbersOf(table, "date")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: line 2, column date is the time 1970-01-01, expected a number.
      Choose a column of numbers.]
    `);
    expect(() => numbersOf(table, "load")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: line 3, column load is -Infinity, expected a number.
      Write a finite number, or leave the cell empty.]
    `);
  });
});

describe("timesOf", () => {
  it("points to the first cell that is no time", () => {
    expect(() => timesOf(table, "code")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: line 3, column code is the text "7", expected a time such as 2016-07-01 or 2016-07-01 13:00.
      Write the times year first, or choose another time column.]
    `);
    expect(() => timesOf(table, "OT")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: line 2, column OT is the number 1.5, expected a time such as 2016-07-01 or 2016-07-01 13:00.
      Write the times year first, or choose another time column.]
    `);
  });
});

it("labelsOf prints numbers and times, and keeps missing entries apart", () => {
  expect(labelsOf(table, "OT")).toEqual(["1.5", null, "-2"]);
  expect(labelsOf(table, "date")).toEqual(["1970-01-01", "1970-01-01 01:00", null]);
  expect(labelsOf(table, "code")).toEqual([null, "7", "8"]);
});

it("rowLabel counts rows from 1 where the reader has no better name", () => {
  expect(rowLabel(table, 0)).toBe("data.csv: line 2");
  expect(rowLabel({ source: "the given rows", rowCount: 0, columns: [] }, 0)).toBe("the given rows: row 1");
});
