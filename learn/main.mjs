/**
 * Proof of learning: every task trained, beside its trivial baseline, published numbers and target. npm run learn [-- --quick]. See
 * README.md for tasks and options.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { learn } from "./learn.mjs";
import { printRows } from "./report.mjs";
import { chooseTasks } from "./tasks/list.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    data: { type: "string" },
    seeds: { type: "string" },
    /** Ends every training run after so many seconds; its row says so. */
    limit: { type: "string" },
    json: { type: "boolean", default: false },
    /** Where gradient pictures and results are written. */
    out: { type: "string", default: join("runs", "learn") },
  },
});
const { quick, json, data, out } = values;
const say = (line) => process.stderr.write(`${line}\n`);

const seeds = (values.seeds ?? "1,2,3").split(",").map(Number);
const limit = values.limit === undefined ? undefined : Number(values.limit);
const tasks = chooseTasks({ quick, data, only: values.only?.split(",") });
mkdirSync(out, { recursive: true });

const rows = [];
for (const task of tasks) {
  for (const row of await learn(task, { folder: data, seeds, limit, say })) {
    for (const { seed, picture } of row.runs)
      if (picture !== undefined)
        writeFileSync(join(out, `${row.task}-${row.model}-${seed}.svg`.replace(/[^\w.-]+/g, "-")), picture.svg);
    rows.push(row);
  }
}
const document = {
  date: new Date().toISOString(),
  node: process.version,
  processors: availableParallelism(),
  command: process.argv.slice(2).join(" "),
  rows: rows.map((row) => ({
    ...row,
    runs: row.runs.map(({ picture, ...run }) => ({ ...run, gradient: picture?.sentence })),
  })),
};
writeFileSync(join(out, "learn.json"), `${JSON.stringify(document, undefined, 2)}\n`);
process.stdout.write(json ? `${JSON.stringify(document)}\n` : printRows(rows));
process.exit(rows.every(({ verdict }) => verdict === "reached" || verdict === "fails, as known") ? 0 : 1);
