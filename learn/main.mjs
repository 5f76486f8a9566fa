/**
 * Proof of learning: every task trained, beside its trivial baseline, published numbers and target. npm run learn [-- --quick]. See
 * README.md for tasks and options.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { baselineOf, rowOf } from "./learn.mjs";
import { runAll } from "./processes.mjs";
import { printRows } from "./report.mjs";
import { chooseTasks } from "./tasks/list.mjs";

process.on("uncaughtException", ({ message }) => {
  process.stderr.write(`learn: ${message}\n`);
  process.exit(1);
});
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    data: { type: "string" },
    seeds: { type: "string" },
    /** Ends every training run after so many seconds; its row says so. */
    limit: { type: "string" },
    /** Runs at once, one thread each; 1: one after the other, with all threads. */
    jobs: { type: "string", default: String(availableParallelism()) },
    /** Keeps the rows of learn.json of tasks that this run does not train. */
    add: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    /** Where gradient pictures and results are written. */
    out: { type: "string", default: join("runs", "learn") },
  },
});
const { quick, add, json, data, out } = values;
const say = (line) => process.stderr.write(`${line}\n`);

const seeds = (values.seeds ?? "1,2,3").split(",").map(Number);
const limit = values.limit === undefined ? undefined : Number(values.limit);
const tasks = chooseTasks({ quick, data, only: values.only?.split(",") });
mkdirSync(out, { recursive: true });

const file = join(out, "learn.json");
const known = add && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).rows : [];
const models = tasks.flatMap((task) => task.models.map((model) => ({ task, model, runs: [] })));
const jobs = models.flatMap(({ task, model }) => seeds.map((seed) => ({ task: task.name, model: model.name, seed })));
const rows = [];
await runAll(jobs, {
  atOnce: Number(values.jobs),
  folder: data,
  ...{ limit, say },
  finished(job, { picture, ...run }) {
    const { task, model, runs } = models.find((one) => one.task.name === job.task && one.model.name === job.model);
    if (picture !== undefined)
      writeFileSync(join(out, `${job.task}-${job.model}-${job.seed}.svg`.replace(/[^\w.-]+/g, "-")), picture.svg);
    runs.push(run);
    if (runs.length < seeds.length) return;
    runs.sort((a, b) => seeds.indexOf(a.seed) - seeds.indexOf(b.seed));
    rows.push(rowOf(task, baselineOf(task, data), model, runs));
    write();
  },
});

/** All there is so far: a run that is stopped has told what it finished. */
function write() {
  const made = new Set(rows.map(({ task }) => task));
  const document = {
    date: new Date().toISOString(),
    node: process.version,
    processors: availableParallelism(),
    rows: [...known.filter(({ task }) => !made.has(task)), ...rows],
  };
  writeFileSync(file, `${JSON.stringify(document, undefined, 2)}\n`);
  return document;
}
const document = write();
process.stdout.write(json ? `${JSON.stringify(document)}\n` : printRows(document.rows));
process.exit(rows.every(({ verdict }) => verdict === "reached" || verdict === "fails, as known") ? 0 : 1);
