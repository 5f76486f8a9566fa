/** The ladder of kernels: what each step bought on two points of the grid, each rung a process of its own, timed in turns. */
import { fileURLToPath } from "node:url";
import { operationsOf, pointName } from "../grid.mjs";
import { distinctRows } from "../numbers.mjs";
import { referenceOf } from "../reference.mjs";
import { median } from "../statistics.mjs";
import { startSubject } from "../subject.mjs";
import { number, printer } from "../table.mjs";

const points = [
  { hidden: 64, batch: 32, time: 64 },
  { hidden: 256, batch: 32, time: 64 },
];

/** A set that the processor does not have runs on its best one, and `kernels` says so: that rung is left out. */
const rungs = [
  { rung: "WebAssembly, plain", env: { RECURRA_NATIVE: "0" }, strict: true, kernels: "plain" },
  { rung: "WebAssembly, relaxed", env: { RECURRA_NATIVE: "0" }, kernels: "relaxed" },
  ...["portable", "avx2", "neon", "avx512"].map((set) => ({
    rung: `native, ${set}`,
    env: { RECURRA_NATIVE: set },
    kernels: `native ${set}`,
  })),
];

/** [{rung, point, medianMs, gflops, gain}], `gain` being how many times as fast as the rung below with as many threads. */
export async function climb({ node, say }) {
  const columns = [
    ["rung", -36, ({ rung }) => rung],
    ["threads", 7, ({ threads }) => String(threads)],
    ["lstm, point", -12, ({ point }) => point],
    ["median ms", 10, ({ medianMs }) => number(medianMs)],
    ["GFLOP/s", 8, ({ gflops }) => number(gflops)],
    ["gain", 7, ({ gain }) => (gain === undefined ? "" : `${number(gain)}×`)],
  ];
  const table = printer(columns, (text) => say(text.trimEnd()));
  say("\nthe ladder of kernels, LSTM training step");
  table.head();
  const all = [];
  for (const point of points) {
    const rows = await climbAt(point, node);
    for (const row of rows) table.row(row);
    all.push(...rows);
  }
  return all;
}

async function climbAt(point, node) {
  const job = { work: "train", cell: "lstm", ...point };
  const started = await Promise.all(
    [1, 2].flatMap((threads) => rungs.map((rung) => start(rung, { ...job, threads }, node))),
  );
  const ready = started.filter((entry) => entry !== undefined);
  for (let round = 0; round < 5; round++) {
    for (const entry of ready) {
      const { milliseconds } = await entry.subject.ask({ budgetMs: 60, most: 100 });
      entry.milliseconds.push(...milliseconds);
    }
  }
  for (const { subject } of ready) subject.stop();
  const rows = [
    loops(job),
    ...ready.map(({ rung, threads, milliseconds }) => ({ rung, threads, medianMs: median(milliseconds) })),
  ];
  return rows.map((row, i) => ({
    ...row,
    point: pointName(point),
    gflops: operationsOf(job) / row.medianMs / 1e6,
    gain: rows[i - 1]?.threads === row.threads ? rows[i - 1].medianMs / row.medianMs : undefined,
  }));
}

/** Undefined where this processor or engine does not have the rung. */
async function start({ rung, env, strict, kernels }, job, node) {
  const script = fileURLToPath(new URL("../engines/recurra.mjs", import.meta.url));
  const command = env.RECURRA_NATIVE === "0" ? node : [process.execPath];
  const subject = await startSubject({ name: rung, command: [...command, script], env });
  const answer = await subject?.ask({ job: { ...job, strict } });
  if (answer?.about?.kernels === kernels) return { rung, threads: job.threads, subject, milliseconds: [] };
  subject?.stop();
  return undefined;
}

/** The reference's loops over the rows that differ, as many times as there are rows; without clipping and Adam. */
function loops(job) {
  const start = performance.now();
  referenceOf(job);
  const medianMs = ((performance.now() - start) * job.batch) / distinctRows(job);
  return { rung: "loops in JavaScript, float64", threads: 1, medianMs };
}
