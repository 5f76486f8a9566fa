import { expect, it } from "vitest";
import { mul, square, sub } from "../../../trace/operations.ts";
import { Trace } from "../../../trace/tensor.ts";
import { planMemory } from "../memory/arena.ts";
import { lower } from "../plan/lower.ts";
import { inStages } from "../plan/stages.ts";
import { type EmitOptions, type EmittedModule, emitModule } from "./module.ts";

/** The module that changes weights of these shapes. */
function moduleOf(shapes: readonly (readonly number[])[], stages: boolean, options: EmitOptions = {}): EmittedModule {
  const trace = new Trace();
  const weights = shapes.map((shape, i) => trace.param(`w${i}`, shape));
  const updates = Object.fromEntries(
    weights.map((weight, i) => [`w${i}`, sub(weight, mul(0.1, square(square(weight)))).id]),
  );
  const lowered = lower({ graph: trace.builder.finish(), outputs: {}, updates });
  const plan = stages ? inStages(lowered) : lowered;
  const { addresses } = planMemory(plan, {}, new Map());
  return emitModule([{ name: "step", plan, addresses, absolute: new Set() }], [], options);
}

function bytesOf(shapes: readonly (readonly number[])[], stages: boolean): number {
  return moduleOf(shapes, stages).bytes.length;
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

it("the kernels run the parts of long loops, cut as WebAssembly cuts them", () => {
  const shapes = [[2000], [3, 5]] as const;
  const { bytes, loops } = moduleOf(shapes, true, { nativeLoops: "compiled" });
  const parts: number[][] = [];
  const kernels = new Proxy(
    {},
    {
      get: (_, name) =>
        name === "runPart" ? (...numbers: number[]) => parts.push(numbers.slice(0, 3)) : () => undefined,
    },
  );
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory }, kernels });
  const stage = exports["step.0"] as (...numbers: number[]) => void; // The module exports functions of numbers only.
  for (const part of [0, 1, 2]) stage(0, 0, 0, part, 3);
  expect(loops.length).toBe(1);
  // Multiples of 16, a cache line.
  expect(parts).toEqual([
    [0, 0, 656],
    [0, 656, 672],
    [0, 1328, 672],
  ]);
});
