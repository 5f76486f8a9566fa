/**
 * What a second thread can bring on this machine at most, whatever it computes: cores that share caches, memory or a clock do less
 * together than twice what one does alone. Two threads, alone in turns and then at once: fused multiply-adds in registers, and weights
 * read from memory, a product of one row with a matrix of 16 MiB of each thread's own.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { median } from "../statistics.mjs";

const [rounds, turnMs] = [9, 20];
const size = 2048;

/** Times as much as one thread: {multiplyAdds, reading}; undefined without native kernels. */
export async function togetherGains() {
  if (createRequire(import.meta.url)("@recurra/native").load() === undefined) return undefined;
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const workers = [0, 1].map(() => new Worker(new URL(import.meta.url), { workerData: arrived }));
  const ask = async (worker, kind, together) => {
    worker.postMessage({ kind, together });
    const [rate] = await once(worker, "message");
    return rate;
  };
  const gains = {};
  for (const kind of ["multiplyAdds", "reading"]) {
    const ratios = [];
    for (let round = 0; round < rounds; round++) {
      const alone = [await ask(workers[0], kind, 1), await ask(workers[1], kind, 1)];
      arrived[0] = 0;
      const both = await Promise.all(workers.map((worker) => ask(worker, kind, 2)));
      ratios.push((2 * (both[0] + both[1])) / (alone[0] + alone[1]));
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
  const works = {
    multiplyAdds: () => native.peak(20_000),
    reading: () => gemm(a, size, weights, c, size, 1, size, size, 0),
  };
  parentPort.on("message", ({ kind, together }) => {
    const work = works[kind];
    work();
    if (together > 1) {
      Atomics.add(arrived, 0, 1);
      while (Atomics.load(arrived, 0) < together);
    }
    const begin = performance.now();
    let times = 0;
    do {
      work();
      times++;
    } while (performance.now() - begin < turnMs);
    parentPort.postMessage(times / (performance.now() - begin));
  });
}

if (!isMainThread && workerData instanceof Int32Array) serve(workerData);
