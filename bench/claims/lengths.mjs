/** Do rows of unequal length cost what their true steps cost, or what their padding costs? */
import { spread } from "../numbers.mjs";
import { atMost, nativeIsOff, timeInTurns, trainingRun } from "./side-by-side.mjs";

const [batch, time] = [32, 100];

export function measure() {
  // Uniform over 10 … 100.
  const lengths = spread(batch, 7, 1).map((x) => 10 + Math.floor(((x + 1) / 2) * 91));
  const share = lengths.reduce((sum, length) => sum + length, 0) / (batch * time);
  return ["lstm", "gru"].flatMap((cell) =>
    (nativeIsOff ? [128] : [64, 128, 256]).map((hidden) => {
      const point = { cell, hidden, batch, time };
      const unequal = trainingRun({ ...point, lengths });
      const padded = trainingRun({ ...point, lengths: new Float32Array(batch).fill(time) });
      const plain = trainingRun(point);
      const medians = timeInTurns({ unequal: unequal.run, padded: padded.run, plain: plain.run });
      return atMost(
        `${cell}, hidden ${hidden}: time of lengths 10…100 / time all 100, over the share of true steps`,
        medians.unequal / medians.padded / share,
        1.15,
        "×",
        `share ${share.toFixed(2)}; ${medians.unequal.toFixed(1)} / ${medians.padded.toFixed(1)} ms, without lengths ${medians.plain.toFixed(1)}`,
      );
    }),
  );
}
