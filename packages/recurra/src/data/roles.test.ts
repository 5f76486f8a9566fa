import { describe, expect, it } from "vitest";
import { tableFromColumns } from "./make-table.ts";
import { resolveRoles } from "./roles.ts";

const table = tableFromColumns(
  {
    date: ["2024-01-01", "2024-01-02"],
    sales: [1, 2],
    price: [3, 4],
    weather: ["sun", "rain"],
    store: ["a", "a"],
    region: ["north", "north"],
    size: [5, 5],
    opened: ["2001-01-01", "2001-01-01"],
  },
  "data.csv",
);

describe("resolveRoles", () => {
  it("sorts columns by role, and categories from numbers", () => {
    const roles = resolveRoles(table, {
      target: "sales",
      time: "date",
      series: "store",
      pastCovariates: ["weather"],
      futureCovariates: ["price"],
      staticCovariates: ["size", "region"],
      categorical: ["weather"],
    });
    expect(roles).toEqual({
      time: "date",
      series: "store",
      targets: ["sales"],
      pastCovariates: [],
      futureCovariates: ["price"],
      staticCovariates: ["size"],
      pastCategories: ["weather"],
      futureCategories: [],
      staticCategories: ["region"],
    });
  });

  it("finds the only time column, and none where there is none", () => {
    const one = { ...table, columns: table.columns.filter(({ name }) => name !== "opened") };
    expect(resolveRoles(one, { target: "sales" }).time).toBe("date");
    const none = { ...one, columns: one.columns.filter(({ name }) => name !== "date") };
    expect(resolveRoles(none, { target: "sales" }).time).toBeUndefined();
  });

  it("asks which of several time columns is meant", () => {
    expect(() => resolveRoles(table, { target: "sales" })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: the time column is one of date, opened, expected to be the only column of times.
      Name the time column with the option time.]
    `);
  });

  it("refuses a column with two roles, and no target", () => {
    const past = { target: "sales", time: "date", pastCovariates: ["sales"] };
    expect(() => resolveRoles(table, past)).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: column "sales" is a target and a past covariate, expected one of them.
      Name each column once; a target's own past is always an input.]
    `);
    expect(() => resolveRoles(table, { target: ["sales", "sales"] })).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: column "sales" is a target twice, expected one of them.
      Name each column once; a target's own past is always an input.]
    `);
    expect(() => resolveRoles(table, { target: [] })).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: target is empty, expected at least one column.
      Name the column to forecast.]
    `);
  });

  it("refuses text in a covariate that is not declared categorical", () => {
    const past = { target: "sales", time: "date", pastCovariates: ["weather"] };
    expect(() => resolveRoles(table, past)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: row 1, column weather is the text "sun", expected a number.
      Write a number, leave the cell empty, or list the column as categorical.]
    `);
  });

  it("refuses a categorical column that is no covariate", () => {
    const loose = { target: "sales", time: "date", pastCovariates: ["price"], categorical: ["region"] };
    expect(() => resolveRoles(table, loose)).toThrowErrorMatchingInlineSnapshot(`
      [OptionError: categorical column "region" is no covariate, expected one of the covariates price.
      List it among the past, future or static covariates too.]
    `);
  });
});
