/**
 * The quick points in Chromium, with and without shared memory, beside WebAssembly alone in this Node: npm run bench:browser
 *
 * Says so and ends when there is no Chromium.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runPage } from "../../test/browser/chromium.mjs";
import { jobsOf, pointName, points } from "../grid.mjs";
import { difference } from "../interleave.mjs";
import { commandLine } from "../options.mjs";
import { measurePeaks } from "../peaks/peaks.mjs";
import { referenceOf } from "../reference.mjs";
import { printer, rowColumns } from "../table.mjs";

process.env.RECURRA_NATIVE = "0";
const { measureInPlace } = await import("./job.mjs");

const { values, words } = commandLine("bench:browser", {
  chromium: { type: "string", default: "/usr/bin/chromium" },
  points: { type: "string" },
});
const atPoints = words("points", points.map(pointName));
if (!existsSync(values.chromium)) {
  console.log(`skipped: there is no Chromium at ${values.chromium}; name it with --chromium PATH`);
  process.exit(0);
}
const folder = fileURLToPath(new URL("..", import.meta.url));
const jobs = jobsOf(false, { works: ["train", "forward"], points: atPoints });
const search = `jobs=${encodeURIComponent(JSON.stringify(jobs))}`;
const inChromium = (isolated) =>
  runPage({ chromium: values.chromium, folder, page: `browser/page.html?${search}`, isolated, limitMs: 300_000 });

const peak = measurePeaks().simd128;
const places = {
  node: { rows: await measureInPlace(jobs) },
  chromium: await inChromium(false),
  "chromium, shared": await inChromium(true),
};
const table = printer(rowColumns, (text) => process.stdout.write(text));
table.head();
for (const [at, job] of jobs.entries()) {
  for (const [engine, { rows, error }] of Object.entries(places)) {
    if (error !== undefined) throw new Error(`${engine}: ${error}`);
    const { checked, ...row } = rows[at];
    const problem = difference(checked, referenceOf(job));
    if (problem !== undefined) throw new Error(`${engine}: ${problem}`);
    table.row({ ...row, engine, percentOfPeak: (100 * row.gflops) / peak / job.threads });
  }
}
process.exit(0);
