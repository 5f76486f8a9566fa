/**
 * Where the time of a step goes, on one thread with native kernels: every product by its sizes, fused loops by their numbers in the
 * module, and what is left. In front of it what bounds them: multiply-adds in registers, and reading from caches and memory. The
 * commands of a scan, all of which are one call of the kernels, are called one by one here, which shows where a step is short; rows of shards that go
 * through it side by side count as those of one product. Behind it the
 * same products called again and again, in turns with PyTorch's where there is one, and with those of a BLAS library that is named: what they
 * can do when nothing comes between.
 *
 *     npm run bench:profile -- --work train --cell lstm --hidden 256 --batch 32 --time 64
 */
import { createRequire } from "node:module";
import { cells, operationsOf } from "./grid.mjs";
import { commandLine } from "./options.mjs";
import { productTimes } from "./peaks/products.mjs";
import { replaySteps } from "./replay.mjs";
import { median } from "./statistics.mjs";
import { number, printer } from "./table.mjs";

const text = (value) => ({ type: "string", default: value });
const { values, word, count, refuse } = commandLine("bench:profile", {
  ...{ work: text("train"), cell: text("lstm") },
  ...{
    hidden: text("256"),
    batch: text("32"),
    time: text("64"),
    steps: text("40"),
    python: text("/usr/bin/python3"),
    blas: { type: "string" },
  },
});
const work = word("work", ["train", "forward", "language"]);
const cell = word("cell", work === "language" ? ["lstm"] : cells);
const [hidden, batch, time, steps] = ["hidden", "batch", "time", "steps"].map(count);
const packageOfKernels = createRequire(import.meta.url)("@recurra/native");
const native = packageOfKernels.load();
if (native === undefined) refuse(`there are no native kernels to look at: ${packageOfKernels.whyNot()}`);

/** Of each kind of call: how many, milliseconds, operations and floats of one. */
const spent = [];
let timing = false;
packageOfKernels.load = () => ({ ...native, bind: (memory) => clocked(native.bind(memory)) });

function clocked(bound) {
  const known = new Map();
  /** Runs a call and counts its time among those of its key; `describe` names them once. */
  const clock = (key, describe, run) => {
    const begin = performance.now();
    run();
    const ms = performance.now() - begin;
    let sum = known.get(key);
    if (sum === undefined) {
      sum = { calls: 0, ms: 0, ...describe() };
      known.set(key, sum);
      spent.push(sum);
    }
    sum.calls++;
    sum.ms += ms;
  };
  /** `sizes` of the arguments tell calls apart. */
  const wrap =
    (kernel, sizes, describe) =>
    (...args) => {
      if (!timing) return bound[kernel](...args);
      const key = sizes(args);
      clock(
        `${kernel} ${key.join(" ")}`,
        () => describe(...key),
        () => bound[kernel](...args),
      );
    };
  const gemm = (m, n, k) => ({
    name: `product of ${m} rows with ${k} × ${n}`,
    product: { kind: "gemm", m, n, k },
    operations: 2 * m * n * k,
    floats: m * k + k * n + m * n,
  });
  const loops = (first, count) => ({
    name: count === 1 ? `fused loop ${first}` : `fused loops ${first} to ${first + count - 1}`,
  });
  const programs = [];
  return {
    ...bound,
    define: (program) => {
      programs[bound.define(program)] = program;
    },
    runSteps: (handle, ...given) => {
      if (!timing) return bound.runSteps(handle, ...given);
      replaySteps(programs[handle], given, bound, ({ loop, m, n, k }, call) => {
        if (loop === undefined) clock(`gemm ${m} ${n} ${k}`, () => gemm(m, n, k), call);
        else clock(`runLoops ${loop} 1 0`, () => loops(loop, 1), call);
      });
    },
    gemm: wrap("gemm", (args) => args.slice(5, 8), gemm),
    outer: wrap(
      "outer",
      (args) => args.slice(6, 9),
      (m, n, rows) => ({
        name: `sum over ${rows} rows to ${m} × ${n}`,
        product: { kind: "outer", m, n, k: rows },
        operations: 2 * m * n * rows,
        floats: rows * (m + n) + m * n,
      }),
    ),
    outerPair: wrap(
      "outerPair",
      ([, , m, rows, ...sums]) => [m, rows, sums[4], sums[10]],
      (m, rows, n, other) => ({
        name: `sums over ${rows} rows to ${m} × ${n} and ${other}`,
        product: { kind: "outer", m, n: n + other, k: rows },
        operations: 2 * m * (n + other) * rows,
        floats: rows * (m + n + other) + m * (n + other),
      }),
    ),
    pack: wrap(
      "pack",
      (args) => args.slice(4, 6),
      (k, n) => ({ name: `packing of ${k} × ${n}`, floats: 2 * k * n }),
    ),
    turnIn: wrap(
      "turnIn",
      (args) => args.slice(3, 6),
      (rows, steps, features) => ({
        name: `input of ${rows} rows, ${steps} steps, ${features} features`,
        floats: 2 * rows * steps * features,
      }),
    ),
    sumShards: wrap(
      "sumShards",
      ([, , first, end, shards]) => [end - first, shards],
      (count, shards) => ({ name: `sums of ${shards} shards, ${count} numbers`, floats: (shards + 1) * count }),
    ),
    runLoops: wrap("runLoops", (args) => args.slice(0, 2), loops),
    runPart: wrap(
      "runPart",
      (args) => args.slice(0, 1),
      (loop) => ({ name: `fused loop ${loop}, once for all rows` }),
    ),
  };
}

