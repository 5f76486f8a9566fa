/** The conductor's side of the conversation with an engine, which runs in a process of its own so that threads do not mix. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Undefined where the engine does not start: it is not installed, then. `engine` is a row of engines/list.mjs. */
export async function startSubject(engine) {
  const [program, ...args] = engine.command;
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", process.env.BENCH_DEBUG === undefined ? "ignore" : "inherit"],
    env: { ...process.env, ...engine.env },
  });
  const gone = new Promise((resolve) => {
    child.once("error", () => resolve({ value: undefined }));
    child.once("exit", () => resolve({ value: undefined }));
  });
  child.stdin.on("error", () => undefined); // The end of the process is seen by `gone`.
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hello = (await Promise.race([lines.next(), gone])).value;
  if (hello === undefined) return undefined;
  let stopped = false;
  return {
    name: engine.name,
    version: JSON.parse(hello).version,
    /** What the engine says; {failed} where its process has ended or takes longer than the limit, after which it is stopped. */
    async ask(request) {
      const { limitMs = 120_000 } = engine;
      if (stopped) return { failed: "its process has ended" };
      let timer;
      const late = new Promise((resolve) => {
        timer = setTimeout(() => resolve({ late: true }), limitMs);
      });
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, late: tooLate } = await Promise.race([lines.next(), gone, late]);
      clearTimeout(timer);
      if (value !== undefined) return JSON.parse(value);
      stopped = true;
      child.kill();
      return { failed: tooLate ? `no answer within ${limitMs / 1000} s` : "its process has ended" };
    },
    get stopped() {
      return stopped;
    },
    stop() {
      stopped = true;
      child.kill();
    },
  };
}
