import { describe, expect, it } from "vitest";
import { createRandom } from "../base/random.ts";
import {
  chrono,
  drawWeight,
  forgetBias,
  type Initializer,
  type InitializerName,
  initialValues,
  parseInitializer,
} from "./initializers.ts";

const values = (name: Initializer | InitializerName, shape: readonly number[], seed = 1) =>
  initialValues(parseInitializer(name), shape, createRandom(seed));
const variance = (numbers: Float32Array) => {
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  return numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / numbers.length;
};

describe("an initializer", () => {
  it.each([
    ["xavierUniform", 2 / (200 + 300)],
    ["xavierNormal", 2 / (200 + 300)],
    ["heUniform", 2 / 300],
    ["heNormal", 2 / 300],
    ["lecunNormal", 1 / 300],
    ["lecunUniform", 1 / 900],
    ["uniform", 0.1 ** 2 / 12],
    ["normal", 0.05 ** 2],
    // Of a normal distribution cut at two deviations: 1 − 4 φ(2) / (2 Φ(2) − 1).
    ["truncatedNormal", 0.05 ** 2 * 0.774],
  ] as const)("%s has its variance: fan-in is the last size", (name, expected) => {
    expect(Math.abs(variance(values(name, [200, 300])) / expected - 1)).toBeLessThan(0.02);
  });

  it.each([
    [4, 4],
    [3, 7],
    [7, 3],
    [1, 5],
    [64, 64],
  ])("orthogonal gives orthonormal rows or columns times the gain: %i × %i", (rows, columns) => {
    const gain = 1.5;
    const weight = values({ kind: "orthogonal", gain }, [rows, columns]);
    const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
    const entry = (vector: number, i: number) =>
      rows <= columns ? weight[vector * columns + i]! : weight[i * columns + vector]!;
    for (let a = 0; a < count; a++) {
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let i = 0; i < length; i++) dot += entry(a, i) * entry(b, i);
        expect(Math.abs(dot - (a === b ? gain ** 2 : 0))).toBeLessThan(1e-6);
      }
    }
  });

  it("identity scales the identity, also of a matrix that is not square", () => {
    expect([...values({ kind: "identity", scale: 2 }, [2, 3])]).toEqual([2, 0, 0, 0, 2, 0]);
  });

  it("truncatedNormal stays within two deviations", () => {
    const drawn = values({ kind: "truncatedNormal", deviation: 3 }, [100, 100]);
    expect(Math.max(...drawn.map(Math.abs))).toBeLessThanOrEqual(6);
    expect(Math.max(...drawn.map(Math.abs))).toBeGreaterThan(5.9);
  });

  it("chrono gives forget and input gate of a cell opposite biases, between 0 and log(longest − 1)", () => {
    const initializers = chrono(50);
    const draw = (name: string, gate: string) => {
      const drawn = new Float32Array(2000);
      drawWeight(drawn, { name, shape: [2000], initializer: initializers[gate]! }, createRandom(4));
      return drawn;
    };
    const forget = draw("0.lstm.0.forward.b.f", "b.f");
    expect([...draw("0.lstm.0.forward.b.i", "b.i")]).toEqual([...forget].map((value) => -value));
    expect([...draw("0.lstm.1.forward.b.f", "b.f")]).not.toEqual([...forget]);
    const times = forget.map(Math.exp);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...times)).toBeLessThan(49.01);
    expect(times.reduce((sum, value) => sum + value, 0) / 2000).toBeCloseTo(25, 0);
    expect(() => chrono(2)).toThrow(
      "chrono: longest is 2, expected at least 3.\nGive the longest dependency in timesteps.",
    );
  });

  it("forgetBias is constant, for each gate that keeps the state", () => {
    expect(forgetBias(2)).toEqual({ "b.f": { kind: "constant", value: 2 }, "b.z": { kind: "constant", value: 2 } });
    expect([...values("forgetBias", [2])]).toEqual([1, 1]);
  });

  it("may be a function of shape and generator, which gives as many numbers as there are", () => {
    const own: Initializer = ([rows, columns], random) =>
      Array.from({ length: rows! * columns! }, (_, i) => i + random.uniform());
    expect([...values(own, [2, 2])].map(Math.floor)).toEqual([0, 1, 2, 3]);
    expect(() => values(() => [1], [2])).toThrow(
      "initializer: its values is 1 numbers, expected 2 numbers, [2].\nReturn one number for each element of the shape.",
    );
  });

  it("zeros and ones are constant", () => {
    expect([...values("zeros", [2])]).toEqual([0, 0]);
    expect([...values("ones", [2])]).toEqual([1, 1]);
  });

  it("gives the same numbers for the same seed only", () => {
    expect(values("xavierNormal", [4, 4], 3)).toEqual(values("xavierNormal", [4, 4], 3));
    expect(values("xavierNormal", [4, 4], 3)).not.toEqual(values("xavierNormal", [4, 4], 4));
  });

  it("that is unknown is named with its nearest", () => {
    expect(() => parseInitializer("xavierUnifrom" as InitializerName)).toThrow(
      'initializer is unknown: "xavierUnifrom", expected one of zeros, ones, uniform, normal, truncatedNormal, xavierUniform, xavierNormal, heUniform, heNormal, lecunNormal, lecunUniform, orthogonal, identity, forgetBias.\nDid you mean "xavierUniform"?',
    );
  });
});
