/** The limits of one core, measured in the run whose results they belong to. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * GFLOP/s of fused multiply-adds on one core: `native` with the widest vectors of the processor, `simd128` with 128-bit ones.
 * `wasm` is what the Node that runs the WebAssembly rows reaches, with the instruction it has.
 */
export function measurePeaks(node = [process.execPath]) {
  const [program, ...args] = node;
  const wasm = JSON.parse(
    execFileSync(program, [...args, file("simd128.mjs")], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
  const native = nativePeak();
  const compiled = fma128Peak();
  return {
    native: native?.gflops,
    instructionSet: native?.instructionSet,
    simd128: Math.max(wasm.gflops, compiled ?? 0),
    simd128By: (compiled ?? 0) > wasm.gflops ? "compiled C" : wasm.instruction,
    wasm: wasm.gflops,
    wasmInstruction: wasm.instruction,
    wasmNode: wasm.node,
  };
}

function nativePeak() {
  const { load } = createRequire(import.meta.url)("@recurra/native");
  const native = load();
  if (native === undefined) return undefined;
  const iterations = 200_000;
  native.peak(iterations);
  const rates = Array.from({ length: 15 }, () => {
    const start = performance.now();
    const operations = native.peak(iterations);
    return operations / (performance.now() - start) / 1e6;
  });
  return { gflops: Math.max(...rates), instructionSet: native.selected() };
}

/** Its vectorizer is off: it would pair the vectors. Undefined where there is no C compiler, or a processor without the instruction. */
function fma128Peak() {
  const folder = mkdtempSync(join(tmpdir(), "recurra-peak-"));
  try {
    const program = join(folder, "fma128");
    execFileSync(
      "cc",
      [
        "-O2",
        "-funroll-loops",
        "-fno-tree-vectorize",
        "-fno-tree-slp-vectorize",
        "-ffp-contract=fast",
        file("fma128.c"),
        "-o",
        program,
      ],
      { stdio: "ignore" },
    );
    return Number(execFileSync(program, { encoding: "utf8" }));
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
