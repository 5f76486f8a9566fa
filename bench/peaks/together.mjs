/**
 * What a second thread can bring on this machine at most, whatever it computes: cores that share caches, memory, a clock or a host do
 * less together than twice what one does alone, and who is done waits for the other. Two threads halve chunks of about two milliseconds
 * and meet behind each: fused multiply-adds in registers, and weights read from memory, products of one row with a matrix of 16 MiB of
 * each thread's own.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const size = 2048;

/** Measures again and again; undefined without native kernels. `stop` ends its threads. */
export function startTogether() {
  if (createRequire(import.meta.url)("@recurra/native").load() === undefined) return undefined;
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const workers = [0, 1].map(() => new Worker(new URL(import.meta.url), { workerData: arrived }));
  /** Milliseconds of the thread that takes longest. */
  const run = async (kind, threads, chunks) => {
    arrived[0] = 0;
    const asked = workers.slice(0, threads).map(async (worker) => {
      worker.postMessage({ kind, threads, chunks });
      const [milliseconds] = await once(worker, "message");
      return milliseconds;
    });
    return Math.max(...(await Promise.all(asked)));
  };
  return {
    /** How many times as fast as one thread two are now, over so many chunks: `kind` is "multiplyAdds" or "reading". */
    gain: async (kind, chunks) => (await run(kind, 1, chunks)) / (await run(kind, 2, chunks)),
    stop: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
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
  parentPort.on("message", ({ kind, threads, chunks }) => {
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
