/** The shell around a compiled module: memory, kernels and instances. It decides nothing but which kernels the engine can run. */
import { UnsupportedError } from "../../base/errors.ts";
import { type Arithmetic, kernelModule } from "./kernels.ts";

const pageBytes = 65536;
const largestPages = 65536;

/** Whether the engine has relaxed SIMD (fused multiply-add). */
export function bestArithmetic(): Arithmetic {
  return WebAssembly.validate(kernelModule("relaxed")) ? "relaxed" : "plain";
}

const compiledKernels = new Map<Arithmetic, WebAssembly.Module>();

/** Compiled once per process. @throws UnsupportedError where there is no WebAssembly SIMD. */
export function kernels(arithmetic: Arithmetic): WebAssembly.Module {
  const known = compiledKernels.get(arithmetic);
  if (known !== undefined) return known;
  const bytes = kernelModule(arithmetic);
  if (!WebAssembly.validate(bytes)) {
    throw new UnsupportedError({
      where: "this JavaScript engine",
      given: `without ${arithmetic === "plain" ? "WebAssembly SIMD" : "relaxed WebAssembly SIMD"}`,
      expected: "Node 20.19 or later, or a browser of 2023 or later",
      mend: "update the engine",
    });
  }
  const module = new WebAssembly.Module(bytes);
  compiledKernels.set(arithmetic, module);
  return module;
}

export function createMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.max(1, Math.ceil(bytes / pageBytes));
  if (pages > largestPages) {
    throw new UnsupportedError({
      where: "the model's memory",
      given: `${(bytes / 2 ** 30).toFixed(1)} GiB`,
      expected: "at most 4 GiB, the address space of WebAssembly",
      mend: "use a smaller batch, shorter sequences or a smaller model",
    });
  }
  return new WebAssembly.Memory({ initial: pages });
}

/** Exported functions by name. */
export function instantiate(
  bytes: Uint8Array<ArrayBuffer>,
  memory: WebAssembly.Memory,
  arithmetic: Arithmetic,
): ReadonlyMap<string, (...sizes: readonly number[]) => void> {
  const kernelInstance = new WebAssembly.Instance(kernels(arithmetic), { env: { memory } });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: { memory },
    kernels: kernelInstance.exports,
  });
  // The module exports its programs and nothing else.
  return new Map(Object.entries(instance.exports) as [string, (...sizes: readonly number[]) => void][]);
}
