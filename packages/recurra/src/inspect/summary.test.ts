import { describe, expect, it } from "vitest";
import { lstm } from "../cells/lstm.ts";
import { dense } from "../layers/dense.ts";
import { embedding } from "../layers/embedding.ts";
import { sequential } from "../layers/layer.ts";
import { mse } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { add } from "../trace/operations.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { Model } from "../train/model.ts";
import { defineNetwork } from "../train/network.ts";
import { summarize, summaryTable } from "./summary.ts";
import { unfoldingSvg } from "./unfolding.ts";

const layers = sequential(
  embedding({ vocabSize: 50, size: 8 }),
  recurrent({ cell: lstm, hiddenSize: 16, direction: "both", output: "last" }),
  dense({ outputSize: 3 }),
);
const network = defineNetwork({
  inputs: { tokens: sequenceType(1), y: vectorType(3) },
  forward: ({ tokens }, scope) => ({ score: add(layers.apply(tokens, scope), scope.param("own", [3], "zeros")) }),
  loss: ({ score }, { y }, scope) => mse(score, y, scope),
});

describe("summaryTable", () => {
  it("names every layer, what it makes and its parameters", () => {
    expect(summaryTable(network)).toBe(
      [
        "layer              kind        output             parameters",
        "tokens             input       [batch, time, 1]",
        "y                  input       [batch, 3]",
        "0.embedding        embedding   [batch, time, 8]          400",
        "1.lstm.0.forward   lstm        [batch, time, 16]       1,600",
        "1.lstm.0.backward  lstm        [batch, time, 16]       1,600",
        "2.dense            dense       [batch, 3]                 99",
        "own                parameters                              3",
        "score              output      [batch, 3]",
        "                               in all                  3,702",
        "",
      ].join("\n"),
    );
  });

  it("counts what the model has", () => {
    expect(summarize(network).parameters).toBe(new Model(network).parameterCount);
  });
});

describe("unfoldingSvg", () => {
  const svg = unfoldingSvg(network, 5);
  const count = (pattern: RegExp) => [...svg.matchAll(pattern)].length;

  it("has a box for every layer and step, one where there are no steps", () => {
    // Input, embedding and two directions by five steps; dense layer and output once.
    expect(count(/<rect class="box"/g)).toBe(4 * 5 + 2);
    expect(count(/>tokens (1|2|3|4|T)</g)).toBe(5);
  });

  it("has arrows between steps in the direction of the recurrence", () => {
    const between = [...svg.matchAll(/<line class="arrow[^"]*" x1="(\S+)" y1="(\S+)" x2="(\S+)" y2="(\S+)"/g)]
      .map(([, ...ends]) => ends.map(Number))
      .filter(([, y1, , y2]) => y1 === y2);
    expect(between.filter(([x1, , x2]) => x1! < x2!)).toHaveLength(4);
    expect(between.filter(([x1, , x2]) => x1! > x2!)).toHaveLength(4);
    expect(count(/>h, c</g)).toBe(8);
  });
});
