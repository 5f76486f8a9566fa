/**
 * The engine's side of the conversation with subject.mjs: one JSON request a line on standard input, one answer a line.
 *
 *     {"job": …}                     → {"checked": named numbers, "about": anything} or {"refused": words}
 *     {"budgetMs", "most"}           → {"milliseconds": […], "busy": processors in the mean} of the job given last
 */
import { createInterface } from "node:readline";

/**
 * `prepare(job)` gives undefined-free work: `check()` the numbers to compare, `run()` one repeat, `repeats` how many units of work a
 * repeat does (default 1), `about()` what is worth telling; or a string, the reason why the engine cannot do this job.
 */
export async function serve(hello, prepare) {
  const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
  say(hello);
  let work;
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const request = JSON.parse(line);
      if (request.job === undefined) {
        say(await time(work, request));
        continue;
      }
      work?.dispose?.();
      work = await prepare(request.job);
      if (typeof work === "string") say({ refused: work });
      else {
        const checked = await work.check();
        await work.warmUp?.();
        say({ checked, about: work.about?.() ?? {} });
      }
    } catch (error) {
      say({ failed: String(error?.stack ?? error) });
    }
  }
}

/** One run to warm up what the other engines have left cold, then runs until the budget is spent. */
async function time({ run, repeats = 1 }, { budgetMs, most }) {
  const milliseconds = [];
  const begin = performance.now();
  const used = process.cpuUsage();
  await run();
  do {
    const start = performance.now();
    const pending = run();
    if (pending !== undefined) await pending;
    milliseconds.push((performance.now() - start) / repeats);
  } while (milliseconds.length < most && performance.now() - begin < budgetMs);
  const { user, system } = process.cpuUsage(used);
  return { milliseconds, busy: (user + system) / 1000 / (performance.now() - begin) };
}
