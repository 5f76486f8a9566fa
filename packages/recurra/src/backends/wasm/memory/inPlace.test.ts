import { describe, expect, it } from "vitest";
import { backends, feedsFor, programOf, reference } from "../../../../../../test/support/programs.ts";
import { add, exp, matmul, mul, sub, sumFeatures } from "../../../trace/operations.ts";
import { scan } from "../../../trace/scan.ts";
import { vectorType } from "../../../trace/tensor.ts";
import { touchedBy } from "../plan/constants.ts";
import { lower } from "../plan/lower.ts";
import type { Plan } from "../plan/plan.ts";
import { inPlace } from "./inPlace.ts";

/** Three values of one size, each made of the one before; the product that ends them is read twice when `again`. */
const chain = (again: boolean) =>
  programOf((trace) => {
    const x = matmul(trace.param("W", [6, 5]), trace.input("x", vectorType(5)));
    const weights = exp(sub(x, sumFeatures(x)));
    const shares = mul(weights, sumFeatures(weights));
    const y = matmul(trace.param("V", [3, 6]), shares);
    return again ? { y: add(y, matmul(trace.param("V", [3, 6]), x)) } : { y };
  });

const buffersOf = (program: ReturnType<typeof chain>, change: typeof inPlace) => {
  const plan = change(lower(program));
  const size = JSON.stringify(plan.buffers.find(({ name }) => name.endsWith("matmul"))!.sizes);
  const touched = new Set(plan.commands.flatMap((command) => Object.values(touchedBy(command)).flat()));
  return [...touched].filter(
    (id) => plan.buffers[id]!.role === "temporary" && JSON.stringify(plan.buffers[id]!.sizes) === size,
  );
};

describe("a value that nobody reads any more", () => {
  it("gives its memory to what a loop makes of it", () => {
    expect(buffersOf(chain(false), (plan) => plan).length).toBeGreaterThan(1);
    expect(buffersOf(chain(false), inPlace)).toHaveLength(1);
  });

  it("is not copied to where it lies already", () => {
    const program = programOf((trace) => {
      const x = trace.input("x", vectorType(6));
      const first = matmul(trace.param("W", [6, 6]), x);
      const { final } = scan({
        axis: "time",
        initial: { h: first },
        sequences: {},
        step: ({ h }) => ({ next: { h: mul(h!, 0.5) }, outputs: {} }),
      });
      return { h: final.h! };
    });
    const copies = (plan: Plan) => plan.commands.filter((command) => command.kind === "loop").length;
    expect(copies(lower(program)) - copies(inPlace(lower(program)))).toBe(1);
  });

  it("keeps it while it is still read", () => {
    expect(buffersOf(chain(true), inPlace).length).toBeGreaterThan(1);
  });

  it.each(backends.flatMap((backend) => [false, true].map((again) => ({ ...backend, again }))))(
    "does not change what is computed ($name, read again: $again)",
    ({ run, again }) => {
      const program = chain(again);
      const feeds = feedsFor(program, { batch: 7 }, 3, {}, 0.3);
      const [given, expected] = [run(program, feeds, { batch: 7 }), reference(program, feeds, { batch: 7 })];
      for (const [i, value] of [...expected["y"]!].entries()) expect(given["y"]![i]! / value).toBeCloseTo(1, 4);
    },
  );
});
