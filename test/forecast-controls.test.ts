/** The controls of training in a forecaster: each has its effect, is stored with the model, and refuses what contradicts it. */
import { createRandom } from "recurra";
import { tableFromColumns } from "recurra/data";
import { type ForecastOptions, loadForecaster, trainForecaster } from "recurra/tasks";
import { describe, expect, it } from "vitest";
import { quick } from "./support/forecast.ts";

const random = createRandom(1);
const table = tableFromColumns({
  y: Array.from({ length: 500 }, (_, t) => 20 + 5 * Math.sin((2 * Math.PI * t) / 24) + 0.3 * random.normal()),
});

async function trained(options: Partial<ForecastOptions>) {
  const run = trainForecaster(table, { ...quick, ...options });
  for await (const event of run) if (event.event === "done") return { forecaster: run.forecaster(), done: event };
  throw new Error("the run did not end");
}

const weights = (files: ReadonlyMap<string, Uint8Array>) => Buffer.from(files.get("weights.safetensors")!);

describe("a control of training", async () => {
  const plain = weights((await trained({})).forecaster.toFiles());

  it.each([
    { optimizer: "adamW", weightDecay: 0.5 },
    { optimizer: "lion", learningRate: 0.001 },
    { l1: 0.01 },
    { l2: 0.1 },
    { schedule: "cosine" },
    { warmUpSteps: 20 },
    { accumulate: 3 },
    { average: "none" },
    { average: "swa" },
    { clipNorm: 0.01 },
    { clipParameterNorm: 0.01 },
    { clipValue: 0.001 },
    { activationPenalty: 1 },
    { temporalActivationPenalty: 1 },
    { inputDropout: 0.3 },
    { recurrentDropout: 0.3 },
  ] as const satisfies readonly Partial<ForecastOptions>[])(
    "%j changes what is learned, and comes back from the model's files",
    async (options) => {
      const { forecaster } = await trained(options);
      const files = forecaster.toFiles();
      expect(weights(files).equals(plain)).toBe(false);
      expect(JSON.parse(Buffer.from(files.get("model.json")!).toString())).toMatchObject({ settings: options });
      expect(loadForecaster(files).predict(table)).toEqual(forecaster.predict(table));
    },
  );

  it("at its default changes nothing", async () => {
    const penalties = { l1: 0, l2: 0, activationPenalty: 0, temporalActivationPenalty: 0 };
    const defaults = { ...penalties, optimizer: "adam", schedule: "constant", warmUpSteps: 0, accumulate: 1 } as const;
    const { forecaster } = await trained({ ...defaults, average: "ema", inputDropout: 0, recurrentDropout: 0 });
    expect(weights(forecaster.toFiles()).equals(plain)).toBe(true);
  });

  it("ends a run at a stated loss, and lowers the learning rate on a plateau", async () => {
    const { done, forecaster } = await trained({ stopAtLoss: 0.5, epochs: 30, patience: 30 });
    expect(done.stopped).toBe("loss");
    expect(done.best.validationLoss).toBeLessThanOrEqual(0.5);
    const again = loadForecaster(forecaster.toFiles());
    expect(again.predict(table)).toEqual(forecaster.predict(table));
    // At this rate the loss soon gets no better for two epochs.
    const losses = async (options: Partial<ForecastOptions>) => {
      const restless = { learningRate: 1, epochs: 16, patience: 16, average: "none" } as const;
      const given: number[] = [];
      for await (const event of trainForecaster(table, { ...quick, ...restless, ...options }))
        if (event.event === "epoch") given.push(event.loss);
      return given;
    };
    const [falling, constant] = [await losses({ plateau: 1 }), await losses({})];
    expect(falling[0]).toBe(constant[0]);
    expect(falling.at(-1)).toBeLessThan(0.8 * constant.at(-1)!);
  });

  it("and others together reach a good forecast: adamW, a cosine behind a warm-up, an equal average", async () => {
    const { done } = await trained({
      ...{ optimizer: "adamW", schedule: "cosine", warmUpSteps: 20, average: "swa", recurrentDropout: 0.1 },
      ...{ window: "season", epochs: 30, patience: 30 },
    });
    const { model, lastValue } = done.metrics.test;
    expect(model.mae).toBeLessThan(0.3 * lastValue.mae);
  });
});

it.each([
  [
    { weightDecay: 0.01 },
    "weightDecay is 0.01 with the optimizer adam, expected one of the optimizers adamW, lion.\nChoose one of them, or a penalty l2, which every optimizer takes.",
  ],
  [
    { average: "swa", averageDecay: 0.9 },
    "average is swa with averageDecay 0.9, expected a decay above 0 with ema, and none with any other.\nLeave one of the two out.",
  ],
  [
    { average: "ema", averageDecay: 0 },
    "average is ema with averageDecay 0, expected a decay above 0 with ema, and none with any other.\nLeave one of the two out.",
  ],
  [{ l1: -1 }, "l1 is -1, expected 0 or more.\nGive a number in this range."],
  [{ activationPenalty: -1 }, "activationPenalty is -1, expected 0 or more.\nGive a number in this range."],
  [
    { temporalActivationPenalty: Number.NaN },
    "temporalActivationPenalty is NaN, expected 0 or more.\nGive a number in this range.",
  ],
  [{ clipParameterNorm: 0 }, "clipParameterNorm is 0, expected a positive number.\nGive a number in this range."],
  [{ stopAtLoss: 0 }, "stopAtLoss is 0, expected a positive number.\nGive a number in this range."],
  [{ plateau: 0.5 }, "plateau is 0.5, expected 1, 2, 3, ….\nGive a number in this range."],
  [{ accumulate: 0 }, "accumulate is 0, expected 1, 2, 3, ….\nGive a number in this range."],
  [{ recurrentDropout: 1 }, "recurrentDropout is 1, expected at least 0 and below 1.\nGive a number in this range."],
] as const)("%j is refused", (options, message) => {
  expect(() => trainForecaster(table, { ...quick, ...options })).toThrow(message);
});
