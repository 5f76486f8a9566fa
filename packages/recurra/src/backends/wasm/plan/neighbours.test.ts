import { describe, expect, it } from "vitest";
import {
  backends,
  feedsFor,
  optimized,
  programOf,
  reference,
  scopeIn,
  withGradients,
} from "../../../../../../test/support/programs.ts";
import { beforePlan, runPasses } from "../../../compile/pipeline.ts";
import { crossEntropy } from "../../../layers/losses/usual.ts";
import { matmul } from "../../../trace/operations.ts";
import { sequenceType } from "../../../trace/tensor.ts";
import { lower } from "./lower.ts";
import { largeLoopsTogether } from "./neighbours.ts";
import type { Loop, Plan } from "./plan.ts";

/** A loss of so many classes, and its gradient for the weights. */
const classifier = (classes: number) =>
  optimized(
    withGradients(
      programOf((trace) => {
        const logits = matmul(trace.param("W", [classes, 3]), trace.input("x", sequenceType(3)));
        return { loss: crossEntropy(logits, trace.input("index", sequenceType(1)), scopeIn(trace)) };
      }),
    ),
  );

const planOf = (classes: number) => lower(runPasses(classifier(classes), beforePlan(undefined)));

/** For each loop between the first and the last over all classes: whether it sums up a loss, over the rows. */
const between = (plan: Plan, classes: number) => {
  const loops = plan.commands.filter((command): command is Loop => command.kind === "loop");
  const isLarge = ({ dims }: Loop) => dims.length > 1 && dims.at(-1)!.size.coefficient === classes;
  const inside = loops.slice(loops.findIndex(isLarge), loops.findLastIndex(isLarge) + 1);
  return inside.map(({ dims, reductions }) => dims.length < 3 && reductions.length > 0);
};

describe("loops over large values", () => {
  it("stand together: the sum of a loss makes way, what the gradient needs of it does not", () => {
    const plan = planOf(5000);
    expect(between(plan, 5000)).toContain(true);
    const ordered = between(largeLoopsTogether(plan), 5000);
    expect(ordered).not.toContain(true);
    expect(ordered.length).toBeGreaterThan(3);
  });

  it("leave others where they are", () => {
    const plan = planOf(50);
    expect(largeLoopsTogether(plan).commands).toEqual(plan.commands);
  });

  it.each(backends)("give what the reference has ($name)", ({ run }) => {
    const program = classifier(4100);
    const sizes = { batch: 3, time: 4 };
    const index = Float32Array.from({ length: 12 }, (_, i) => i * 372);
    const feeds = feedsFor(program, sizes, 5, { index });
    const [given, expected] = [run(program, feeds, sizes), reference(program, feeds, sizes)];
    for (const [name, values] of Object.entries(expected))
      for (const [i, value] of [...values].entries()) expect(Math.abs(given[name]![i]! - value)).toBeLessThan(1e-5);
  });
});
