import { describe, expect, it } from "vitest";
import { programOf } from "../../../../test/support/programs.ts";
import { ShapeError } from "../base/errors.ts";
import { add, sumAxes } from "./operations.ts";
import { scan } from "./scan.ts";
import { sequenceType, type Tensor, type Trace, vectorType } from "./tensor.ts";

type Join = (trace: Trace, x: Tensor) => Tensor;
const sum: Join = (_, x) => sumAxes(x, "batch");
const outer: Join = (_, x) => x.trace.add({ kind: "outer", a: x.id, b: x.id, axes: ["batch"] });
const scatterAdd: Join = (_, x) => x.trace.add({ kind: "scatterAdd", x: x.id, index: x.id, rows: 2 });
const nested: Join = (trace, x) =>
  scan({
    axis: "steps",
    initial: { h: x },
    sequences: { y: x.trace.adopt(trace.input("y", sequenceType(1, "steps"))) },
    step: ({ h }) => ({ next: { h: add(h, sumAxes(h, "batch")) }, outputs: {} }),
  }).final.h;

const program = (join: Join, withLengths: boolean) => () =>
  programOf((trace) => {
    const { outputs } = scan({
      initial: { h: trace.input("h", vectorType(1)) },
      sequences: { x: trace.input("x", sequenceType(1)) },
      lengths: withLengths ? trace.input("lengths", vectorType(1)) : undefined,
      step: ({ h }, { x }) => ({ next: { h: add(h, x) }, outputs: { joined: join(trace, x) } }),
    });
    return { y: outputs.joined };
  });

describe("a step that joins the rows of the batch", () => {
  it.each([
    ["reduce", sum],
    ["outer", outer],
    ["scatterAdd", scatterAdd],
    ["reduce", nested],
  ] as const)("by %s is refused where rows have lengths, and taken where they have none", (kind, join) => {
    expect(program(join, true)).toThrow(ShapeError);
    expect(program(join, true)).toThrow(
      `scan with lengths: ${kind} in the step is over the axis "batch", expected a step that keeps the rows of the batch apart.\nRows past their length would take part; join the rows before or after the scan, or leave out lengths and weigh the rows in the step.`,
    );
    expect(program(join, false)).not.toThrow();
  });
});
