/** What does a timestep cost where there is almost nothing to compute: hidden 16, batch 1? */
import { operationsOf } from "../grid.mjs";
import { atMost, timeInTurns, trainingRun } from "./side-by-side.mjs";

export function measure() {
  return ["rnn", "gru", "lstm"].flatMap((cell) => {
    const [short, long] = [64, 1024].map((time) => trainingRun({ cell, hidden: 16, batch: 1, time }));
    const predict =
      ({ model, fed }) =>
      () =>
        model.predict(fed);
    const medians = timeInTurns({
      forwardShort: predict(short),
      forwardLong: predict(long),
      trainShort: short.run,
      trainLong: long.run,
    });
    return ["forward", "train"].map((work) => {
      const steps = 1024 - 64;
      const us = (1000 * (medians[`${work}Long`] - medians[`${work}Short`])) / steps;
      const operations = operationsOf({ work, cell, hidden: 16, batch: 1, time: 1 });
      return atMost(
        `${work}, ${cell}, hidden 16, batch 1: time of a step, arithmetic included`,
        us,
        1,
        "µs",
        `${operations} operations a step`,
      );
    });
  });
}
