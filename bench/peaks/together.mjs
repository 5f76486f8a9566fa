/**
 * What a second thread can bring on this machine at most, whatever it computes: cores that share caches, memory, a clock or a host do
 * less together than twice what one does alone, and who is done waits for the other. Two threads halve chunks of about two milliseconds
 * and meet behind each: fused multiply-adds in registers, and weights read from memory, products of one row with a matrix of 16 MiB of
 * each thread's own.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { median } from "../statistics.mjs";

const [rounds, chunks] = [15, 30];
const size = 2048;

/** Times as fast as one thread: {multiplyAdds, reading}; undefined without native kernels. */
export async function togetherGains() {
  if (createRequire(import.meta.url)("@recurra/native").load() === undefined) return undefined;
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const workers = [0, 1].map(() => new Worker(new URL(import.meta.url), { workerData: arrived }));
  /** Milliseconds that each of `threads` takes for its part. */
  const run = (kind, threads) => {
    arrived[0] = 0;
    const asked = workers.slice(0, threads).map(async (worker) => {
      worker.postMessage({ kind, threads });
      const [milliseconds] = await once(worker, "message");
      return milliseconds;
    });
    return Promise.all(asked);
  };
  const gains = {};
  for (const kind of ["multiplyAdds", "reading"]) {
    const ratios = [];
    for (let round = 0; round < rounds; round++) {
      const [alone] = await run(kind, 1);
      ratios.push(alone / Math.max(...(await run(kind, 2))));
    }
    gains[kind] = median(ratios);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  return gains;
}

function serve(arrived) {
  const native = createRequire(import.meta.url)("@recurra/native").load();
  const memory = new WebAssembly.Memory({ initial: (size * size * 4) / 65536 + 2 });
  const { gemm } = native.bind(memory);
  const [a, c, weights] = [64, 64 + 4 * size, 65536];
  /** Half a chunk, about a millisecond. */
  const works = {
    multiplyAdds: () => native.peak(200_000),
    reading: () => gemm(a, size, weights, c, size, 1, size, size, 0),
  };
  const meet = (threads, times) => {
    Atomics.add(arrived, 0, 1);
    while (Atomics.load(arrived, 0) < threads * times);
  };
  parentPort.on("message", ({ kind, threads }) => {
    const work = works[kind];
    work();
    meet(threads, 1);
    const begin = performance.now();
    for (let chunk = 0; chunk < chunks; chunk++) {
      for (let half = 0; half < 2; half += threads) work();
      meet(threads, chunk + 2);
    }
    parentPort.postMessage(performance.now() - begin);
  });
}

if (!isMainThread && workerData instanceof Int32Array) serve(workerData);
