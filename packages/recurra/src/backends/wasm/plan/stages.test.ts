import { describe, expect, it } from "vitest";
import { add, broadcast, matmul, mul, stack, sumAll } from "../../../trace/operations.ts";
import { Trace } from "../../../trace/tensor.ts";
import { lower } from "./lower.ts";
import { inStages } from "./stages.ts";

describe("stages", () => {
  it("share loops that write apart, and have the threads meet before what reads all of it", () => {
    const trace = new Trace();
    const w = trace.param("w", [3, 5]);
    const sum = sumAll(mul(w, w));
    const next = add(w, broadcast(sum, w.type));
    const graph = trace.builder.finish();
    const plan = inStages(lower({ graph, outputs: {}, updates: { w: next.id } }));
    const kinds = plan.stages!.map(({ together, commands }) => [together, commands.length]);
    expect(kinds).toEqual([
      [false, 2], // The sum over rows is one number: it begins at 0, then all of it is added.
      [true, 1],
    ]);
    expect(plan.commands).toEqual(plan.stages!.flatMap(({ commands }) => commands));
  });

  it("share the parts of a concatenation, and read it behind all of them", () => {
    const trace = new Trace();
    const [a, b] = [trace.param("a", [3, 5]), trace.param("b", [2, 5])];
    const x = trace.input("x", { axes: ["batch"], shape: [5] });
    const y = matmul(stack(mul(a, 2), mul(b, 3)), x);
    const plan = lower({ graph: trace.builder.finish(), outputs: { y: y.id }, updates: {} });
    const stages = inStages(plan).stages!.map(({ commands }) => commands.map(({ kind }) => kind));
    expect(stages).toEqual([["loop", "loop"], ["pack"], ["gemm"]]);
  });
});
