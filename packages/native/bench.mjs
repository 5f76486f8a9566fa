/** How fast are the kernels, against the peak of this core measured in the same run? Usage: node bench.mjs */
import { createRequire } from "node:module";

const { load, whyNot } = createRequire(import.meta.url)("./index.cjs");
const native = load();
if (native === undefined) {
  console.log(`no native kernels: ${whyNot()}`);
  process.exit(0);
}

/** Median milliseconds of one call; repeated so that one sample takes about two milliseconds. */
function medianMs(run, samples = 25) {
  run();
  let repeat = 1;
  for (;;) {
    const start = performance.now();
    for (let i = 0; i < repeat; i++) run();
    const ms = performance.now() - start;
    if (ms > 2 || repeat > 1e6) break;
    repeat = Math.max(repeat + 1, Math.ceil((repeat * 2.2) / Math.max(ms, 0.01)));
  }
  const times = Array.from({ length: samples }, () => {
    const start = performance.now();
    for (let i = 0; i < repeat; i++) run();
    return (performance.now() - start) / repeat;
  }).sort((a, b) => a - b);
  return times[samples >> 1];
}

function peak() {
  const iterations = 200_000;
  const flops = native.peak(iterations);
  return flops / medianMs(() => native.peak(iterations), 9) / 1e6;
}

const recurrent = [
  [32, 512, 128],
  [32, 1024, 256],
  [64, 2048, 512],
  [20, 800, 200],
  [1, 512, 128],
  [1, 128, 32],
  [32, 256, 64],
  [32, 4096, 1024],
];
const hoisted = [
  [2048, 512, 128],
  [2048, 1024, 256],
  [4096, 2048, 512],
  [512, 512, 512],
  [256, 256, 256],
  [700, 800, 200],
  [2048, 128, 1],
];
const outer = [
  [128, 512, 2048],
  [256, 1024, 2048],
  [512, 2048, 4096],
  [200, 800, 700],
  [64, 256, 2048],
  [32, 128, 64],
  [1, 512, 2048],
];

const memory = new WebAssembly.Memory({ initial: 2048 });
new Float32Array(memory.buffer).fill(0.01);
const sets = process.argv[2] === undefined ? [native.selected()] : process.argv.slice(2);
for (const set of sets) {
  native.select(set);
  const { pack, gemm, outer: outerProduct } = native.bind(memory);
  const top = peak();
  console.log(`${set}: peak ${top.toFixed(0)} GFLOP/s`);
  const report = (what, m, n, k, run) => {
    const ms = medianMs(run);
    const rate = (2 * m * n * k) / ms / 1e6;
    console.log(
      `  ${what.padEnd(6)} ${`${m}×${n}×${k}`.padEnd(16)} ${(ms * 1e3).toFixed(2).padStart(10)} µs ${rate.toFixed(0).padStart(5)} GFLOP/s ${((100 * rate) / top).toFixed(0).padStart(4)} %`,
    );
  };
  for (const [m, n, k] of [...recurrent, ...hoisted]) {
    const a = 64;
    const b = a + m * k * 4;
    const wide = Math.ceil(n / 16) * 16;
    const packed = Math.ceil((b + n * k * 4) / 64) * 64;
    const c = Math.ceil((packed + wide * k * 4) / 64) * 64;
    pack(b, 1, k, packed, k, n);
    report("gemm", m, n, k, () => gemm(a, k, 1, packed, c, n, m, n, k, 0));
  }
  for (const [m, n, rows] of outer) {
    const a = 64;
    const b = a + m * rows * 4;
    const c = Math.ceil((b + n * rows * 4) / 64) * 64;
    const scratch = Math.ceil((c + n * m * 4) / 64) * 64;
    report("outer", m, n, rows, () => outerProduct(a, m, b, n, c, n, m, n, rows, scratch));
  }
}
