/** The shell around a compiled module: memory, kernels and instances. It decides nothing but which kernels the engine can run. */
import { UnsupportedError } from "../../../base/errors.ts";
import { kernelModule, relaxedProbe } from "./kernels.ts";
import type { Arithmetic } from "./tile.ts";

const pageBytes = 65536;
const largestPages = 65536;

let hasRelaxed: boolean | undefined;

/** Whether the engine has relaxed SIMD (fused multiply-add). */
export function bestArithmetic(): Arithmetic {
  hasRelaxed ??= WebAssembly.validate(relaxedProbe());
  return hasRelaxed ? "relaxed" : "plain";
}

const compiledKernels = new Map<string, WebAssembly.Module>();

/**
 * Compiled once per process; `arithmetic` undefined leaves out what native kernels do.
 * @throws UnsupportedError where there is no WebAssembly SIMD.
 */
export function kernels(arithmetic: Arithmetic | undefined, shared: boolean): WebAssembly.Module {
  const key = `${arithmetic} ${shared}`;
  const known = compiledKernels.get(key);
  if (known !== undefined) return known;
  const module = compileKernels(arithmetic, shared);
  compiledKernels.set(key, module);
  return module;
}

function compileKernels(arithmetic: Arithmetic | undefined, shared: boolean): WebAssembly.Module {
  try {
    return new WebAssembly.Module(kernelModule(arithmetic, shared));
  } catch (cause) {
    throw new UnsupportedError({
      where: "this JavaScript engine",
      given: `without ${arithmetic === "relaxed" ? "relaxed WebAssembly SIMD" : "WebAssembly SIMD"}`,
      expected: "Node 20.19 or later, or a browser of 2023 or later",
      mend: "update the engine",
      cause,
    });
  }
}

export function createMemory(bytes: number, shared: boolean): WebAssembly.Memory {
  const pages = Math.max(1, Math.ceil(bytes / pageBytes));
  if (pages > largestPages) throw tooLarge(bytes);
  return new WebAssembly.Memory(shared ? { initial: pages, maximum: largestPages, shared } : { initial: pages });
}

/** Bytes of the pages that hold so many. */
export function wholePages(bytes: number): number {
  return Math.ceil(bytes / pageBytes) * pageBytes;
}

/** Makes the memory at least `bytes` long. Views of an unshared memory are void afterwards. */
export function growMemory(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing <= 0) return;
  try {
    memory.grow(Math.ceil(missing / pageBytes));
  } catch (cause) {
    throw tooLarge(bytes, cause);
  }
}

function tooLarge(bytes: number, cause?: unknown): UnsupportedError {
  return new UnsupportedError({
    where: "the model's memory",
    given: `${(bytes / 2 ** 30).toFixed(2)} GiB`,
    expected: "what the engine can give, at most 4 GiB, the address space of WebAssembly",
    mend: "use a smaller batch, shorter sequences or a smaller model",
    cause,
  });
}

export type Exported = (...numbers: readonly number[]) => void;

export interface Instantiated {
  readonly programs: ReadonlyMap<string, Exported>;
  /** Adds up the shards: address of the first one's numbers, bytes to the next, first element, end, how many shards. */
  readonly sumShards: Exported;
  /** Numbers at the first address, [outer, inner, features], to the second as [inner, outer, features]. Then the three sizes. */
  readonly turn: Exported;
}

/** `native`: the kernels, where they are not WebAssembly. What is left for WebAssembly is then compiled when it is first called. */
export function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  kernelModule: () => WebAssembly.Module,
  native?: WebAssembly.ModuleImports,
): Instantiated {
  let own: Record<string, Exported> | undefined;
  const kernelExports = () => {
    // The modules export functions of numbers and nothing else.
    own ??= new WebAssembly.Instance(kernelModule(), { env: { memory } }).exports as Record<string, Exported>;
    return own;
  };
  const instance = new WebAssembly.Instance(module, { env: { memory }, kernels: native ?? kernelExports() });
  const programs = new Map(Object.entries(instance.exports) as [string, Exported][]);
  if (native === undefined) {
    const { sumShards, turn } = kernelExports();
    return { programs, sumShards: sumShards!, turn: turn! };
  }
  const { sumShards } = native as Record<string, Exported>; // A function of numbers like those of the modules.
  return { programs, sumShards: sumShards!, turn: (...numbers) => kernelExports()["turn"]!(...numbers) };
}
