/**
 * How much of an epoch is not the compiled module: windows gathered, shuffled, copied in and out? Every exported function is wrapped
 * in a clock before recurra is loaded; one thread, so that nothing is hidden by another.
 */
import { createRequire } from "node:module";
import { atMost } from "./side-by-side.mjs";

const epochs = 12;

let inside = 0;
const clocked =
  (run) =>
  (...args) => {
    const start = performance.now();
    run(...args);
    inside += performance.now() - start;
  };

const { Instance } = WebAssembly;
WebAssembly.Instance = function timedInstance(module, imports) {
  const { exports } = new Instance(module, imports);
  // Kernels are imported by the modules of the programs and are timed in them.
  if (exports.gemm !== undefined) return { exports };
  return { exports: Object.fromEntries(Object.entries(exports).map(([name, run]) => [name, clocked(run)])) };
};

// The only one of the native kernels that computes and is not called by a module.
const packageOfKernels = createRequire(import.meta.url)("@recurra/native");
const native = packageOfKernels.load();
packageOfKernels.load = () =>
  native && {
    ...native,
    bind: (memory) => {
      const bound = native.bind(memory);
      return { ...bound, sumShards: clocked(bound.sumShards) };
    },
  };

export async function measure() {
  const { tableFromColumns } = await import("recurra/data");
  const { trainForecaster } = await import("recurra/tasks");
  const value = Array.from({ length: 6000 }, (_, i) => Math.sin(i / 7) + Math.cos(i / 31));
  const results = [];
  for (const cell of ["lstm", "gru"]) {
    const run = trainForecaster(tableFromColumns({ value }), {
      target: "value",
      past: 64,
      horizon: 8,
      segment: 1,
      hiddenSize: 64,
      batchSize: 32,
      window: "standard",
      cell,
      epochs,
    });
    const shares = [];
    let mark = { wall: performance.now(), inside };
    for await (const event of run) {
      if (event.event !== "epoch") continue;
      const now = { wall: performance.now(), inside };
      shares.push(1 - (now.inside - mark.inside) / (now.wall - mark.wall));
      mark = now;
    }
    // The first epoch holds tracing, compiling and preparation; in the next ones V8 still optimizes what each batch calls.
    const percent = (from, to) => (100 * shares.slice(from, to).reduce((sum, part) => sum + part, 0)) / (to - from);
    results.push(
      atMost(
        `share of an epoch outside the module, forecasting, ${cell}, hidden 64, batch 32`,
        percent(1, epochs),
        3,
        "%",
        `epochs 2 to ${epochs}; the first three of them ${percent(1, 4).toFixed(1)}, the last three ${percent(epochs - 3, epochs).toFixed(1)}`,
      ),
    );
  }
  return results;
}
