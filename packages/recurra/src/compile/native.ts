/** The native kernels of @recurra/native, where they are installed: looked for at run time, in Node only. */
import type { Arithmetic } from "../backends/wasm/tile.ts";

/** Kernels bound to one memory: functions of whole numbers that a WebAssembly module can import. */
interface BoundKernels {
  readonly pack: WebAssembly.ImportValue;
  readonly gemm: WebAssembly.ImportValue;
  readonly outer: WebAssembly.ImportValue;
  readonly runLoop: WebAssembly.ImportValue;
  readonly defineLoop: (program: Int32Array) => number;
  readonly clearLoops: () => void;
  readonly rebind: () => void;
}

interface NativePackage {
  load(): { bind(memory: WebAssembly.Memory): BoundKernels; lanes(): number; selected(): string } | undefined;
  whyNot(): string | undefined;
}

export interface NativeKernels {
  /** Where workers load the same package from. */
  readonly path: string;
  /** "avx512", "avx2", "neon" or "portable". */
  readonly instructionSet: string;
  /** Whether its vectors are wider than WebAssembly's, so that loops gain too. */
  readonly wide: boolean;
  readonly bind: (memory: WebAssembly.Memory) => BoundKernels;
}

export type KernelSet = Arithmetic | `native ${string}`;

interface NodeModules {
  getBuiltinModule?(name: string): unknown;
}

interface NodeRequire {
  (name: string): unknown;
  resolve(name: string): string;
}

let found: { readonly native: NativeKernels | undefined; readonly reason: string | undefined } | undefined;

/** The kernels, or undefined: `whyNotNative` then says why. Looked for once. */
export function nativeKernels(): NativeKernels | undefined {
  found ??= find();
  return found.native;
}

export function whyNotNative(): string | undefined {
  found ??= find();
  return found.reason;
}

function find(): NonNullable<typeof found> {
  const { process } = globalThis as { process?: NodeModules };
  if (process?.getBuiltinModule === undefined) return { native: undefined, reason: "this is not Node" };
  const { createRequire } = process.getBuiltinModule("node:module") as { createRequire(from: string): NodeRequire };
  const require = createRequire(import.meta.url);
  try {
    const path = require.resolve("@recurra/native");
    const native = require(path) as NativePackage;
    const loaded = native.load();
    if (loaded === undefined) return { native: undefined, reason: native.whyNot() };
    const { bind } = loaded;
    return { native: { path, instructionSet: loaded.selected(), wide: loaded.lanes() > 4, bind }, reason: undefined };
  } catch {
    return { native: undefined, reason: "@recurra/native is not installed" };
  }
}

/** What a module imports: products and, by the number of enclosing scans, loops. Defines the loops' programs on the way. */
export function nativeImports(bound: BoundKernels, loops: readonly Int32Array[]): WebAssembly.ModuleImports {
  bound.clearLoops();
  for (const program of loops) bound.defineLoop(program);
  const { pack, gemm, outer, runLoop } = bound;
  return { pack, gemm, outer, runLoop0: runLoop, runLoop1: runLoop, runLoop2: runLoop };
}
