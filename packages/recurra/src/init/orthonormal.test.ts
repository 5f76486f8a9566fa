import { describe, expect, it } from "vitest";
import { createRandom, type Random } from "../base/random.ts";
import { orthonormalRows } from "./orthonormal.ts";

/** One vector after the other, one projection after the other. */
function oneByOne(count: number, length: number, random: Random): Float64Array {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const norm = (x: readonly number[]) => Math.sqrt(dot(x, x));
  const basis: number[][] = [];
  while (basis.length < count) {
    const drawn = Array.from({ length }, () => random.normal());
    const without = (vector: number[]) =>
      basis.reduce((rest, row) => {
        const projection = dot(rest, row);
        return rest.map((x, i) => x - projection * row[i]!);
      }, vector);
    const once = without(drawn);
    const left = norm(once) < 0.1 * norm(drawn) ? without(once) : once;
    if (norm(left) >= 1e-8) basis.push(left.map((x) => x / norm(left)));
  }
  return Float64Array.from(basis.flat());
}

/** Repeats the vector that was drawn before, each third time. */
function repeating(length: number): Random {
  const random = createRandom(3);
  let drawn = 0;
  let last: number[] = [];
  return {
    uniform: () => random.uniform(),
    integer: (bound) => random.integer(bound),
    fork: (label) => random.fork(label),
    normal: () => {
      const vector = Math.floor(drawn / length);
      const position = drawn++ % length;
      if (vector % 3 === 2) return last[position]!;
      const value = random.normal();
      if (position === 0) last = [];
      last[position] = value;
      return value;
    },
  };
}

describe("orthonormal rows", () => {
  it.each([1, 3, 4, 5, 11, 12])("are for %i rows of 12 numbers the same as one by one", (count) => {
    expect(orthonormalRows(count, 12, createRandom(7))).toEqual(oneByOne(count, 12, createRandom(7)));
  });

  it("draw another vector for one that lies in the span of the rows before it", () => {
    expect(orthonormalRows(9, 10, repeating(10))).toEqual(oneByOne(9, 10, repeating(10)));
  });
});
