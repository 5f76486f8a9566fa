import { describe, expect, it } from "vitest";
import { feedsFor, programOf, reference, withGradients } from "../../../../test/support/programs.ts";
import { add, mul, sumAll } from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";

describe("a gradient that shrinks from step to step", () => {
  it("is 0 once it is below 1e-30, and exact before", () => {
    const program = withGradients(
      programOf((trace) => {
        const { final } = scan({
          initial: { h: trace.input("h", vectorType(1)) },
          sequences: { x: trace.input("x", sequenceType(1)) },
          step: ({ h }, { x }) => ({ next: { h: add(mul(0.1, h), x) }, outputs: {} }),
        });
        return { loss: sumAll(final.h) };
      }),
    );
    const sizes = { batch: 1, time: 40 };
    const gradient = reference(program, feedsFor(program, sizes, 1), sizes)["gradient x"]!;
    for (let back = 0; back < 30; back++) expect(gradient[39 - back]! / 0.1 ** back).toBeCloseTo(1, 9);
    expect([...gradient.slice(0, 8)]).toEqual(Array.from({ length: 8 }, () => 0));
  });
});
