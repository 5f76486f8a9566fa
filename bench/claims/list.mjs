/** Claims that are no row of the grid: each measures what it needs in a process of its own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const native = { RECURRA_NATIVE: "" };
const wasm = { RECURRA_NATIVE: "0" };

/** By name: what the process is given beside its environment. WebAssembly alone has its own growth, compile time and bits. */
const claims = {
  customCells: [native, wasm],
  lengths: [native, wasm],
  compile: [native, wasm],
  overhead: [native, wasm],
  growth: [native, wasm],
  linear: [native],
  feeding: [
    { ...native, RECURRA_THREADS: "1" },
    { ...wasm, RECURRA_THREADS: "1" },
  ],
  threads: [
    { ...native, RECURRA_THREADS: "2" },
    { ...wasm, RECURRA_THREADS: "2" },
  ],
  bits: [
    { ...native, RECURRA_THREADS: "4" },
    { ...wasm, RECURRA_THREADS: "4" },
  ],
};

export const claimNames = Object.keys(claims);

/** Results of the claims with these names; one that fails is a result too. `wasmWith` starts WebAssembly alone. */
export async function measureClaims(names, { wasmWith, said }) {
  const results = [];
  for (const name of names) {
    for (const env of claims[name]) {
      const engine = env.RECURRA_NATIVE === "0" ? "recurra-wasm" : "recurra-native";
      const command = engine === "recurra-wasm" ? wasmWith : [process.execPath];
      for (const result of await measureClaim(name, command, env)) {
        const full = { ...result, what: `${engine.slice(8)}: ${result.what}`, claim: name, engine };
        said(full);
        results.push(full);
      }
    }
  }
  return results;
}

async function measureClaim(name, [program, ...args], env) {
  const script = fileURLToPath(new URL("run.mjs", import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(program, [...args, "--expose-gc", script, name], {
      env: { ...process.env, ...env },
      maxBuffer: 2 ** 26,
    });
    return JSON.parse(stdout);
  } catch (error) {
    return [
      {
        what: name,
        note:
          String(error.stderr ?? error)
            .trim()
            .split("\n")
            .find((line) => line.includes("Error")) ?? "failed",
        met: false,
      },
    ];
  }
}
