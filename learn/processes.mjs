/** Runs side by side: each model and seed in a process of its own, as many at once as are asked for. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("one.mjs", import.meta.url));

/**
 * Runs all `jobs` ({task, model, seed} by name), the first ones first, and hands each job and its run to `finished`. Several at once have one thread each, so that they do not wait for one another;
 * a single one has all.
 * @throws Error with what a process wrote last, when one fails; the others are stopped.
 */
export async function runAll(jobs, { atOnce, say, finished, ...settings }) {
  const running = new Set();
  const waiting = jobs.values();
  const next = async () => {
    for (const job of waiting) finished(job, await runJob({ ...job, ...settings }));
  };
  const runJob = (job) =>
    new Promise((resolve, reject) => {
      const env = atOnce === 1 ? process.env : { ...process.env, RECURRA_THREADS: "1" };
      const child = spawn(process.execPath, [program, JSON.stringify(job)], { env, stdio: ["ignore", "pipe", "pipe"] });
      running.add(child);
      const [out, error] = [collect(child.stdout), collect(child.stderr, say)];
      child.once("error", reject);
      child.once("close", (code) => {
        running.delete(child);
        if (code === 0) resolve(JSON.parse(out.text));
        else reject(new Error(`${job.task}, ${job.model}, seed ${job.seed} ended with ${code}: ${error.text.trim()}`));
      });
    });
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, jobs.length) }, next));
  } finally {
    for (const child of running) child.kill();
  }
}

/** The text of a stream so far; whole lines are handed to `say`. */
function collect(stream, say) {
  const collected = { text: "" };
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    collected.text += text;
    if (say === undefined) return;
    const lines = collected.text.split("\n");
    collected.text = lines.pop();
    for (const line of lines) say(line);
  });
  return collected;
}
