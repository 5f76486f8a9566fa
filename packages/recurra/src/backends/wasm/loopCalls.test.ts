import { expect, it } from "vitest";
import { mul, square, sub } from "../../trace/operations.ts";
import { Trace } from "../../trace/tensor.ts";
import { emitModule } from "./emit.ts";
import { lower } from "./lower.ts";
import { planMemory } from "./memory.ts";
import { inStages } from "./stages.ts";

/** Bytes of the module that changes weights of these shapes. */
function bytesOf(shapes: readonly (readonly number[])[], stages: boolean): number {
  const trace = new Trace();
  const weights = shapes.map((shape, i) => trace.param(`w${i}`, shape));
  const updates = Object.fromEntries(
    weights.map((weight, i) => [`w${i}`, sub(weight, mul(0.1, square(square(weight)))).id]),
  );
  const lowered = lower({ graph: trace.builder.finish(), outputs: {}, updates });
  const plan = stages ? inStages(lowered) : lowered;
  const { addresses } = planMemory(plan, {}, new Map());
  return emitModule([{ name: "step", plan, addresses, absolute: new Set() }], []).bytes.length;
}

it.each([true, false])("loops that differ in their addresses only share a function (stages: %s)", (stages) => {
  const one = bytesOf([[3, 5]], stages);
  const alike =
    bytesOf(
      [
        [3, 5],
        [3, 5],
      ],
      stages,
    ) - one;
  const other =
    bytesOf(
      [
        [3, 5],
        [4, 7],
      ],
      stages,
    ) - one;
  expect(alike).toBeLessThan(40);
  expect(other).toBeGreaterThan(100);
});
