import { describe, expect, it } from "vitest";
import { createRandom } from "../base/random.ts";
import { reservoir, spectralRadius } from "./reservoir.ts";

const random = () => createRandom(3);

/** Block diagonal: rotations by an angle, scaled to each radius, then turned by a shear so that it is not normal. */
function withRadii(radii: readonly number[]): Float64Array {
  const size = 2 * radii.length;
  const matrix = new Float64Array(size * size);
  radii.forEach((radius, k) => {
    const [cos, sin] = [radius * Math.cos(k + 1), radius * Math.sin(k + 1)];
    const at = (row: number, column: number) => (2 * k + row) * size + 2 * k + column;
    // S·rotation·S⁻¹ with S = [[1, 5], [0, 1]].
    matrix[at(0, 0)] = cos + 5 * sin;
    matrix[at(0, 1)] = -sin - 25 * sin;
    matrix[at(1, 0)] = sin;
    matrix[at(1, 1)] = cos - 5 * sin;
  });
  return matrix;
}

describe("the spectral radius", () => {
  it("of complex pairs, negative numbers and defective matrices is their largest modulus", () => {
    expect(spectralRadius(withRadii([0.3, 1.7, 1.69]), 6, random())).toBeCloseTo(1.7, 12);
    expect(spectralRadius(Float64Array.of(-3, 0, 0, 2), 2, random())).toBeCloseTo(3, 12);
    expect(spectralRadius(Float64Array.of(2, 1, 0, 2), 2, random())).toBeCloseTo(2, 10);
    expect(spectralRadius(Float64Array.of(0, 1, 0, 0), 2, random())).toBe(0);
  });

  it("of a large matrix is found on the space of its largest eigenvalues", () => {
    const radii = Array.from({ length: 100 }, (_, k) => 0.5 + 0.005 * k);
    expect(spectralRadius(withRadii(radii), 200, random())).toBeCloseTo(0.995, 8);
    expect(spectralRadius(new Float64Array(200 * 200), 200, random())).toBe(0);
  });
});

describe("a reservoir", () => {
  it.each([
    [40, 8],
    [300, 15],
  ])("of %d units has the radius and the share of connections asked for", (size, connections) => {
    const drawn = Float64Array.from(reservoir({ spectralRadius: 0.9, connections })([size, size], random()));
    expect(spectralRadius(drawn, size, createRandom(9))).toBeCloseTo(0.9, 6);
    expect(drawn.filter((value) => value !== 0).length / size ** 2).toBeCloseTo(connections / size, 1);
  });

  it("refuses what has no eigenvalue, and options outside their ranges", () => {
    expect(() => reservoir({ spectralRadius: 0.9, connections: 1e-9 })([4, 4], random())).toThrow(
      "reservoir: connections is 1e-9 for each of 4 units, expected a matrix with an eigenvalue that is not 0.\nTake more connections or more units.",
    );
    expect(() => reservoir({ spectralRadius: -1, connections: 0 })).toThrow(
      "reservoir: spectralRadius, connections is -1, 0, expected a radius from 0 and a number of connections above 0.\n0.9 and 10 are usual.",
    );
  });
});
