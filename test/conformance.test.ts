/** Every backend against the float64 interpreter, on every node kind and on programs drawn by chance. */
import { describe, expect, it } from "vitest";
import type { AxisSizes } from "../packages/recurra/src/base/shapes.ts";
import type { Node } from "../packages/recurra/src/ir/nodes.ts";
import { expectAllClose, tolerances } from "./support/close.ts";
import { holds, kindCases } from "./support/kinds.ts";
import { backends, feedsFor, programOf, reference } from "./support/programs.ts";

/** Sizes that no lane count divides, and those that it does. */
const featureSizes = [1, 2, 3, 4, 5, 7, 8, 17, 33];
const axisSizes: readonly AxisSizes[] = [
  { batch: 3, time: 4, steps: 3 },
  { batch: 1, time: 1, steps: 1 },
  { batch: 9, time: 2, steps: 5 },
];
const emptySizes: readonly AxisSizes[] = [
  { batch: 2, time: 0, steps: 0 },
  { batch: 0, time: 3, steps: 2 },
];

const kinds = Object.keys(kindCases) as Node["kind"][]; // The table has exactly these keys.

describe.each(backends)("$name", (backend) => {
  describe.each(kinds)("computes %s like the reference", (kind) => {
    it.each(kindCases[kind])("$what", ({ write, given }) => {
      for (const n of featureSizes) {
        const program = programOf((trace) => write(trace, n));
        if (n === 5) expect(holds(kind, program.graph.nodes)).toBe(true);
        const all = n === 5 ? [...axisSizes, ...emptySizes] : [axisSizes[featureSizes.indexOf(n) % 3]!];
        for (const sizes of all) {
          const feeds = feedsFor(program, sizes, n, given?.(sizes, n));
          const computed = backend.run(program, feeds, sizes);
          const expected = reference(program, feeds, sizes);
          try {
            if (kind === "random")
              for (const name of Object.keys(expected)) expect([...computed[name]!]).toEqual([...expected[name]!]);
            else expectAllClose(computed, expected, tolerances.float32, `${backend.name}, one kind`);
          } catch (cause) {
            throw new Error(`size ${n}, ${JSON.stringify(sizes)}: ${(cause as Error).message}`, { cause });
          }
        }
      }
    });
  });
});
