import { describe, expect, it } from "vitest";
import { checkGradients } from "../../../../test/support/differences.ts";
import { kindCases } from "../../../../test/support/kinds.ts";
import { feedsFor, programOf, reference, withGradients } from "../../../../test/support/programs.ts";
import type { AxisSizes } from "../base/shapes.ts";
import type { Node } from "../ir/nodes.ts";
import { add, div, log, mul, select, sqrt, square, sumAll, tanh } from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import { sequenceType, Trace, vectorType } from "../trace/tensor.ts";
import { gradients } from "./gradient.ts";

const sizes: AxisSizes = { batch: 2, time: 3, steps: 2 };
const kinds = Object.keys(kindCases) as Node["kind"][]; // The table has exactly these keys.
/** What stops a gradient on purpose, and what has none; those that give NaN a place are checked by a test of their own. */
const withoutDifferences = new Set(["beside the value", "of infinity and NaN not chosen"]);

const checked = (kind: Node["kind"]) => kindCases[kind].filter(({ what }) => !withoutDifferences.has(what));

describe.each(kinds.filter((kind) => checked(kind).length > 0))(
  "the gradient through %s agrees with central differences",
  (kind) => {
    it.each(checked(kind))("$what", ({ write, given }) => {
      const n = 2;
      const program = programOf((trace) => {
        const outputs = Object.entries(write(trace, n));
        // Squared as well, so that what arrives at an output depends on its value.
        const terms = outputs.map(([name, y]) => sumAll(mul(add(y, square(y)), trace.input(`mask ${name}`, y.type))));
        return { loss: terms.reduce((sum, term) => add(sum, term)) };
      });
      checkGradients(program, feedsFor(program, sizes, 4, given?.(sizes, n)), sizes);
    });
  },
);

describe("gradients", () => {
  it("are 0 for what the loss does not read, and through stopGradient", () => {
    const program = withGradients(
      programOf((trace) => {
        const { outputs } = scan({
          initial: { h: trace.input("v", vectorType(2)) },
          sequences: { x: trace.input("x", sequenceType(2)), z: trace.input("z", sequenceType(2)) },
          step: ({ h }, { x, z }) => ({ next: { h: add(h, x) }, outputs: { y: tanh(h), unread: z } }),
        });
        const stopped = trace.add({ kind: "stopGradient", x: trace.param("p", [2]).id });
        return { loss: sumAll(mul(outputs.y, stopped)) };
      }),
    );
    const found = reference(program, feedsFor(program, sizes, 1), sizes);
    expect([...found["gradient z"]!]).toEqual(Array.from({ length: 12 }, () => 0));
    expect([...found["gradient p"]!]).toEqual([0, 0]);
    expect(found["gradient v"]!.some((value) => value !== 0)).toBe(true);
  });

  it("let what a select did not choose have no say, not even as NaN", () => {
    const program = withGradients(
      programOf((trace) => {
        const x = trace.input("x", vectorType(3));
        const root = trace.add({ kind: "sqrt", x: x.id });
        return { loss: sumAll(select(trace.add({ kind: "less", a: trace.literal(0).id, b: x.id }), root, 0)) };
      }),
    );
    expect([...reference(program, { x: [4, 1, 0.25] }, { batch: 1 })["gradient x"]!]).toEqual([0.25, 0.5, 1]);
  });

  it("count no row past its length, although what is saved there, and divided by, is 0", () => {
    const program = programOf((trace) => {
      const w = trace.param("w", [2]);
      const { outputs } = scan({
        initial: { h: trace.input("h", vectorType(2)) },
        sequences: { x: trace.input("x", sequenceType(2)) },
        lengths: trace.input("lengths", vectorType(1)),
        step: ({ h }, { x }) => {
          const positive = add(1, square(add(h, mul(w, x))));
          return { next: { h: div(tanh(h), positive) }, outputs: { y: add(log(positive), sqrt(positive)) } };
        },
      });
      return { loss: sumAll(outputs.y) };
    });
    checkGradients(program, feedsFor(program, sizes, 2, { lengths: [3, 1] }), sizes);
  });

  it("share the gradient of a maximum among equal elements", () => {
    const program = withGradients(
      programOf((trace) => {
        const x = trace.input("x", vectorType(4));
        return { loss: sumAll(trace.add({ kind: "reduce", op: "max", x: x.id, axes: [], dims: [0] })) };
      }),
    );
    expect([...reference(program, { x: [3, 1, 3, 2] }, { batch: 1 })["gradient x"]!]).toEqual([0.5, 0, 0.5, 0]);
  });

  it("refuse a loss that is not a single number", () => {
    const trace = new Trace();
    const x = trace.input("x", vectorType(3));
    expect(() => gradients(trace.builder, x.id, [x.id])).toThrow(
      "gradients: loss is [batch, 3], expected [1].\nSum or average the loss over batch, time and features.",
    );
  });
});
