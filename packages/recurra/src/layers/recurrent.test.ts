import { describe, expect, it } from "vitest";
import { checkGradients } from "../../../../test/support/differences.ts";
import { layerCases } from "../../../../test/support/layers.ts";
import { feedsFor, programOf, scopeIn } from "../../../../test/support/programs.ts";
import { lstm } from "../cells/lstm.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { recurrent } from "./recurrent.ts";

describe("a recurrent layer's gradients of weights, input and initial states agree with central differences", () => {
  it.each(layerCases)("$what", ({ program: write }) => {
    const sizes = { batch: 3, time: 4 };
    const program = write(2, 2);
    const feeds = feedsFor(program, sizes, 7, { lengths: [4, 0, 2], seed: [1] });
    checkGradients(program, feeds, sizes, { coordinates: 4, directions: 1 });
  });
});

describe("recurrent", () => {
  it("refuses sizes that are not positive whole numbers", () => {
    expect(() => recurrent({ cell: lstm, hiddenSize: 0 })).toThrow(
      "lstm: hiddenSize is 0, expected 1, 2, 3, ….\nGive a positive whole number.",
    );
    expect(() => recurrent({ cell: lstm, hiddenSize: 4, depth: 1.5 })).toThrow(
      "lstm: depth is 1.5, expected 1, 2, 3, ….\nGive a positive whole number.",
    );
  });

  it("refuses an input without a time axis", () => {
    expect(() =>
      programOf((trace) => ({
        y: recurrent({ cell: lstm, hiddenSize: 2 }).apply(trace.input("x", vectorType(3)), scopeIn(trace)),
      })),
    ).toThrow(
      'lstm: input x is [batch, 3], expected [batch, time, features].\nA recurrent layer steps over a sequence of feature rows; use output "sequence" in the layer below.',
    );
  });

  it("names its weights by layer, direction, kind and gate", () => {
    const program = programOf((trace) => ({
      y: recurrent({ cell: lstm, hiddenSize: 2, direction: "both", output: "last" }).apply(
        trace.input("x", sequenceType(3)),
        scopeIn(trace).in("encoder"),
      ),
    }));
    const names = program.graph.nodes.flatMap((node) => (node.kind === "param" ? [node.name] : []));
    expect(names).toContain("encoder.0.forward.W.i");
    expect(names).toContain("encoder.0.backward.R.o");
    expect(names).toHaveLength(24);
  });
});
