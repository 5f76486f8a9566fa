/** Sets of kernels by the names people read. */
import type { KernelSet } from "recurra/inspect";

/** "native avx512", "WebAssembly, relaxed SIMD". */
export function kernelName(kernels: KernelSet): string {
  if (kernels === "plain") return "WebAssembly, SIMD";
  return kernels === "relaxed" ? "WebAssembly, relaxed SIMD" : kernels;
}
