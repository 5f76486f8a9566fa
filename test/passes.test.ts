/** Every pass keeps the values in float64 and leaves a legal program. */
import { describe, expect, it } from "vitest";
import type { AxisSizes } from "../packages/recurra/src/base/shapes.ts";
import { afterGradient, beforeGradient, beforePlan, type NamedPass } from "../packages/recurra/src/compile/pipeline.ts";
import type { Node, Program } from "../packages/recurra/src/ir/nodes.ts";
import { verify } from "../packages/recurra/src/ir/verify.ts";
import { mul, sumAll } from "../packages/recurra/src/trace/operations.ts";
import type { Tensor, Trace } from "../packages/recurra/src/trace/tensor.ts";
import { expectAllClose, tolerances } from "./support/close.ts";
import { kindCases } from "./support/kinds.ts";
import { layerCases } from "./support/layers.ts";
import { feedsFor, leaves, programOf, reference, type Values, withGradients } from "./support/programs.ts";

const sizes: AxisSizes = { batch: 3, time: 4, steps: 3 };

function keepsValues(program: Program, feeds: Values, at: AxisSizes, passes: readonly NamedPass[]): Program {
  const expected = reference(program, feeds, at);
  return passes.reduce((current, { name, pass }) => {
    const next = pass(current);
    try {
      verify(next);
      expectAllClose(reference(next, feeds, at), expected, tolerances.float64, `pass ${name}`);
    } catch (cause) {
      throw new Error(`after the pass "${name}": ${(cause as Error).message}`, { cause });
    }
    return next;
  }, program);
}

/** A loss of every output, each element with a weight of its own. */
function weighted(write: (trace: Trace) => Readonly<Record<string, Tensor>>): Program {
  return programOf((trace) => {
    const outputs = write(trace);
    const terms = Object.entries(outputs).map(([name, y]) => sumAll(mul(y, trace.input(`mask ${name}`, y.type))));
    return { ...outputs, loss: terms.reduce((sum, term) => sum.trace.add({ kind: "add", a: sum.id, b: term.id })) };
  });
}

const kinds = Object.keys(kindCases) as Node["kind"][]; // The table has exactly these keys.

describe.each(kinds)("the passes keep the values of a program with %s", (kind) => {
  it.each(kindCases[kind])("$what", ({ write, given }) => {
    const n = 3;
    const program = weighted((trace) => write(trace, n));
    const feeds = feedsFor(program, sizes, 1, given?.(sizes, n));
    const before = keepsValues(program, feeds, sizes, beforeGradient);
    // Pruning may have dropped leaves: the gradient is taken of those that are left.
    const whole = withGradients(before);
    keepsValues(whole, feeds, sizes, [...afterGradient, ...beforePlan(undefined)]);
    keepsValues(program, feeds, sizes, beforePlan(undefined));
  });
});

describe("the passes keep values and gradients of recurrent layers", () => {
  it.each(layerCases)("$what", (layer) => {
    const at: AxisSizes = { batch: 3, time: 5 };
    const program = layer.program(2, 3);
    const feeds = feedsFor(program, at, 2, { lengths: [5, 0, 2], seed: [11] });
    const before = keepsValues(program, feeds, at, beforeGradient);
    const early = withGradients(before);
    const late = withGradients(program);
    expectAllClose(
      reference(early, feeds, at),
      reference(late, feeds, at),
      tolerances.float64,
      "gradient before and after",
    );
    const after = keepsValues(early, feeds, at, [...afterGradient, ...beforePlan(undefined)]);
    keepsValues(late, feeds, at, [...beforeGradient, ...afterGradient, ...beforePlan(undefined)]);
    expect(leaves(after, at).size).toBeGreaterThan(2);
  });
});
