import { describe, expect, it } from "vitest";
import { expectClose, tolerances } from "../../../../test/support/close.ts";
import { checkGradients } from "../../../../test/support/differences.ts";
import { layerCases } from "../../../../test/support/layers.ts";
import { backends, feedsFor, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { gru } from "../cells/gru.ts";
import { lstm } from "../cells/lstm.ts";
import { sru } from "../cells/sru.ts";
import { add, square, sumAll } from "../trace/operations.ts";
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

describe("both directions", () => {
  const sizes = { batch: 3, time: 4 };
  const given = { lengths: [4, 0, 2], seed: [1] };
  const hiddenSize = 2;
  const merges = {
    concat: (forward: number[], backward: number[]) => [...forward, ...backward],
    sum: (forward: number[], backward: number[]) => forward.map((f, i) => f + backward[i]!),
    mean: (forward: number[], backward: number[]) => forward.map((f, i) => (f + backward[i]!) / 2),
    product: (forward: number[], backward: number[]) => forward.map((f, i) => f * backward[i]!),
  };
  const cases = (["concat", "sum", "mean", "product"] as const).flatMap((merge) =>
    [gru, sru].map((cell) => ({ merge, cell, name: cell.name })),
  );

  it.each(cases)("of a $name are merged by $merge, row by row within the lengths", ({ merge, cell }) => {
    const program = programOf((trace) => {
      const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) });
      const x = trace.input("x", sequenceType(2));
      const way = (direction: "forward" | "backward" | "both") =>
        recurrent({ cell, hiddenSize, direction, merge }).run(x, scope);
      const { sequence, last, directions } = way("both");
      const [forward, backward] = [way("forward"), way("backward")];
      return {
        ...{ sequence, last, forward: forward.sequence, backward: backward.sequence },
        ...{ lastForward: forward.last, lastBackward: backward.last },
        ...{ apartForward: directions[0]!.sequence, apartBackward: directions[1]!.last },
      };
    });
    const feeds = feedsFor(program, sizes, 7, given);
    const got = reference(program, feeds, sizes);
    const rows = (values: Float64Array) =>
      Array.from({ length: values.length / hiddenSize }, (_, row) => [
        ...values.subarray(row * hiddenSize, (row + 1) * hiddenSize),
      ]);
    const expected = (forward: Float64Array, backward: Float64Array) =>
      rows(forward).flatMap((row, i) => merges[merge](row, rows(backward)[i]!));
    const sequence = expected(got.forward!, got.backward!);
    expectClose(got.sequence!, sequence, tolerances.float64, "sequence");
    expectClose(got.last!, expected(got.lastForward!, got.lastBackward!), tolerances.float64, "last");
    expectClose(got.apartForward!, got.forward!, tolerances.float64, "forward");
    expectClose(got.apartBackward!, got.lastBackward!, tolerances.float64, "backward");
    for (const backend of backends)
      expectClose(backend.run(program, feeds, sizes).sequence!, sequence, tolerances.float32, "sequence");
  });

  it.each(cases)(
    "of a stack of $name merged by $merge have the gradient that central differences give",
    ({ merge, cell }) => {
      const program = programOf((trace) => {
        const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) });
        const layer = recurrent({ cell, hiddenSize, depth: 2, direction: "both", merge });
        const { sequence, last } = layer.run(trace.input("x", sequenceType(2)), scope);
        return { loss: add(sumAll(square(sequence)), sumAll(last)) };
      });
      checkGradients(program, feedsFor(program, sizes, 7, given), sizes, { coordinates: 4, directions: 1 });
    },
  );

  it("are refused a merge that is unknown", () => {
    // As from JavaScript.
    const merge = "average" as "mean";
    expect(() => recurrent({ cell: lstm, hiddenSize, direction: "both", merge })).toThrow(
      'merge is unknown: "average", expected one of concat, sum, mean, product.\nChoose a known merge.',
    );
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

describe("a recurrent layer without a cell", () => {
  it.each([
    [
      "the name of one",
      "gru",
      'recurrent: cell is "gru", expected a cell.\nGive the cell itself: import { cells } from "recurra/cells", then cells["gru"]',
    ],
    ["none", undefined, "recurrent: cell is missing, expected a cell."],
  ])("says what it wants instead of %s", (_, cell, sentence) => {
    expect(() => recurrent({ cell: cell as unknown as typeof gru, hiddenSize: 4 })).toThrow(sentence);
  });
});
