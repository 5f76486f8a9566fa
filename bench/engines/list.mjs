/** Every engine the bench knows: how it is started and which jobs it is asked to do. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { threadCounts } from "../grid.mjs";

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const every = () => true;
const isForward = ({ work }) => work === "forward" || work === "stream";
/** A library of matrix products has threads of its own, whatever the program that calls it is told: as many as are set when it is loaded. */
export const numericThreads = (threads) =>
  Object.fromEntries(["OPENBLAS", "OMP", "MKL", "BLIS"].map((library) => [`${library}_NUM_THREADS`, String(threads)]));

/** Engines that need seconds for a step: one layer, small, one thread, and only one point of a quick run. */
const isSmall =
  (full) =>
  ({ work, hidden, batch, threads }) =>
    (work === "train" || work === "forward") &&
    threads === 1 &&
    (full ? hidden * batch <= 256 * 32 : hidden === 128 && batch === 32);

/**
 * `asked` says for which jobs an engine is started at all, `missing` why it is not here, `limitMs` how long an answer may take. `node` is how WebAssembly alone is
 * started: another Node than this one may have other instructions.
 */
export function engines({ full, python, node = [process.execPath] }) {
  const peer = (name, script, modules, asked) => ({
    name,
    command: [process.execPath, file(script)],
    asked,
    limitMs: 40_000,
    missing: modules.find((module) => !isInstalled(module)) && "not installed: npm run bench:peers",
  });
  return [
    {
      name: "recurra-native",
      command: [process.execPath, file("recurra.mjs")],
      env: { RECURRA_NATIVE: "" },
      asked: every,
    },
    { name: "recurra-wasm", command: [...node, file("recurra.mjs")], env: { RECURRA_NATIVE: "0" }, asked: every },
    ...threadCounts.map((threads) => ({
      name: "pytorch",
      command: [python, file("pytorch.py")],
      env: numericThreads(threads),
      asked: (job) => job.threads === threads,
      missing: existsSync(python) ? undefined : `no Python at ${python}`,
    })),
    peer("onnxruntime", "onnxruntime.mjs", ["onnxruntime-node"], isForward),
    peer("tfjs-wasm", "tfjs-wasm.mjs", ["@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"], isSmall(full)),
    peer("tfjs-cpu", "tfjs-cpu.mjs", ["@tensorflow/tfjs"], (job) => full && isSmall(full)(job)),
    peer("jax-js", "jax-js.mjs", ["@jax-js/jax"], (job) => full && isSmall(full)(job)),
    peer("brain.js", "brain.mjs", ["brain.js"], (job) => full && isSmall(full)(job)),
  ];
}

const isInstalled = (module) => existsSync(file(`../peers/node_modules/${module}/package.json`));

/** All of them, whether they are here or not. */
export const engineNames = [...new Set(engines({ python: "" }).map(({ name }) => name))];
