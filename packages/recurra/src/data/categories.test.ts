import { expect, it } from "vitest";
import { categoryCount, encodeCategories, fitCategories, fitRoleCategories } from "./categories.ts";
import { tableFromColumns } from "./make-table.ts";
import { readSeries } from "./series.ts";
import { splitSeries } from "./split.ts";

it("numbers the values from 1, whatever the order of the rows, and all others 0", () => {
  const categories = fitCategories("weather", ["sun", null, "rain", "sun"]);
  expect(categories).toEqual({ column: "weather", values: ["rain", "sun"] });
  expect(categoryCount(categories)).toBe(3);
  expect(encodeCategories(categories, ["sun", "snow", null, "rain"])).toEqual(Int32Array.of(2, 0, 0, 1));
  expect(encodeCategories(JSON.parse(JSON.stringify(categories)), ["sun"])).toEqual(Int32Array.of(2));
});

it("knows only the values of the training part", () => {
  const weather = ["sun", "rain", "snow", "hail"];
  const table = tableFromColumns({ y: [1, 2, 3, 4], weather, region: ["n", "n", "n", "n"] });
  const options = { target: "y", pastCovariates: ["weather"], staticCovariates: ["region"], categorical: ["weather"] };
  const { set, split } = splitSeries(
    readSeries(table, options),
    { train: 0.5, validation: 0.25, test: 0.25 },
    { past: 1, horizon: 1 },
  );
  expect(fitRoleCategories(set, split, "pastCategories")).toEqual([{ column: "weather", values: ["rain", "sun"] }]);
  expect(fitRoleCategories(set, split, "staticCategories")).toEqual([{ column: "region", values: ["n"] }]);
  expect(fitRoleCategories(set, split, "futureCategories")).toEqual([]);
});
