/** Programs drawn by chance, plain and optimized, with their gradients, on every backend against the float64 interpreter. */
import fc from "fast-check";
import { describe, it } from "vitest";
import { beforeGradient, runPasses } from "../packages/recurra/src/compile/pipeline.ts";
import { verify } from "../packages/recurra/src/ir/verify.ts";
import { expectAllClose, tolerances } from "./support/close.ts";
import { backends, feedsFor, optimized, reference, withGradients } from "./support/programs.ts";
import { randomProgram } from "./support/random-programs.ts";

const draws = fc.record({
  seed: fc.integer({ min: 0, max: 1e6 }),
  batch: fc.integer({ min: 1, max: 5 }),
  time: fc.integer({ min: 0, max: 4 }),
  steps: fc.integer({ min: 0, max: 3 }),
});
const runs = Number(process.env.RECURRA_RANDOM_PROGRAMS ?? 60);
/** Found by chance once, kept for good. */
const found: [{ seed: number; batch: number; time: number; steps: number }][] = [];

describe("a program drawn by chance", () => {
  it("has the same values and gradients in float64 before and after every pass", () => {
    fc.assert(
      fc.property(draws, ({ seed, ...sizes }) => {
        const program = randomProgram(seed);
        const feeds = feedsFor(program, sizes, seed, { lengths: lengthsFor(sizes, seed) });
        const expected = reference(withGradients(program), feeds, sizes);
        const whole = optimized(program);
        verify(whole);
        const given = reference(whole, feeds, sizes);
        // What passes dropped had no say in the loss: its gradient is 0.
        for (const name of Object.keys(expected)) given[name] ??= new Float64Array(expected[name]!.length);
        expectAllClose(given, expected, 1e-11, "random programs, passes in float64");
      }),
      { numRuns: runs, seed: 1, examples: found },
    );
  });

  it.each(backends)("has the reference's values and gradients on $name", (backend) => {
    fc.assert(
      fc.property(draws, ({ seed, ...sizes }) => {
        const program = randomProgram(seed);
        const feeds = feedsFor(program, sizes, seed, { lengths: lengthsFor(sizes, seed) });
        for (const form of [withGradients(program), optimized(program), runPasses(program, beforeGradient)]) {
          const given = backend.run(form, feeds, sizes);
          expectAllClose(
            given,
            reference(form, feeds, sizes),
            (name) => (name.startsWith("gradient") ? tolerances.float32Gradient : tolerances.float32),
            "random programs, values and gradients",
            // A gradient may be the small rest of terms of about 0.1, whose rounding it keeps.
            0.05,
          );
        }
      }),
      { numRuns: runs, seed: 2, examples: found },
    );
  });
});

function lengthsFor({ batch, time }: { batch: number; time: number }, seed: number): Float32Array {
  return Float32Array.from({ length: batch }, (_, b) => (seed + b * 2) % (time + 1));
}
