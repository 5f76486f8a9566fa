/** The native kernels of @recurra/native, where they are installed: looked for at run time, in Node only. */

import type { Arithmetic } from "../backends/wasm/code/tile.ts";
import type { NativeLoops } from "../backends/wasm/emit/encodeLoop.ts";

/** Kernels bound to one memory: functions of whole numbers that a WebAssembly module can import. */
export interface BoundKernels {
  readonly pack: WebAssembly.ImportValue;
  readonly gemm: WebAssembly.ImportValue;
  readonly outer: WebAssembly.ImportValue;
  readonly outerPair: WebAssembly.ImportValue;
  readonly runLoops: WebAssembly.ImportValue;
  readonly runPart: WebAssembly.ImportValue;
  readonly runSteps: WebAssembly.ImportValue;
  readonly sumShards: WebAssembly.ImportValue;
  /** Numbers [outer, inner, features], from element `from` of the source on, into the memory as [inner, outer, features]. */
  readonly turnIn: TurnIn;
  readonly define: (program: Int32Array) => number;
  readonly clearLoops: () => void;
  readonly rebind: () => void;
}

export type TurnIn = (
  source: Float32Array,
  from: number,
  target: number,
  outer: number,
  inner: number,
  features: number,
) => void;

interface LoadedKernels {
  bind(memory: WebAssembly.Memory): BoundKernels;
  lanes(): number;
  compilesLoops(): boolean;
  selected(): string;
}

interface NativePackage {
  load(): LoadedKernels | undefined;
  whyNot(): string | undefined;
}

export interface NativeKernels {
  /** Where workers load the same package from. */
  readonly path: () => string;
  /** "avx512", "avx2", "neon" or "portable". */
  readonly instructionSet: string;
  /** How they run loops; undefined where their vectors are as narrow as WebAssembly's, so that loops gain nothing. */
  readonly loops: NativeLoops | undefined;
  readonly bind: (memory: WebAssembly.Memory) => BoundKernels;
}

export type KernelSet = Arithmetic | `native ${string}`;

/** Why there are no native kernels. */
export interface NativeAbsence {
  /** Refused by RECURRA_NATIVE=0; a package that is not there; one that is there and does not load; an engine that has no such thing. */
  readonly kind: "refused" | "not installed" | "broken" | "not Node";
  /** In words, with the message of what failed. */
  readonly reason: string;
  /** How to get them; undefined where nothing would help. */
  readonly mend: string | undefined;
}

type Found =
  | { readonly native: NativeKernels; readonly absence: undefined }
  | { readonly native: undefined; readonly absence: NativeAbsence };

interface NodeProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  getBuiltinModule?(name: string): unknown;
}

export interface NodeRequire {
  (name: string): unknown;
  resolve(name: string): string;
}

const packageName = "@recurra/native";
const rebuild = `run \`npm rebuild ${packageName}\` where a C compiler (cc, gcc or clang) is`;

let found: Found | undefined;

/** The kernels, or undefined: `whyNotNative` then says why. Looked for once. */
export function nativeKernels(): NativeKernels | undefined {
  found ??= find();
  return found.native;
}

export function whyNotNative(): NativeAbsence | undefined {
  found ??= find();
  return found.absence;
}

function find(): Found {
  const { process } = globalThis as { process?: NodeProcess };
  if (process?.getBuiltinModule === undefined)
    return absent("not Node", "native kernels are for Node; this is another engine", undefined);
  const { createRequire } = process.getBuiltinModule("node:module") as { createRequire(from: string): NodeRequire };
  return findNative(process.env, () => createRequire(import.meta.url));
}

/** Looks for the kernels from where `makeRequire` does. */
export function findNative(env: NodeProcess["env"], makeRequire: () => NodeRequire): Found {
  if (env["RECURRA_NATIVE"] === "0")
    return absent("refused", "switched off by RECURRA_NATIVE=0", "unset RECURRA_NATIVE to use them");
  try {
    const require = makeRequire();
    const native = require(packageName) as NativePackage;
    const loaded = native.load();
    if (loaded === undefined) return absent("broken", `${packageName}: ${native.whyNot()}`, rebuild);
    const { bind } = loaded;
    const loops = loaded.compilesLoops() ? "compiled" : loaded.lanes() > 4 ? "interpreted" : undefined;
    // Only threads ask for the path, and a package that is resolved and required is looked for twice.
    const path = () => require.resolve(packageName);
    return { native: { path, instructionSet: loaded.selected(), loops, bind }, absence: undefined };
  } catch (cause) {
    if (isMissing(cause))
      return absent("not installed", `${packageName} is not installed`, `npm install ${packageName}`);
    const message = cause instanceof Error ? cause.message : String(cause);
    return absent("broken", `${packageName} could not be loaded: ${message}`, rebuild);
  }
}

function absent(kind: NativeAbsence["kind"], reason: string, mend: string | undefined): Found {
  return { native: undefined, absence: { kind, reason, mend } };
}

/** The package itself is not found. One that is there and lacks a file of its own has the same code and another name. */
function isMissing(cause: unknown): boolean {
  if (!(cause instanceof Error) || !("code" in cause) || cause.code !== "MODULE_NOT_FOUND") return false;
  return cause.message.includes(`'${packageName}'`);
}

/** The kernels that take the place of those in WebAssembly. Defines its programs on the way. */
export function nativeImports(bound: BoundKernels, loops: readonly Int32Array[]): WebAssembly.ModuleImports {
  bound.clearLoops();
  for (const program of loops) bound.define(program);
  const { pack, gemm, outer, outerPair, runLoops, runPart, runSteps, sumShards } = bound;
  return { pack, gemm, outer, outerPair, runLoops, runPart, runSteps, sumShards };
}