/** GFLOP/s of multiply-adds in registers, at this moment. */
function peak() {
  native.peak(100_000);
  const begin = performance.now();
  return native.peak(200_000) / (performance.now() - begin) / 1e6;
}

/** GB/s at which a core reads so many MiB again and again: as the weights of one row. */
function readingRate(mebibytes) {
  const [n, k] = [1024, mebibytes * 256];
  const memory = new WebAssembly.Memory({ initial: 16 * mebibytes + 2 });
  const { gemm } = native.bind(memory);
  new Float32Array(memory.buffer).fill(0.01);
  const [weights, a, c] = [0, 2 ** 20 * mebibytes, 2 ** 20 * mebibytes + 4 * k];
  const times = Math.ceil(64 / mebibytes);
  const rates = Array.from({ length: 9 }, () => {
    const begin = performance.now();
    for (let i = 0; i < times; i++) gemm(a, k, weights, c, n, 1, n, k, 0);
    return (times * 2 ** 20 * mebibytes) / (performance.now() - begin) / 1e6;
  });
  return median(rates);
}

const { step } = await subject();
for (let i = 0; i < 8; i++) {
  step();
  await new Promise((resolve) => setTimeout(resolve, 2));
}
const whole = [];
const peaks = [];
for (let i = 0; i < steps; i++) {
  peaks.push(peak());
  timing = true;
  const begin = performance.now();
  step();
  whole.push(performance.now() - begin);
  timing = false;
}

