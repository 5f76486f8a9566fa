/** Tables and options that a forecaster refuses. */
import { tableFromColumns } from "recurra/data";
import type { ForecastOptions } from "recurra/tasks";
import { describe, expect, it } from "vitest";
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import { type Columns, hours, refusal, small, trained, wave } from "../support/forecast.ts";

describe("training that cannot work", () => {
  it.each([1e6, 1e3, 100])("says that a learning rate of %d diverges", async (learningRate) => {
    const message = await refusal(tableFromColumns(wave(300)), { ...small, epochs: 8, learningRate });
    expect(message).toMatch(/^TrainingError: training step \d+: .*\nTraining diverges: lower the learning rate \(now /);
  });

  it.each([
    [
      "an unknown cell",
      wave(300),
      { cell: "ltsm" },
      `OptionError: cell is unknown: "ltsm", expected one of ${Object.keys(cells).join(", ")}.\nDid you mean "lstm"?`,
    ],
    ["horizon 0", wave(300), { horizon: 0 }, "OptionError: horizon is 0, expected 1, 2, 3, ….\nGive a whole number."],
    [
      "a segment that does not divide the past",
      wave(300),
      { segment: 7 },
      "OptionError: segment is 7, expected a divisor of past, which is 24.\nChoose segment 6 or past 21.",
    ],
    [
      "a past shorter than the residual needs",
      wave(300),
      { residual: "seasonalBlend" },
      'OptionError: past is 24, expected at least 168 for residual "seasonalBlend".\nLook back further, or forecast no residual.',
    ],
    [
      "quantiles that do not ascend",
      wave(300),
      { quantiles: [0.9, 0.1] },
      "OptionError: quantiles is 0.9, 0.1, expected levels between 0 and 1, ascending.\nFor example 0.1, 0.5, 0.9.",
    ],
    [
      "a series shorter than past and horizon",
      wave(20),
      {},
      "DataError: data.csv is 20 timesteps long, expected at least 30 timesteps (past 24 + horizon 6).\nGive more rows, or look back on and forecast fewer timesteps.",
    ],
    [
      "a part shorter than the horizon",
      wave(50),
      {},
      "DataError: data.csv: the validation part is 5 timesteps long, expected at least 6 (horizon).\nGive more rows, make this part larger, or forecast fewer timesteps.",
    ],
    [
      "a constant series",
      { date: hours(300), y: Array(300).fill(5) },
      {},
      "DataError: data.csv: column y is 5 throughout the training part, expected values that change, so that there is something to learn.\nChoose another target, or a longer training part.",
    ],
    [
      "numbers out of range",
      { date: hours(300), y: wave(300)["y"]!.map((value) => Number(value) * 1e300) },
      {},
      "DataError: data.csv: column y is between 1.434554206687281e+301 and 2.539839284979305e+301, expected numbers whose squares can be computed, of a size between 1e-150 and 1e150.\nGive the column in another unit.",
    ],
    [
      "times without a pattern",
      {
        date: hours(300).map((time, t) => new Date(time.getTime() + ((t * t * 7919) % 3000) * 1000)),
        y: wave(300)["y"]!,
      },
      {},
      "DataError: data.csv: column date is irregular: its most common step, 709 seconds, is only 1 of 299, expected times at one interval.\nResample the data to one interval, or leave the column out to take each row as one timestep.",
    ],
  ] as [string, Columns, Partial<ForecastOptions>, string][])("refuses %s", async (_, columns, options, message) => {
    expect(await refusal(tableFromColumns(columns, "data.csv"), { ...small, ...options })).toBe(message);
  });

  it("refuses times where there were none, and none where there were", async () => {
    const columns = wave(300);
    const { date: _, ...untimed } = columns;
    const timedModel = await trained(tableFromColumns(columns), small);
    const untimedModel = await trained(tableFromColumns(untimed), small);
    expect(() =>
      timedModel.forecaster.predict(tableFromColumns(untimed, "new.csv")),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: new.csv: the time column is missing, expected a time for each row, as in the data that the model was trained on.
      Add the column of times.]
    `);
    expect(() =>
      untimedModel.forecaster.predict(tableFromColumns(columns, "new.csv")),
    ).toThrowErrorMatchingInlineSnapshot(`
      [DataError: new.csv: the time column is there, expected none, as in the data that the model was trained on.
      Leave the column of times out.]
    `);
    expect(untimedModel.forecaster.predict(tableFromColumns(untimed)).rows[0]).toMatchObject({ time: 300 });
  });
});
