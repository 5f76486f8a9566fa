import { describe, expect, it } from "vitest";
import { feedsFor, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { recurrent } from "../layers/recurrent.ts";
import { defineCell } from "./cell.ts";
import { formulaOf } from "./formula.ts";
import { add, matmul, mul, named, relu, sigmoid, sub, tanh } from "./operations.ts";
import { sequenceType } from "./tensor.ts";

/** A running mean whose output is no state, of which a third of hiddenSize is kept. */
const probe = defineCell({
  name: "probe",
  state: ["m", "t"],
  stateSizes: { m: ({ hiddenSize }) => hiddenSize / 3, t: () => 1 },
  results: ["y", "gap"],
  output: "y",
  blocks: ["a"],
  shapes: { W: ({ inputSize, hiddenSize }) => [hiddenSize / 3, inputSize] },
  families: { P: { shape: ({ hiddenSize }) => [hiddenSize, hiddenSize / 3], initializer: "ones" } },
  parameters: { s: { shape: () => [1], initializer: "ones" } },
  initialize: { W: "ones" },
  fixed: ["P"],
  step: ({ x, m, t }, { W, P, s }) => {
    const value = matmul(W.a, x);
    const mean = add(mul(m, 0.5), mul(value, 0.5));
    return { m: mean, t: add(t, 1), y: mul(s, matmul(P.a, mean)), gap: sub(value, mean) };
  },
});

describe("a cell", () => {
  const program = programOf((trace) => {
    const layer = recurrent({ cell: probe, hiddenSize: 3, depth: 2 });
    const { sequence, last, final, results } = layer.run(trace.input("x", sequenceType(1)), scopeIn(trace));
    return { sequence, last, ...final, ...results };
  });
  const feeds = feedsFor(program, { batch: 1, time: 3 }, 1, {
    x: [2, 4, 8],
    seed: [0],
    "0.forward.W.a": [1],
    "0.forward.P.a": [1, 2, 3],
    "0.forward.s": [10],
    "1.forward.W.a": [1, 0, 0],
    "1.forward.P.a": [1, 1, 1],
    "1.forward.s": [1],
  });
  const found = reference(program, feeds, { batch: 1, time: 3 });

  it("may have states of other sizes, an output that is no state, and further results", () => {
    expect([...found["0.forward.m"]!]).toEqual([5.25]);
    expect([...found["0.forward.t"]!]).toEqual([3]);
    expect([...found["0.forward.gap"]!]).toEqual([1, 1.5, 2.75]);
    // Of the layer below: 10 · mean, in the first place.
    expect([...found["1.forward.gap"]!]).toEqual([5, 10, 18.75]);
    expect([...found.sequence!]).toEqual([5, 5, 5, 15, 15, 15, 33.75, 33.75, 33.75]);
    expect([...found.last!]).toEqual([33.75, 33.75, 33.75]);
  });

  it("declares which of its weights training leaves alone", () => {
    expect(formulaOf(probe).parameters.map(({ name, trainable }) => [name, trainable])).toEqual([
      ["s", true],
      ["W.a", true],
      ["P.a", false],
    ]);
  });
});

describe("the printed formula", () => {
  const lines = (cell: Parameters<typeof formulaOf>[0]) => formulaOf(cell).lines;

  it("names states after the step, results, gates by their weights, and what was given a name", () => {
    const cell = defineCell({
      name: "c",
      state: ["h"],
      results: ["g"],
      blocks: ["z", "h"],
      step: ({ x, h }, { W, R, b }) => {
        const z = sigmoid(add(matmul(W.z, x), b.z));
        const inner = named("s", mul(matmul(R.h, mul(z, h)), 2));
        return { h: add(mul(sub(1, z), h), mul(z, relu(add(inner, b.h)))), g: z };
      },
    });
    expect(lines(cell)).toEqual([
      "g = σ(W_z·x + b_z)",
      "s = (R_h·(g ⊙ h))·2",
      "h\u0303 = relu(s + b_h)",
      "h′ = (1 − g) ⊙ h + g ⊙ h\u0303",
    ]);
  });

  it("keeps brackets where they matter", () => {
    const cell = defineCell({
      name: "c",
      state: ["h"],
      blocks: ["h"],
      step: ({ x, h }, { W }) => {
        const p = matmul(W.h, x);
        return { h: sub(mul(p, p, sub(h, add(p, 1))), tanh(mul(3, sub(p, h)))) };
      },
    });
    expect(lines(cell)).toEqual(["h′ = (W_h·x)² ⊙ (h − (W_h·x + 1)) − tanh(3·(W_h·x − h))"]);
  });
});
