import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fillMissing } from "./missing.ts";

const gap = Number.NaN;
const filled = (values: number[], method: "linear" | "previous") => {
  const column = Float64Array.from(values);
  return { missing: fillMissing(column, method), values: Array.from(column) };
};

describe("fillMissing", () => {
  it("draws lines inside and repeats the nearest value at the ends", () => {
    expect(filled([gap, gap, 3, gap, gap, 9, gap], "linear")).toEqual({ missing: 5, values: [3, 3, 3, 5, 7, 9, 9] });
    expect(filled([1, gap, 3], "linear")).toEqual({ missing: 1, values: [1, 2, 3] });
  });

  it("repeats the value before, without looking ahead", () => {
    expect(filled([gap, 3, gap, gap, 9, gap], "previous")).toEqual({ missing: 4, values: [3, 3, 3, 3, 9, 9] });
  });

  it("leaves a column without any value alone", () => {
    expect(filled([gap, gap], "linear")).toEqual({ missing: 2, values: [gap, gap] });
  });

  it("keeps what was given, stays between the neighbours and counts what was missing", () => {
    const cells = fc.array(fc.oneof(fc.constant(gap), fc.integer({ min: -1000, max: 1000 })), { minLength: 1 });
    fc.assert(
      fc.property(cells, fc.constantFrom("linear" as const, "previous" as const), (cells, method) => {
        const given = cells.filter((value) => !Number.isNaN(value));
        fc.pre(given.length > 0);
        const { missing, values } = filled(cells, method);
        expect(missing).toBe(cells.length - given.length);
        for (const [t, value] of values.entries()) {
          if (!Number.isNaN(cells[t])) expect(value).toBe(cells[t]);
          expect(value).toBeGreaterThanOrEqual(Math.min(...given));
          expect(value).toBeLessThanOrEqual(Math.max(...given));
        }
      }),
    );
  });
});
