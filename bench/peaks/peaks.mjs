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

/**
 * What a core does at this moment, GFLOP/s: a machine that is shared is at times half as fast as at others. Both are measured for some
 * milliseconds when they are called; undefined where there is nothing to measure with.
 */
export function peakMeters() {
  const native = loadNative();
  const fma128 = compileFma128();
  return {
    native: native && (() => nativeRate(native, 100_000)),
    simd128: fma128 && (() => Number(execFileSync(fma128.program, ["2"], { encoding: "utf8" }))),
    close: () => fma128?.remove(),
  };
}

function loadNative() {
  return createRequire(import.meta.url)("@recurra/native").load();
}

function nativeRate(native, iterations) {
  // Wide vectors slow the clock of some processors down: what is timed begins behind that.
  native.peak(iterations);
  const start = performance.now();
  const operations = native.peak(iterations);
  return operations / (performance.now() - start) / 1e6;
}

function nativePeak() {
  const native = loadNative();
  if (native === undefined) return undefined;
  const rates = Array.from({ length: 15 }, () => nativeRate(native, 200_000));
  return { gflops: Math.max(...rates), instructionSet: native.selected() };
}

function fma128Peak() {
  const fma128 = compileFma128();
  if (fma128 === undefined) return undefined;
  const rate = Number(execFileSync(fma128.program, { encoding: "utf8" }));
  fma128.remove();
  return rate;
}

/** Its vectorizer is off: it would pair the vectors. Undefined where there is no C compiler, or a processor without the instruction. */
function compileFma128() {
  const folder = mkdtempSync(join(tmpdir(), "recurra-peak-"));
  const program = join(folder, "fma128");
  const remove = () => rmSync(folder, { recursive: true });
  const options = [
    "-O2",
    "-funroll-loops",
    "-fno-tree-vectorize",
    "-fno-tree-slp-vectorize",
    "-ffp-contract=fast",
    file("fma128.c"),
    "-o",
    program,
  ];
  try {
    execFileSync("cc", options, { stdio: "ignore" });
    execFileSync(program, ["1"], { stdio: "ignore" });
    return { program, remove };
  } catch {
    remove();
    return undefined;
  }
}
