import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gatherTargets, type WindowNormalization } from "./gather.ts";
import type { Windows } from "./windows.ts";

// Two series of two columns: 1, 2, 3, … with its square, and the negative of both.
const rising = Float64Array.from({ length: 20 }, (_, k) => (k % 2 === 0 ? k / 2 + 1 : (k / 2 + 0.5) ** 2));
const source = { matrices: [rising, rising.map((value) => -value)], columns: 2 };
const windows: Windows = {
  past: 3,
  horizon: 2,
  count: 3,
  series: Int32Array.of(0, 1, 0),
  origin: Int32Array.of(3, 4, 8),
};
const picks = Int32Array.of(2, 1);

const gather = (normalization: WindowNormalization) => {
  const past = new Float32Array(2 * 3 * 2);
  const future = new Float32Array(2 * 2 * 2);
  const [offset, scale] = [new Float64Array(4), new Float64Array(4)];
  const into = { past: { buffer: past, features: 2 }, future: { buffer: future, features: 2 }, offset, scale };
  gatherTargets(source, windows, picks, normalization, into);
  return { past, future, offset, scale };
};

describe("gatherTargets", () => {
  it("copies past and future of the picked windows", () => {
    const { past, future, offset, scale } = gather("none");
    expect(Array.from(past)).toEqual([6, 36, 7, 49, 8, 64, -2, -4, -3, -9, -4, -16]);
    expect(Array.from(future)).toEqual([9, 81, 10, 100, -5, -25, -6, -36]);
    expect(Array.from(offset)).toEqual([0, 0, 0, 0]);
    expect(Array.from(scale)).toEqual([1, 1, 1, 1]);
  });

  it("subtracts the last value, or the mean, of the past", () => {
    const last = gather("last");
    expect(Array.from(last.offset)).toEqual([8, 64, -4, -16]);
    expect(Array.from(last.past)).toEqual([-2, -28, -1, -15, 0, 0, 2, 12, 1, 7, 0, 0]);
    expect(Array.from(last.future)).toEqual([1, 17, 2, 36, -1, -9, -2, -20]);
    expect(Array.from(gather("mean").offset)).toEqual([7, 149 / 3, -3, -29 / 3]);
  });

  it("divides by the deviation of the past, softened by the epsilon", () => {
    const { past, scale, offset } = gather("standard");
    expect(offset[0]).toBe(7);
    expect(scale[0]).toBeCloseTo(Math.sqrt(2 / 3 + 1e-5), 14);
    expect(past[0]).toBeCloseTo(-1 / Math.sqrt(2 / 3 + 1e-5), 6);
  });

  it("is inverted by scale and offset, and never looks at the future to normalise", () => {
    const number = fc.double({ min: -100, max: 100, noNaN: true });
    const normalizations = fc.constantFrom<WindowNormalization>("none", "last", "mean", "standard");
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 6, maxLength: 6 }),
        number,
        normalizations,
        (values, other, normalization) => {
          const one = { past: 4, horizon: 2, count: 1, series: Int32Array.of(0), origin: Int32Array.of(4) };
          const run = (matrix: Float64Array) => {
            const into = {
              past: { buffer: new Float32Array(4), features: 1 },
              future: { buffer: new Float32Array(2), features: 1 },
              offset: new Float64Array(1),
              scale: new Float64Array(1),
            };
            gatherTargets({ matrices: [matrix], columns: 1 }, one, Int32Array.of(0), normalization, into);
            return into;
          };
          const into = run(Float64Array.from(values));
          const restored = [...into.past.buffer, ...into.future.buffer].map(
            (value) => value * into.scale[0]! + into.offset[0]!,
          );
          for (const [t, value] of restored.entries()) expect(Math.abs(value - values[t]!)).toBeLessThan(1e-4);
          const changed = run(Float64Array.from([...values.slice(0, 4), other, other]));
          expect(changed.past.buffer).toEqual(into.past.buffer);
          expect([changed.offset, changed.scale]).toEqual([into.offset, into.scale]);
        },
      ),
    );
  });

  it("writes into its own columns and nothing else", () => {
    const buffer = new Float32Array(2 * 3 * 5 + 4).fill(77);
    const [offset, scale] = [new Float64Array(4), new Float64Array(4)];
    gatherTargets(source, windows, picks, "none", { past: { buffer, features: 5, at: 2 }, offset, scale });
    expect(Array.from(buffer.subarray(0, 10))).toEqual([77, 77, 6, 36, 77, 77, 77, 7, 49, 77]);
    expect(buffer.filter((value) => value === 77).length).toBe(buffer.length - 12);
    expect(Array.from(buffer.subarray(30))).toEqual([77, 77, 77, 77]);
  });

  it("refuses windows outside of the series and buffers that are too small", () => {
    const [offset, scale] = [new Float64Array(4), new Float64Array(4)];
    const past = { buffer: new Float32Array(12), features: 2 };
    const late = { ...windows, origin: Int32Array.of(3, 4, 9) };
    const future = { buffer: new Float32Array(8), features: 2 };
    expect(() =>
      gatherTargets(source, late, picks, "none", { past, future, offset, scale }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [InternalError: gather: timesteps 9 to 11 of 10
      This is a fault of recurra: please report it.]
    `);
    const tight = { buffer: new Float32Array(11), features: 2 };
    expect(() =>
      gatherTargets(source, windows, picks, "none", { past: tight, offset, scale }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [InternalError: gather: columns 0 to 2 of 6 steps do not fit into 11 values of 2 features
      This is a fault of recurra: please report it.]
    `);
  });
});
