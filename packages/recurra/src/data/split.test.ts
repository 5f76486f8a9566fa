import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tableFromColumns } from "./make-table.ts";
import { readSeries } from "./series.ts";
import { dropShortSeries, parts, splitSeries } from "./split.ts";

/** Series "0", "1", … of the given lengths, or one nameless series. */
function setOf(...lengths: number[]) {
  const id = lengths.flatMap((length, s) => Array<string>(length).fill(`${s}`));
  const y = id.map((_, row) => row);
  const table = tableFromColumns({ id, y }, "data.csv");
  return readSeries(table, { target: "y", ...(lengths.length === 1 ? {} : { series: "id" }) });
}

const small = { past: 2, horizon: 1 };
const bounds = (set: ReturnType<typeof setOf>, train: number, validation: number, test: number, size = small) => {
  return splitSeries(set, { train, validation, test }, size).split.series.map((one) => {
    return [one.train.start, one.train.end, one.validation.start, one.validation.end, one.test.start, one.test.end];
  });
};

describe("splitSeries", () => {
  it("cuts fractions of each series, down to the last step", () => {
    expect(bounds(setOf(10), 0.7, 0.1, 0.2)).toEqual([[0, 7, 7, 8, 8, 10]]);
    expect(bounds(setOf(10, 21), 0.6, 0.2, 0.2)).toEqual([
      [0, 6, 6, 8, 8, 10],
      [0, 12, 12, 16, 16, 21],
    ]);
    // The published split of the exchange rates: 4552 / 1518 / 1518 of 7588 days.
    expect(bounds(setOf(7588), 0.6, 0.2, 0.2)).toEqual([[0, 4552, 4552, 6070, 6070, 7588]]);
    expect(bounds(setOf(10), 0.5, 0.2, 0)).toEqual([[0, 5, 5, 7, 7, 7]]);
  });

  it("counts from the start when all series are equally long, and leaves the rest unused", () => {
    expect(bounds(setOf(20), 8, 4, 4)).toEqual([[0, 8, 8, 12, 12, 16]]);
    expect(bounds(setOf(20, 20), 8, 4, 4)[1]).toEqual([0, 8, 8, 12, 12, 16]);
  });

  it("counts from the end when series are of unequal length", () => {
    expect(bounds(setOf(20, 30), 18, 4, 4)).toEqual([
      [0, 12, 12, 16, 16, 20],
      [4, 22, 22, 26, 26, 30],
    ]);
  });

  it("records the options and the times of the boundaries as plain data", () => {
    const date = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"];
    const set = readSeries(tableFromColumns({ date, y: [1, 2, 3, 4] }, "data.csv"), { target: "y" });
    const { split } = splitSeries(set, { train: 0.75, validation: 0, test: 0.25 }, small);
    const at = (day: number) => Date.UTC(2024, 0, day);
    expect(JSON.parse(JSON.stringify(split))).toEqual({
      options: { train: 0.75, validation: 0, test: 0.25 },
      series: [
        {
          id: "series",
          train: { start: 0, end: 3, firstTime: at(1), lastTime: at(3) },
          validation: { start: 3, end: 3 },
          test: { start: 3, end: 4, firstTime: at(4), lastTime: at(4) },
        },
      ],
    });
  });

  it("leaves out series that are too short, and says which and why", () => {
    const result = splitSeries(setOf(2, 20, 8, 30), { train: 100, validation: 4, test: 4 }, small);
    expect(result.set.series.map(({ id }) => id)).toEqual(["1", "3"]);
    expect(result.split.series.map(({ id }) => id)).toEqual(["1", "3"]);
    expect(result.notes).toEqual([
      "shorter than 3 timesteps (past 2 + horizon 1), left out: 0",
      "too short for the training part, left out: 2",
    ]);
  });

  it("refuses data shorter than past + horizon, or than the split", () => {
    expect(() => bounds(setOf(10), 0.7, 0.1, 0.2, { past: 8, horizon: 3 })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv is 10 timesteps long, expected at least 11 timesteps (past 8 + horizon 3).
      Give more rows, or look back on and forecast fewer timesteps.]
    `);
    expect(() => bounds(setOf(10, 9), 0.7, 0.1, 0.2, { past: 8, horizon: 3 })).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv is 2 series of at most 10 timesteps, expected at least 11 timesteps (past 8 + horizon 3).
      Give more rows, or look back on and forecast fewer timesteps.]
    `);
    expect(() => bounds(setOf(10), 8, 4, 4)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv is 10 timesteps long, expected enough for a split of 8 / 4 / 4.
      Give more rows, or make the parts smaller.]
    `);
    expect(() => bounds(setOf(10, 9), 8, 8, 4)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: data.csv: each series, such as "0", is 10 timesteps long, expected enough for a split of 8 / 8 / 4.
      Give more rows, or make the parts smaller.]
    `);
  });

  it.each([
    [0.7, 0.2, 0.2],
    [0, 0.5, 0.5],
    [100, 0.1, 0.2],
    [10, -1, 2],
    [Number.NaN, 1, 1],
  ])("refuses a split of %s / %s / %s", (train, validation, test) => {
    expect(() => bounds(setOf(10), train, validation, test)).toThrow(
      `split is ${train} / ${validation} / ${test}, expected fractions that sum to at most 1, or whole numbers of timesteps, ` +
        "with a training part.\nGive train, validation and test, for example 0.7 / 0.1 / 0.2 or 8640 / 2880 / 2880.",
    );
  });

  it("never lets a later part begin before an earlier one ends", () => {
    const length = fc.integer({ min: 5, max: 40 });
    const count = fc.integer({ min: 1, max: 12 });
    const fraction = fc.double({ min: 0.2, max: 0.33, noNaN: true });
    const shares = fc.oneof(fc.tuple(count, count, count), fc.tuple(fraction, fraction, fraction));
    fc.assert(
      fc.property(fc.array(length, { minLength: 1, maxLength: 4 }), shares, (lengths, [train, validation, test]) => {
        fc.pre(Math.max(...lengths) > train + validation + test);
        const { set, split } = splitSeries(setOf(...lengths), { train, validation, test }, small);
        for (const [s, one] of split.series.entries()) {
          expect(one.id).toBe(set.series[s]!.id);
          expect(one.train.end).toBeGreaterThan(one.train.start);
          expect(one.validation.start).toBe(one.train.end);
          expect(one.test.start).toBe(one.validation.end);
          for (const part of parts) expect(one[part].end).toBeGreaterThanOrEqual(one[part].start);
          expect(one.test.end).toBeLessThanOrEqual(set.series[s]!.timesteps);
        }
      }),
    );
  });
});

it("dropShortSeries returns the very set when nothing is short", () => {
  const set = setOf(3, 4);
  expect(dropShortSeries(set, 3, "past 3").set).toBe(set);
});
