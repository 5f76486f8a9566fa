import { expect, it } from "vitest";
import { dense } from "../layers/dense.ts";
import { mse } from "../layers/losses/usual.ts";
import { vectorType } from "../trace/tensor.ts";
import { Model } from "./model.ts";
import { defineNetwork } from "./network.ts";

// The type check of the tests holds the names: no `!` below, and a name that is not there does not compile.
it("defineNetwork gives a network whose inputs and outputs have names that the compiler knows", () => {
  const layer = dense({ outputSize: 1 });
  const network = defineNetwork({
    inputs: { x: vectorType(2), y: vectorType(1) },
    forward: ({ x }, scope) => ({ forecast: layer.apply(x, scope) }),
    loss: ({ forecast }, { y }, scope) => mse(forecast, y, scope),
  });
  const batch = { sizes: { batch: 2 }, inputs: { x: [1, 0, 0, 1], y: [1, -1] } };
  const model = new Model(network);
  expect(Object.keys(model.predict(batch))).toEqual(["forecast"]);
  const first = model.trainStep(batch, 0.1).loss;
  expect(model.trainStep(batch, 0.1).loss).toBeLessThan(first);
});

it("defineNetwork does not compile with names that are not there", () => {
  const inputs = { x: vectorType(2), y: vectorType(1) };
  const networks = [
    defineNetwork({
      inputs,
      // @ts-expect-error: there is no input z.
      forward: ({ z }) => ({ forecast: z }),
      loss: ({ forecast }) => forecast,
    }),
    defineNetwork({
      inputs,
      forward: ({ x }) => ({ forecast: x }),
      // @ts-expect-error: forward has no output "y".
      loss: ({ y }) => y,
    }),
  ];
  expect(networks).toHaveLength(2);
});
