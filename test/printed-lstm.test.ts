/** The training step of a small LSTM as it is printed after each pass: a golden file for each. `vitest -u` writes them anew. */
import { describe, expect, it } from "vitest";
import { lstm } from "../packages/recurra/src/cells/lstm.ts";
import type { Program } from "../packages/recurra/src/ir/nodes.ts";
import { printProgram } from "../packages/recurra/src/ir/printer.ts";
import { verify } from "../packages/recurra/src/ir/verify.ts";
import { dense } from "../packages/recurra/src/layers/dense.ts";
import { mse } from "../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../packages/recurra/src/layers/recurrent.ts";
import { sequenceType, vectorType } from "../packages/recurra/src/trace/tensor.ts";
import { Model } from "../packages/recurra/src/train/model.ts";
import { sgd } from "../packages/recurra/src/train/optimizers/sgd.ts";

const seen: { readonly name: string; readonly program: Program }[] = [];
new Model(
  {
    inputs: { x: sequenceType(2), y: vectorType(1) },
    forward: ({ x }, scope) => ({
      y: dense({ outputSize: 1 }).apply(
        recurrent({ cell: lstm, hiddenSize: 3, output: "last" }).apply(x!, scope.in("lstm")),
        scope.in("dense"),
      ),
    }),
    loss: (outputs, inputs, scope) => mse(outputs.y!, inputs.y!, scope),
  },
  {
    optimizer: sgd(),
    watch: (program, pass, after) => {
      if (program === "train")
        seen.push({ name: `${String(seen.length).padStart(2, "0")}-${pass.replaceAll(" ", "-")}`, program: after });
    },
  },
);

describe("the printed training step of an LSTM", () => {
  it("is seen after the trace, every pass and the gradient", () => {
    expect(seen.map(({ name }) => name)).toEqual([
      "00-trace",
      "01-gates-side-by-side",
      "02-hoist",
      "03-prune",
      "04-gradient",
      "05-hoist",
      "06-sink",
      "07-prune",
      "08-update",
    ]);
  });

  it.each(seen)("is what the golden file says: $name", async ({ name, program }) => {
    verify(program);
    await expect(printProgram(program)).toMatchFileSnapshot(`golden/lstm-${name}.txt`);
  });

  it("has one recurrent product in the forward loop and one in the backward loop, and none for weight gradients", () => {
    const scans = seen
      .at(-1)!
      .program.graph.nodes.flatMap((node) => (node.kind === "scan" ? [node.body.graph.nodes] : []));
    const count = (kind: string) => scans.map((nodes) => nodes.filter((node) => node.kind === kind).length);
    expect(count("matmul")).toEqual([1, 1]);
    expect(count("outer")).toEqual([0, 0]);
  });
});
