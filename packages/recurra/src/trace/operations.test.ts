import { describe, expect, it } from "vitest";
import { formatType } from "../base/shapes.ts";
import { div, layerNorm, sqrt, sumFeatures } from "./operations.ts";
import { sequenceType, type Tensor, type TensorLike, Trace, vectorType } from "./tensor.ts";

/** The types of the divisions of a traced program. */
function divisions(program: (x: Tensor, trace: Trace) => TensorLike): string[] {
  const trace = new Trace();
  program(trace.input("x", sequenceType(8)), trace);
  const { nodes, types } = trace.builder.finish();
  return nodes.flatMap(({ kind }, id) => (kind === "div" ? [formatType(types[id]!)] : []));
}

describe("div", () => {
  it("divides once by a root that many elements share", () => {
    expect(divisions((x) => div(x, sqrt(sumFeatures(x))))).toEqual(["[batch, time, 1]"]);
    expect(divisions((x, trace) => div(x, sqrt(trace.input("y", vectorType(8)))))).toEqual(["[batch, 8]"]);
    expect(divisions((x) => layerNorm(x, x.trace.param("gain", [8])))).not.toContain("[batch, time, 8]");
  });

  it("leaves other divisions as they are, so that a whole quotient stays whole", () => {
    const whole = ["[batch, time, 8]"];
    expect(divisions((x) => div(x, 3))).toEqual(whole);
    expect(divisions((x) => div(1, sqrt(x)))).toEqual(whole);
    expect(divisions((x) => div(x, sqrt(x)))).toEqual(whole);
    expect(divisions((x, trace) => div(x, trace.param("periods", [8])))).toEqual(whole);
  });
});
