import { describe, expect, it } from "vitest";
import { backends, feedsFor, programOf, reference } from "../../../../../../test/support/programs.ts";
import { add, concat, matmul, mul, sigmoid, sub, sumAxes, tanh } from "../../../trace/operations.ts";
import { scan } from "../../../trace/scan.ts";
import { sequenceType, type Tensor, vectorType } from "../../../trace/tensor.ts";
import { lower } from "../plan/lower.ts";
import type { Plan } from "../plan/plan.ts";
import { planMemory } from "./arena.ts";
import { stackInPlace } from "./stackInPlace.ts";

interface Gates {
  readonly a: Tensor;
  readonly b: Tensor;
}

/** A scan leaves two gates; one that runs back leaves a row of what it makes of them, which a product reads. */
const gatesBackAndForth = (
  makeRow: (gates: Gates, g: Tensor) => Tensor,
  after: (gates: Gates) => Readonly<Record<string, Tensor>> = () => ({}),
) =>
  programOf((trace) => {
    const initial = { h: trace.input("h", vectorType(5)) };
    const { outputs: gates } = scan({
      initial,
      sequences: { x: trace.input("x", sequenceType(5)) },
      step: ({ h }, { x }) => {
        const [a, b] = [tanh(add(x, h)), sigmoid(sub(x, h))];
        return { next: { h: mul(a, b) }, outputs: { a, b } };
      },
    });
    const { outputs } = scan({
      direction: "backward",
      initial,
      sequences: gates,
      step: ({ h }, seen) => {
        const row = makeRow(seen, h);
        return { next: { h: matmul(trace.param("R", [5, 10]), row) }, outputs: { row } };
      },
    });
    return { y: matmul(trace.param("W", [3, 10]), outputs.row), ...after(gates) };
  });

const bothGates = ({ a, b }: Gates, g: Tensor) => concat(mul(g, a), sub(g, b));
const sizes = { batch: 4, time: 9 };
const arena = (plan: Plan) => planMemory(plan, sizes, new Map()).arenaBytes;
/** Bytes of the gates of all steps. */
const gateBytes = 2 * 4 * 5 * sizes.batch * sizes.time;

const programs = {
  "both gates, for the last time": gatesBackAndForth(bothGates),
  "a gate that is read again": gatesBackAndForth(bothGates, ({ a }) => ({ z: sumAxes(a, "time") })),
  "one gate twice": gatesBackAndForth(({ a }, g) => concat(mul(g, a), sub(g, a))),
};

describe("what a scan leaves of gates that nobody reads any more", () => {
  it("takes their memory", () => {
    const plan = lower(programs["both gates, for the last time"]);
    const saved = arena(plan) - arena(stackInPlace(plan));
    expect(saved).toBeGreaterThan(0.9 * gateBytes);
  });

  it.each(["a gate that is read again", "one gate twice"] as const)("leaves %s as it is", (name) => {
    const plan = lower(programs[name]);
    expect(stackInPlace(plan)).toBe(plan);
  });

  it.each(
    backends.flatMap((backend) =>
      Object.entries(programs).map(([name, program]) => ({ ...backend, program, what: name })),
    ),
  )("does not change what is computed ($name, $what)", ({ run, program }) => {
    const feeds = feedsFor(program, sizes, 3, {}, 0.5);
    const [given, expected] = [run(program, feeds, sizes), reference(program, feeds, sizes)];
    for (const [name, values] of Object.entries(expected))
      for (const [i, value] of [...values].entries()) expect(given[name]![i]).toBeCloseTo(value, 4);
  });
});
