/**
 * The conductor's side of the conversation with an engine, which runs in a process of its own so that threads do not mix. An engine
 * that is not asked is stopped: the idle threads of several of them wait in a loop and would take processors from the one at work.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Its process group, so that a program started by another one stops with it. */
const canStop = process.platform !== "win32";

/** A bench that is stopped takes its engines with it, the sleeping ones too. */
for (const [name, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
])
  process.once(name, () => process.exit(code));
const running = new Set();
process.once("exit", () => {
  for (const kill of running) kill();
});

/** Undefined where the engine does not start: it is not installed, then. `engine` is a row of engines/list.mjs. */
export async function startSubject(engine) {
  let stopped = false;
  const [program, ...args] = engine.command;
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", process.env.BENCH_DEBUG === undefined ? "ignore" : "inherit"],
    env: { ...process.env, ...engine.env },
    detached: canStop,
  });
  const signal = (name) => canStop && !stopped && process.kill(-child.pid, name);
  const kill = () => (canStop ? signal("SIGKILL") : child.kill());
  running.add(kill);
  const gone = new Promise((resolve) => {
    child.once("error", () => resolve({ value: undefined }));
    child.once("exit", () => resolve({ value: undefined }));
  });
  child.stdin.on("error", () => undefined); // The end of the process is seen by `gone`.
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hello = (await Promise.race([lines.next(), gone])).value;
  if (hello === undefined) {
    stopped = true;
    return undefined;
  }
  signal("SIGSTOP");
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
      signal("SIGCONT");
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, late: tooLate } = await Promise.race([lines.next(), gone, late]);
      clearTimeout(timer);
      if (value !== undefined) {
        signal("SIGSTOP");
        return JSON.parse(value);
      }
      if (tooLate) kill();
      stopped = true;
      return { failed: tooLate ? `no answer within ${limitMs / 1000} s` : "its process has ended" };
    },
    get stopped() {
      return stopped;
    },
    stop() {
      kill();
      stopped = true;
    },
  };
}
