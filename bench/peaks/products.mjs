/** Products called again and again on one thread, by the native kernels and by other libraries in turns. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { numericThreads } from "../engines/list.mjs";
import { median } from "../statistics.mjs";
import { startSubject } from "../subject.mjs";

const [rounds, budgetMs] = [9, 15];

/**
 * Milliseconds of each product: {own, peers}, in turns with PyTorch's and, with `blas`, those of that library, by the names of those that start.
 * `products` are {kind, m, n, k}: "gemm", m rows times [k, n], its weights packed before, or "outer", the sum of k outer products to [m, n].
 */
export async function productTimes(products, python, blas) {
  const script = [python, fileURLToPath(new URL("products.py", import.meta.url))];
  const engines = [{ name: "PyTorch", command: script, env: numericThreads(1) }];
  if (blas !== undefined) {
    const env = { ...numericThreads(1), MKL_THREADING_LAYER: "SEQUENTIAL", LD_LIBRARY_PATH: dirname(blas) };
    engines.push({ name: basename(blas).replace(/\.so.*|^lib/g, ""), command: [...script, resolve(blas)], env });
  }
  const started = existsSync(python) ? await Promise.all(engines.map(startSubject)) : [];
  const peers = started.filter((peer) => peer !== undefined);
  const times = [];
  for (const product of products) {
    const own = ownProduct(product);
    const ownTimes = [];
    const peerTimes = peers.map(() => []);
    for (let round = 0; round < rounds; round++) {
      ownTimes.push(timeOf(own));
      for (const [i, peer] of peers.entries()) peerTimes[i].push((await peer.ask({ ...product, budgetMs })).ms);
    }
    times.push({ own: median(ownTimes), peers: peerTimes.map(median) });
  }
  for (const peer of peers) peer.stop();
  return { names: peers.map(({ name }) => name), times };
}

function timeOf(run) {
  run();
  let times = 0;
  const begin = performance.now();
  do {
    run();
    times++;
  } while (performance.now() - begin < budgetMs);
  return (performance.now() - begin) / times;
}

function ownProduct({ kind, m, n, k }) {
  const floats = [m * k, kind === "gemm" ? k * n : k * m, 2 * (k + 384) * (n + 64), m * n];
  const places = [64];
  for (const count of floats) places.push(places.at(-1) + Math.ceil(count / 16) * 64);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(places.at(-1) / 65536) + 1 });
  const { pack, gemm, outer } = createRequire(import.meta.url)("@recurra/native")
    .load()
    .bind(memory);
  new Float32Array(memory.buffer).fill(0.01);
  const [a, b, other, c] = places;
  if (kind === "outer") return () => outer(a, m, b, n, c, n, m, n, k, other);
  pack(b, n, 1, other, k, n);
  return () => gemm(a, k, other, c, n, m, n, k, 0);
}
