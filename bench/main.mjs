/**
 * Every promise of speed, measured: npm run bench [-- --full]. See README.md for what is measured and how to read it.
 */
import { claimsFromRows } from "./claims/fromRows.mjs";
import { climb } from "./claims/ladder.mjs";
import { claimNames, measureClaims } from "./claims/list.mjs";
import { engineNames, engines } from "./engines/list.mjs";
import { cells, jobsOf, pointName, points, threadCounts, works } from "./grid.mjs";
import { measureJob } from "./interleave.mjs";
import { machine } from "./machine.mjs";
import { commandLine } from "./options.mjs";
import { measurePeaks, peakMeters } from "./peaks/peaks.mjs";
import { resultsFolder, writeResults } from "./results.mjs";
import { ratioOf } from "./statistics.mjs";
import { startSubject } from "./subject.mjs";
import { claimColumns, number, printer, rowColumns } from "./table.mjs";

const { values, words, count } = commandLine("bench", {
  full: { type: "boolean", default: false },
  only: { type: "string" },
  engines: { type: "string" },
  cells: { type: "string" },
  points: { type: "string" },
  threads: { type: "string" },
  python: { type: "string", default: "/usr/bin/python3" },
  "wasm-with": { type: "string" },
  rounds: { type: "string" },
  add: { type: "boolean", default: false },
  out: { type: "string", default: resultsFolder },
  json: { type: "boolean", default: false },
});
const { full, json, add, out, python } = values;
const only = words("only", [...works, ...claimNames, "ladder"]);
const chosen = {
  works: only,
  cells: words("cells", cells),
  points: words("points", points.map(pointName)),
  threads: words("threads", threadCounts.map(String)),
};
const chosenEngines = words("engines", engineNames);
const rounds = count("rounds") ?? (full ? 7 : 5);
const say = (line) => json || process.stdout.write(`${line}\n`);
const write = (text) => json || process.stdout.write(text);

const node = values["wasm-with"]?.split(" ") ?? [process.execPath];
const here = machine();
const peaks = measurePeaks(node);
say(`${here.processor}, ${here.processors} processors, ${here.memoryGiB} GiB, ${here.system}; Node ${here.node}`);
say(
  `peak of a core, GFLOP/s: ${number(peaks.native)} native (${peaks.instructionSet ?? "not built"}), ${number(peaks.simd128)} with 128-bit vectors (${peaks.simd128By}), ${number(peaks.wasm)} WebAssembly (${peaks.wasmInstruction}, Node ${peaks.wasmNode})\n`,
);

const { rows, notes } = await measureGrid();
const named = claimNames.filter((name) => only?.includes(name) ?? full);
const measured = await measureClaims(named, { wasmWith: node, said: ({ what }) => say(`  measured: ${what}`) });
const claims = [...claimsFromRows(rows), ...measured];
const ladder = (only?.includes("ladder") ?? full) ? await climb({ node, say }) : [];
const document = { date: new Date().toISOString(), machine: here, peak: peaks, full, rows, claims, ladder, notes };
const { latest, joined } = writeResults(document, { folder: out, add });
if (json) process.stdout.write(`${JSON.stringify(document)}\n`);
report(joined.claims);
say(`\nwritten: ${latest}`);
process.exit(0);

/** Rows of all jobs, each printed when it is measured. */
async function measureGrid() {
  const jobs = jobsOf(full, chosen);
  const known = engines({ full, python, node }).filter(({ name }) => chosenEngines?.includes(name) ?? true);
  const notes = [];
  const rows = [];
  const running = new Map();
  const table = printer(rowColumns, write);
  if (jobs.length > 0) table.head();
  const meters = peakMeters();
  for (const job of jobs) {
    const subjects = [];
    for (const engine of known.filter(({ asked }) => asked(job))) {
      const subject = await startOnce(engine, running, notes);
      if (subject !== undefined) subjects.push(subject);
    }
    const effort = { rounds, budgetMs: full ? 60 : 30 };
    const measured = await measureJob(job, subjects, meters, effort);
    const native = measured.rows.find(({ engine }) => engine === "recurra-native");
    for (const row of measured.rows) {
      if (native !== undefined && row !== native) row.timesOfNative = ratioOf(row, native);
      table.row(row);
      rows.push(row);
    }
    for (const { engine, problem } of measured.notes) say(`  ${engine}: ${problem}`);
    notes.push(...measured.notes);
  }
  for (const subject of running.values()) subject?.stop();
  meters.close();
  return { rows, notes };
}

/** An engine that has failed is started anew; one that is missing is named once. */
async function startOnce(engine, running, notes) {
  const known = running.get(engine);
  if (running.has(engine) && (known === undefined || !known.stopped)) return known;
  const subject = engine.missing === undefined ? await startSubject(engine) : undefined;
  running.set(engine, subject);
  if (subject === undefined && !notes.some((note) => note.engine === engine.name && note.cell === undefined)) {
    const problem = engine.missing ?? `does not start: ${engine.command.join(" ")}`;
    notes.push({ engine: engine.name, problem });
    say(`  left out: ${engine.name}, ${problem}`);
  }
  return subject;
}

function report(claims) {
  if (claims.length === 0) return;
  const table = printer(claimColumns, write);
  say("");
  table.head();
  for (const claim of claims) table.row(claim);
}
