import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tableFromColumns, tableFromRows } from "./make-table.ts";
import { findColumn } from "./table.ts";

const day = 86_400_000;

describe("tableFromRows", () => {
  it("finds the kind of each column", () => {
    const table = tableFromRows([
      { date: "1970-01-02", when: new Date(day), sales: 1, open: true, big: 12n, store: "a" },
      { date: "", when: "1970-01-03", sales: null, open: false, big: 13n, store: "1970-01-01", late: undefined },
    ]);
    expect(table.rowCount).toBe(2);
    expect(table.source).toBe("the given rows");
    expect(table.columns).toEqual([
      { name: "date", kind: "time", values: Float64Array.of(day, Number.NaN) },
      { name: "when", kind: "time", values: Float64Array.of(day, 2 * day) },
      { name: "sales", kind: "number", values: Float64Array.of(1, Number.NaN) },
      { name: "open", kind: "number", values: Float64Array.of(1, 0) },
      { name: "big", kind: "number", values: Float64Array.of(12, 13) },
      { name: "store", kind: "text", values: ["a", "1970-01-01"] },
      { name: "late", kind: "number", values: Float64Array.of(Number.NaN, Number.NaN) },
    ]);
  });

  it("refuses text among numbers, wherever it stands", () => {
    expect(() => tableFromRows([{ OT: 1 }, { OT: "12.5" }])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: the given rows: row 2, column OT is the text "12.5", expected a number like the rest of the column.
      Convert it to a number, or give null where it is missing.]
    `);
    expect(() => tableFromRows([{ OT: "n/a" }, { OT: 1 }], "sensors")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: sensors: row 1, column OT is the text "n/a", expected a number like the rest of the column.
      Convert it to a number, or give null where it is missing.]
    `);
  });

  it("refuses what is neither number nor text nor time", () => {
    expect(() => tableFromRows([{ at: new Date(0) }, { at: "soon" }])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: the given rows: row 2, column at is the text "soon", expected a time like the rest of the column.
      Give a Date, or text such as 2016-07-01 13:00.]
    `);
    expect(() =>
      tableFromRows([{ at: new Date(0) }, { at: new Date(Number.NaN) }]),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: the given rows: row 2, column at is an invalid Date, expected a time like the rest of the column.
      Give a Date, or text such as 2016-07-01 13:00.]
    `);
    expect(() => tableFromRows([{ a: [1] }])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: the given rows: row 1, column a is a list, expected a number, text, a time or null.
      Turn it into one of these.]
    `);
    expect(() => tableFromRows([{ a: 1 }, { a: 2n ** 60n + 1n }])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: the given rows: row 2, column a is the integer 1152921504606846977, which no double can hold, expected a number like the rest of the column.
      Convert it to a number, or give null where it is missing.]
    `);
  });

  it("gives the same table as the same cells by columns", () => {
    const cell = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: null });
    fc.assert(
      fc.property(fc.array(fc.record({ a: cell, b: cell }), { minLength: 1 }), (rows) => {
        const columns = { a: rows.map(({ a }) => a), b: rows.map(({ b }) => b) };
        expect(tableFromRows(rows, "x")).toEqual(tableFromColumns(columns, "x"));
      }),
    );
  });
});

describe("tableFromColumns", () => {
  it("takes typed arrays", () => {
    const table = tableFromColumns({ OT: Float32Array.of(1, 2.5), n: Int32Array.of(3, 4) });
    expect(findColumn(table, "n").values).toEqual(Float64Array.of(3, 4));
    expect(findColumn(table, "OT").values).toEqual(Float64Array.of(1, 2.5));
  });

  it("refuses columns of different length", () => {
    expect(() => tableFromColumns({ date: ["2020-01-01"], OT: [1, 2] })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: the given columns: column OT is 2 long, expected 1 values, as in column date.
      Give each column a value for every row; null where it is missing.]
    `);
  });
});
