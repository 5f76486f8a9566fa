/** Does anything grow over 20,000 training steps? Needs node --expose-gc. */
import { atMost, trainingRun } from "./side-by-side.mjs";

export async function measure() {
  const { model, run } = trainingRun({ cell: "lstm", hidden: 16, batch: 4, time: 16 });
  const settle = async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      globalThis.gc();
    }
    return { heap: process.memoryUsage().heapUsed, arena: model.footprint.memoryBytes };
  };
  const steps = 20_000;
  for (let step = 0; step < 2000; step++) run();
  const before = await settle();
  for (let step = 0; step < steps; step++) run();
  const after = await settle();
  const note = `${steps} steps after 2000; heap ${(before.heap / 2 ** 20).toFixed(2)} MiB before`;
  return [
    // Code that the engine optimises late, and statistics of its own, take some memory once.
    atMost(
      "growth of the heap over 20,000 training steps",
      Math.max(0, after.heap - before.heap) / 1024,
      64,
      "KiB",
      note,
    ),
    atMost("growth of the arena over 20,000 training steps", after.arena - before.arena, 0, "bytes"),
  ];
}
