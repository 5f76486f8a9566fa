import { expect, it } from "vitest";
import { extent, gridTimes, interleave, observedMatrix, spread, spreadLabels } from "./columns.ts";

const gap = Number.NaN;
const rows = {
  id: "a",
  rows: Int32Array.of(4, 1, 0),
  positions: Int32Array.of(0, 1, 3),
  times: Float64Array.of(0, 10, 30),
};

it("spreads cells over the timesteps and leaves holes where there is no row", () => {
  expect(spread(Float64Array.of(0, 1, 2, 3, 4), rows)).toEqual(Float64Array.of(4, 1, gap, 0));
  expect(spreadLabels(["zero", null, "two", "three", "four"], rows)).toEqual(["four", null, null, "zero"]);
});

it("gives timesteps without a row the time the interval says", () => {
  expect(gridTimes(rows, { kind: "fixed", ms: 10 })).toEqual(Float64Array.of(0, 10, 20, 30));
});

it("finds the first and last timestep that is given", () => {
  expect(extent(5, (t) => t === 1 || t === 3)).toEqual([1, 4]);
  expect(extent(5, () => false)).toEqual([0, 0]);
});

it("puts columns side by side and marks what is given", () => {
  const columns = [Float64Array.of(1, 2, 3), Float64Array.of(4, gap, 6)];
  expect(interleave(columns, 3)).toEqual(Float64Array.of(1, 4, 2, gap, 3, 6));
  expect(observedMatrix(columns, 0, 3)).toEqual(Uint8Array.of(1, 1, 1, 0, 1, 1));
  expect(observedMatrix(columns, 2, 3)).toBeUndefined();
});
