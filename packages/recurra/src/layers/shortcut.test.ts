import { describe, expect, it } from "vitest";
import { checkGradients } from "../../../../test/support/differences.ts";
import { feedsFor, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { gru } from "../cells/gru.ts";
import { type add, square, sumAll } from "../trace/operations.ts";
import { sequenceType } from "../trace/tensor.ts";
import { dense } from "./dense.ts";
import { recurrent } from "./recurrent.ts";
import { highway, residual } from "./shortcut.ts";

const sizes = { batch: 2, time: 3 };
const identity = { name: "same", apply: (x: Parameters<typeof add>[0] & object) => x } as const;

describe("ways around a layer", () => {
  it.each([
    ["residual", residual(recurrent({ cell: gru, hiddenSize: 2 }))],
    ["residual, other size", residual(dense({ outputSize: 3 }))],
    ["highway", highway(recurrent({ cell: gru, hiddenSize: 2 }))],
    ["highway, other size", highway(dense({ outputSize: 3 }))],
  ])("have the gradient that central differences give: %s", (_name, layer) => {
    const program = programOf((trace) => ({
      loss: sumAll(square(layer.apply(trace.input("x", sequenceType(2)), scopeIn(trace).in("layer")))),
    }));
    checkGradients(program, feedsFor(program, sizes, 4, { seed: [1] }), sizes);
  });

  it("around nothing: twice the input, and the input", () => {
    const program = programOf((trace) => {
      const x = trace.input("x", sequenceType(2));
      const scope = scopeIn(trace);
      return { twice: residual(identity).apply(x, scope.in("r")), once: highway(identity).apply(x, scope.in("h")) };
    });
    const feeds = feedsFor(program, sizes, 4, { seed: [1] });
    const { twice, once } = reference(program, feeds, sizes);
    expect([...twice!]).toEqual(Array.from(feeds.x!, (x) => 2 * x));
    for (const [i, x] of Array.from(feeds.x!).entries()) expect(once![i]).toBeCloseTo(x, 12);
  });
});