const job = { work, cell, hidden, batch, time };
const total = whole.reduce((sum, ms) => sum + ms, 0) / steps;
const rate = median(peaks);
const rows = spent.map((row) => ({ ...row, ms: row.ms / steps, calls: row.calls / steps }));
rows.push({ name: "the rest: WebAssembly and JavaScript", ms: total - rows.reduce((sum, { ms }) => sum + ms, 0) });
const mebibytes = [1, 4, 8, 16, 32, 64];
console.log(
  `${native.selected()}: ${number(rate)} GFLOP/s of multiply-adds in registers (median of the turns between steps)`,
);
console.log(`reading, GB/s: ${mebibytes.map((size) => `${size} MiB ${number(readingRate(size))}`).join(", ")}`);
console.log(
  `${work} ${cell} ${hidden}x${batch}x${time}, one thread: ${number(total)} ms a step, ${number(operationsOf(job) / total / 1e6)} GFLOP/s, ${number((100 * operationsOf(job)) / total / 1e6 / rate)} % of peak; what is read and written is counted once a call\n`,
);
const table = printer(
  [
    ["", -44, ({ name }) => name],
    ["calls", 6, ({ calls }) => (calls === undefined ? "" : number(calls))],
    ["ms", 7, ({ ms }) => number(ms)],
    ["share", 7, ({ ms }) => `${((100 * ms) / total).toFixed(1)} %`],
    ["GFLOP/s", 7, ({ operations, ms, calls }) => (operations ? number((operations * calls) / ms / 1e6) : "")],
    [
      "of peak",
      7,
      ({ operations, ms, calls }) => (operations ? `${((operations * calls) / ms / 1e4 / rate).toFixed(0)} %` : ""),
    ],
    ["MiB", 6, ({ floats }) => (floats ? number(floats / 2 ** 18) : "")],
    ["GB/s", 6, ({ floats, ms, calls }) => (floats ? number((4 * floats * calls) / ms / 1e6) : "")],
  ],
  (text) => process.stdout.write(text),
);
table.head();
const listed = rows.sort((a, b) => b.ms - a.ms).filter(({ ms }) => ms > total / 500);
for (const row of listed) table.row(row);
await besidePeers(listed.filter(({ product }) => product !== undefined));
process.exit(0);

/** The products of a step by themselves: in the step, alone, and those of other libraries. */
async function besidePeers(products) {
  const { names, times } = await productTimes(
    products.map(({ product }) => product),
    values.python,
    values.blas,
  );
  const missing = [
    ...(names.includes("PyTorch") ? [] : [`no PyTorch at ${values.python}`]),
    ...(values.blas === undefined || names.some((name) => name !== "PyTorch")
      ? []
      : [`no BLAS library at ${values.blas}`]),
  ];
  for (const what of missing) console.log(`\n${what}: its products are left out`);
  const compared = products.map((row, i) => ({
    ...row,
    alone: row.calls * times[i].own,
    peers: times[i].peers.map((ms) => row.calls * ms),
  }));
  const sum = (of) => compared.reduce((all, row) => all + of(row), 0);
  const all = {
    name: "all of them",
    ms: sum(({ ms }) => ms),
    alone: sum(({ alone }) => alone),
    peers: names.map((_, i) => sum(({ peers }) => peers[i])),
  };
  console.log(
    "\nThe products of a step, milliseconds: in it, called again and again, and those of other libraries called again and again.\n",
  );
  const columns = names.flatMap((name, i) => [
    [name, Math.max(7, name.length), ({ peers }) => number(peers[i])],
    ["/ alone", 7, ({ alone, peers }) => number(peers[i] / alone)],
  ]);
  const table = printer(
    [
      ["", -44, ({ name }) => name],
      ["in the step", 11, ({ ms }) => number(ms)],
      ["alone", 7, ({ alone }) => number(alone)],
      ...columns,
    ],
    (text) => process.stdout.write(text),
  );
  table.head();
  for (const row of [...compared, all]) table.row(row);
}

/** The bench's own network, on one thread. The library is loaded behind the clocks. */
async function subject() {
  const { Model, adam, sgd } = await import("recurra/train");
  const { languageNetwork, lastOutputNetwork } = await import("./networks.mjs");
  const { inputsOf, textOf } = await import("./numbers.mjs");
  const initialize = { R: "xavierUniform" };
  if (work === "language") {
    const model = new Model(languageNetwork({ cell, hidden, batch, time }), { threads: 1, optimizer: sgd() });
    const fed = { sizes: { batch, time }, inputs: textOf({ hidden, batch, time }) };
    return { step: () => model.trainStep(fed, 0.1) };
  }
  const network = lastOutputNetwork({ cell, hidden, initialize });
  const model = new Model(network, { threads: 1, optimizer: adam(), clipping: { norm: 1 } });
  const fed = { sizes: { batch, time }, inputs: inputsOf({ hidden, batch, time }) };
  return { step: () => (work === "forward" ? model.predict(fed) : model.trainStep(fed, 1e-3)) };
}
