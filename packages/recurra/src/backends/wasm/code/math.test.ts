import { describe, expect, it } from "vitest";
import { mix32 } from "../../../base/random.ts";
import type { UnaryKind } from "../../../ir/nodes.ts";
import { i32, ModuleAssembler, v128 } from "./assembler.ts";
import { unaryEmitters } from "./math.ts";

const samples = 1_000_000;

/** A module that applies a function to `count` vectors from one address to another. */
function compiled(kind: UnaryKind): (values: Float32Array) => Float32Array {
  const module = new ModuleAssembler();
  module.function("run", [i32, i32, i32], (code) => {
    const [from, to, count] = [code.parameter(0), code.parameter(1), code.parameter(2)];
    const x = code.local(v128);
    code.times(count, () => {
      code.get(from).vectorLoad("full", 0).set(x).get(to);
      unaryEmitters[kind](code, x);
      code.vectorStore("full", 0).advance(from, 16).advance(to, 16);
    });
  });
  const memory = new WebAssembly.Memory({ initial: 160 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  const run = instance.exports.run as (from: number, to: number, count: number) => void; // The one export.
  return (values) => {
    const bytes = Math.ceil(values.length / 4) * 16;
    new Float32Array(memory.buffer, 0, values.length).set(values);
    run(0, bytes, bytes / 16);
    return new Float32Array(memory.buffer, bytes, values.length).slice();
  };
}

/** A seeded million of all bit patterns, and every place where a formula changes. */
const inputs = (() => {
  const bits = new Uint32Array(samples);
  for (let i = 0; i < samples; i++) bits[i] = mix32(i * 0x9e3779b1 + 77);
  const values = new Float32Array(bits.buffer);
  const edges = [
    0,
    -0,
    1,
    -1,
    0.5,
    2 ** -126,
    2 ** -127,
    2 ** -149,
    3.4028234663852886e38,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    88,
    88.7,
    88.72283,
    88.7229,
    89,
    87,
    87.33654,
    87.33655,
    103.97,
    103.98,
    104,
    105,
    106,
    9.01,
    9.02,
    9.25,
    18.5,
    Math.SQRT1_2,
    Math.SQRT2,
    Math.LN2 / 2,
    Math.LN2,
    Math.PI / 4,
    Math.PI / 2,
    Math.PI,
    8191,
    8192,
    1e-20,
    1e-4,
    0.1,
    3,
    5,
    10,
    17,
  ].flatMap((x) => [x, -x]);
  // And a dense million where the functions live.
  const dense = Float32Array.from({ length: samples / 4 }, (_, i) => ((mix32(i + 5) >>> 0) / 2 ** 32 - 0.5) * 220);
  return Float32Array.from([...edges, ...values, ...dense]);
})();

const exact = new Float32Array(1);
/** The distance between neighbouring float32 numbers at y. */
function unitInLastPlace(y: number): number {
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.max(Math.abs(y), 2 ** -126))));
  return 2 ** (exponent - 23);
}

function worst(
  kind: UnaryKind,
  meaning: (x: number) => number,
  applies: (x: number) => boolean,
  error: (given: number, true_: number) => number,
) {
  const given = compiled(kind)(inputs);
  let found = { error: 0, x: Number.NaN, given: Number.NaN, expected: Number.NaN };
  inputs.forEach((x, i) => {
    if (!applies(x)) return;
    const expected = meaning(x);
    exact[0] = expected;
    if (Object.is(exact[0], given[i]) || (!Number.isFinite(exact[0]) && exact[0] === given[i])) return;
    const size = error(given[i]!, expected);
    if (!(size <= found.error)) found = { error: size, x, given: given[i]!, expected };
  });
  return found;
}

const inUnits = (given: number, expected: number) => Math.abs(given - expected) / unitInLastPlace(expected);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

describe("vector functions over all float32 numbers", () => {
  it.each([
    { kind: "exp", meaning: Math.exp, units: 1, applies: () => true },
    { kind: "log", meaning: Math.log, units: 1, applies: () => true },
    { kind: "tanh", meaning: Math.tanh, units: 3, applies: () => true },
    { kind: "sigmoid", meaning: sigmoid, units: 3, applies: (x: number) => !(x < -87) },
  ] as const)("$kind stays within $units in the last place", ({ kind, meaning, units, applies }) => {
    const found = worst(kind, meaning, applies, inUnits);
    if (process.env.RECURRA_ERRORS !== undefined) process.stdout.write(`${kind}: ${JSON.stringify(found)}\n`);
    expect(found.error, `at ${found.x}: ${found.given}, not ${found.expected}`).toBeLessThanOrEqual(units);
  });

  it.each([
    { kind: "sin", meaning: Math.sin },
    { kind: "cos", meaning: Math.cos },
  ] as const)("$kind stays within 10⁻⁷ up to 8192", ({ kind, meaning }) => {
    const found = worst(
      kind,
      meaning,
      (x) => Math.abs(x) <= 8192 || Number.isNaN(x),
      (given, expected) => Math.abs(given - expected),
    );
    if (process.env.RECURRA_ERRORS !== undefined) process.stdout.write(`${kind}: ${JSON.stringify(found)}\n`);
    expect(found.error, `at ${found.x}: ${found.given}, not ${found.expected}`).toBeLessThanOrEqual(1e-7);
  });

  it.each([
    { kind: "neg", meaning: (x: number) => -x },
    { kind: "abs", meaning: Math.abs },
    { kind: "sqrt", meaning: Math.sqrt },
    { kind: "floor", meaning: Math.floor },
  ] as const)("$kind is exact", ({ kind, meaning }) => {
    expect(worst(kind, meaning, () => true, inUnits).error).toBe(0);
  });

  it("sigmoid stays positive and below 10⁻³⁷ further left", () => {
    const given = compiled("sigmoid")(inputs);
    expect(inputs.every((x, i) => !(x < -87) || (given[i]! > 0 && given[i]! < 1e-37))).toBe(true);
  });

  it("sign is −1, 0 or 1", () => {
    const given = compiled("sign")(inputs);
    expect(inputs.every((x, i) => given[i] === (x > 0 ? 1 : x < 0 ? -1 : 0))).toBe(true);
  });

  it.each(["exp", "log", "tanh", "sigmoid", "sin", "cos"] as const)("%s of NaN is NaN", (kind) => {
    expect(compiled(kind)(Float32Array.of(Number.NaN, -Number.NaN, 1, 2)).slice(0, 2)).toEqual(
      Float32Array.of(Number.NaN, Number.NaN),
    );
  });
});
