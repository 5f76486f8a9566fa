import { describe, expect, it } from "vitest";
import { backends, feedsFor, programOf, reference } from "../../../../../../test/support/programs.ts";
import type { NodeId, Program } from "../../../ir/nodes.ts";
import { add, exp, matmul, maxFeatures, sub, sumFeatures } from "../../../trace/operations.ts";
import { vectorType } from "../../../trace/tensor.ts";
import { lower } from "./lower.ts";
import type { Command } from "./plan.ts";

/** exp(Wx + b − max(Wx + b)): two loops, both of which need Wx + b. Then b changes. */
const program = programOf((trace) => {
  const logits = add(matmul(trace.param("W", [6, 5]), trace.input("x", vectorType(5))), trace.param("b", [6]));
  const weights = exp(sub(logits, maxFeatures(logits)));
  return { weights, sum: sumFeatures(weights) };
});

const loopsOf = (commands: readonly Command[]) => commands.filter((command) => command.kind === "loop");

describe("a value that another loop can make again at no cost", () => {
  it("is never stored", () => {
    const plan = lower(program);
    const stored = loopsOf(plan.commands).flatMap(({ stores }) =>
      stores.map(({ access }) => plan.buffers[access.buffer]),
    );
    expect(stored.map((buffer) => buffer?.role)).toEqual(["output"]);
    expect(
      loopsOf(plan.commands).filter(({ ops }) => ops.some((op) => op.kind === "binary" && op.op === "add")),
    ).toHaveLength(2);
  });

  it("is stored when what it is made of changes before", () => {
    const leaf = program.graph.nodes.findIndex((node) => node.kind === "param" && node.name === "b");
    const changing: Program = { ...program, updates: { b: leaf as NodeId } }; // The position in the list is the id.
    const plan = lower(changing);
    const adds = loopsOf(plan.commands).filter(({ ops }) => ops.some((op) => op.kind === "binary" && op.op === "add"));
    expect(adds).toHaveLength(1);
  });

  it.each(backends)("has the value of the reference ($name)", (backend) => {
    const sizes = { batch: 7 };
    const feeds = feedsFor(program, sizes, 3);
    const [given, expected] = [backend.run(program, feeds, sizes), reference(program, feeds, sizes)];
    for (const [name, values] of Object.entries(expected))
      for (const [i, value] of [...values].entries()) expect(given[name]![i]).toBeCloseTo(value, 5);
  });
});
