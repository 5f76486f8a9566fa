import { describe, expect, it } from "vitest";
import {
  backends,
  differentiable,
  feedsFor,
  programOf,
  reference,
  scopeIn,
  withGradients,
} from "../../../../../../test/support/programs.ts";
import { gru } from "../../../cells/gru.ts";
import { afterGradient, beforeGradient, runPasses } from "../../../compile/pipeline.ts";
import { recurrent } from "../../../layers/recurrent.ts";
import { add, concat, matmul, mul, square, sub, sumAll, tanh } from "../../../trace/operations.ts";
import { scan } from "../../../trace/scan.ts";
import { sequenceType, type Tensor, vectorType } from "../../../trace/tensor.ts";
import { lower } from "../plan/lower.ts";
import type { Command, Plan } from "../plan/plan.ts";
import { planMemory } from "./arena.ts";
import { stackOnce } from "./stackOnce.ts";

/** A scan leaves two rows of three values, each for a product of its own. */
const rowsOf = (choose: (u: Tensor, v: Tensor, w: Tensor) => { readonly one: Tensor; readonly two: Tensor }) =>
  programOf((trace) => {
    const { outputs } = scan({
      initial: { h: trace.input("h", vectorType(5)) },
      sequences: { x: trace.input("x", sequenceType(5)) },
      step: ({ h }, { x }) => {
        const u = tanh(add(x, h));
        return { next: { h: u }, outputs: choose(u, sub(x, h), mul(x, u)) };
      },
    });
    return {
      y: matmul(trace.param("V", [3, 10]), outputs.one),
      z: matmul(trace.param("W", [3, 10]), outputs.two),
    };
  });

/** The gradient of the input is not asked for: its product would read the second stack. */
const gruAndItsGradient = () => {
  const program = programOf((trace) => {
    const { last } = recurrent({ cell: gru, hiddenSize: 5 }).run(trace.input("x", sequenceType(3)), scopeIn(trace));
    return { loss: sumAll(square(last)) };
  });
  const weights = differentiable(program).filter((name) => name !== "x");
  return runPasses(withGradients(runPasses(program, beforeGradient), weights), afterGradient);
};

const programs = {
  "neighbours in common": rowsOf((u, v, w) => ({ one: concat(u, v), two: concat(v, w) })),
  "in common what would lie apart": rowsOf((u, v, w) => ({ one: concat(u, v), two: concat(u, w) })),
  "nothing in common": rowsOf((u, v, w) => ({ one: concat(u, v), two: concat(w, mul(w, w)) })),
  "a GRU and its gradient": gruAndItsGradient(),
};

const sizes = { batch: 4, time: 9 };
/** Bytes of one value in all steps. */
const valueBytes = 4 * 5 * sizes.batch * sizes.time;
const arena = (plan: Plan) => planMemory(plan, sizes, new Map()).arenaBytes;
const outers = ({ commands }: Plan) => commands.filter((command: Command) => command.kind === "outer").length;

describe("what a scan would leave in two stacks", () => {
  it.each(["neighbours in common", "a GRU and its gradient"] as const)("lies in one: %s", (name) => {
    const plan = lower(programs[name]);
    expect(arena(plan) - arena(stackOnce(plan))).toBeGreaterThan(0.9 * valueBytes);
  });

  it("is summed run by run where it lies apart: the input's gradients of a GRU", () => {
    const plan = lower(programs["a GRU and its gradient"]);
    expect(outers(stackOnce(plan))).toBe(outers(plan) + 1);
  });

  it.each(["in common what would lie apart", "nothing in common"] as const)("stays there: %s", (name) => {
    const plan = lower(programs[name]);
    expect(stackOnce(plan)).toBe(plan);
  });

  it.each(
    backends.flatMap((backend) => Object.entries(programs).map(([what, program]) => ({ ...backend, what, program }))),
  )("is computed as before ($name, $what)", ({ run, program }) => {
    const feeds = feedsFor(program, sizes, 3, {}, 0.5);
    const [given, expected] = [run(program, feeds, sizes), reference(program, feeds, sizes)];
    for (const [name, values] of Object.entries(expected))
      for (const [i, value] of [...values].entries()) expect(given[name]![i]).toBeCloseTo(value, 4);
  });
});
