import { describe, expect, it } from "vitest";
import { backends, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { scan } from "../trace/scan.ts";
import { sequenceType, Trace } from "../trace/tensor.ts";
import { dropout, variationalDropout } from "./dropout.ts";
import type { Layer } from "./layer.ts";

const sizes = { batch: 20, time: 15 };
const features = 10;

/** Ones through the layer, in the step of a scan or over the whole sequence. */
function masks(layer: Layer, where: "step" | "sequence"): number[] {
  const program = programOf((trace) => {
    const x = trace.input("x", sequenceType(features));
    const scope = scopeIn(trace, {}, true);
    if (where === "sequence") return { y: layer.apply(x, scope) };
    const { outputs } = scan({
      initial: {},
      sequences: { x },
      step: (_, { x: element }) => ({ next: {}, outputs: { y: layer.apply(element, scope) } }),
    });
    return { y: outputs.y };
  });
  const feeds = { seed: [5], x: new Float32Array(sizes.batch * sizes.time * features).fill(1) };
  const expected = [...reference(program, feeds, sizes).y!];
  for (const { run } of backends) expect([...run(program, feeds, sizes).y!]).toEqual(expected);
  return expected;
}

/** The share of features that are treated at a step as at the step before. */
function alike(y: readonly number[]): number {
  const later = y.filter((_, i) => Math.floor(i / features) % sizes.time > 0);
  const before = y.filter((_, i) => Math.floor(i / features) % sizes.time < sizes.time - 1);
  return later.filter((value, i) => value === before[i]).length / later.length;
}

describe.each(["step", "sequence"] as const)("over a %s", (where) => {
  it("dropout draws anew at every timestep, and scales what stays", () => {
    const y = masks(dropout(0.5), where);
    expect(new Set(y)).toEqual(new Set([0, 2]));
    expect(alike(y)).toBeCloseTo(0.5, 1);
  });

  it("variational dropout draws once for all timesteps of a row", () => {
    const y = masks(variationalDropout(0.5), where);
    expect(new Set(y)).toEqual(new Set([0, 2]));
    expect(alike(y)).toBe(1);
  });
});

it.each([0, 0.5])(
  "dropout of rate %d asks whether it is trained only where it drops: without, one trace does for all",
  (rate) => {
    const trace = new Trace();
    const scope = scopeIn(trace);
    const x = trace.input("x", sequenceType(features));
    expect(dropout(rate).apply(x, scope)).toBe(x);
    expect(scope.readsTraining).toBe(rate > 0);
  },
);
