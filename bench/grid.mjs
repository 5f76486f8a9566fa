/** The points that are measured, and the arithmetic each of them takes. */
import { blocksOf, vocabulary } from "./numbers.mjs";

/** Hidden size (the input is as wide), batch, time. */
const all = [
  [32, 1, 64],
  [64, 32, 64],
  [128, 1, 64],
  [128, 32, 64],
  [200, 20, 35],
  [256, 32, 64],
  [512, 64, 64],
  [1024, 32, 32],
];
export const points = all.map(([hidden, batch, time]) => ({ hidden, batch, time }));
const quick = ["32x1x64", "64x32x64", "128x32x64", "256x32x64"];

export const threadCounts = [1, 2];
export const works = ["train", "forward", "language", "stream"];
export const cells = Object.keys(blocksOf);
export const pointName = ({ hidden, batch, time }) => `${hidden}x${batch}x${time}`;

/**
 * All jobs of a run, as plain data. `chosen` may hold lists of works, cells, points and threads; what it does not hold is all of
 * them, or in a quick run the quick points.
 */
export function jobsOf(full, chosen = {}) {
  const wanted = (name, value) => chosen[name]?.includes(String(value)) ?? true;
  const grid = ["train", "forward"].flatMap((work) =>
    points.flatMap((point) =>
      cells.flatMap((cell) => threadCounts.map((threads) => ({ work, cell, ...point, threads }))),
    ),
  );
  const language = threadCounts.map((threads) => ({
    work: "language",
    cell: "lstm",
    hidden: 200,
    batch: 20,
    time: 35,
    threads,
  }));
  const streams = ["gru", "lstm"].map((cell) => ({ work: "stream", cell, hidden: 128, batch: 1, time: 1, threads: 1 }));
  const atPoints = chosen.points ?? (full ? undefined : quick);
  const atPoint = (job) =>
    job.work === "language" || job.work === "stream" || (atPoints?.includes(pointName(job)) ?? true);
  return [...grid, ...language, ...streams].filter(
    (job) => wanted("works", job.work) && wanted("cells", job.cell) && wanted("threads", job.threads) && atPoint(job),
  );
}

/**
 * Floating-point operations of the layers' products, two for a multiply-add. Elementwise work is not counted. Training takes
 * forward, the gradient of the state, and both weight gradients; no gradient of the first layer's input is taken.
 */
export function operationsOf({ work, cell, hidden, batch, time }) {
  const product = 2 * batch * time * blocksOf[cell].length * hidden * hidden;
  if (work === "language") return product * (6 + 6) + 3 * 2 * batch * time * hidden * vocabulary;
  return product * (work === "train" ? 5 : 2);
}
