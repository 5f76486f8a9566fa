/** What this machine and engine offer, and how fast its kernels multiply: found and measured here, shown by whoever asks. */
import { kernelModule } from "../backends/wasm/code/kernels.ts";
import type { Program } from "../ir/nodes.ts";
import { matmul } from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import { Trace, vectorType } from "../trace/tensor.ts";
import { Executable } from "./executable.ts";
import { type KernelSet, type NativeAbsence, nativeKernels, whyNotNative } from "./native.ts";
import { mostShards } from "./shards.ts";
import { threadPool } from "./threads.ts";

export interface Machine {
  /** "Node 24.1.0", or what a browser calls itself. */
  readonly engine: string;
  /** The processor's own name; undefined where the engine does not tell. */
  readonly processor: string | undefined;
  /** Processors this process may use. */
  readonly cores: number;
  readonly simd: boolean;
  /** Fused multiply-adds in WebAssembly. */
  readonly relaxedSimd: boolean;
  readonly sharedMemory: boolean;
  /** That take part in a large batch, the calling one included: no more than a batch has parts. */
  readonly threads: number;
  /** What RECURRA_THREADS says, if anything. */
  readonly threadsAsked: string | undefined;
  readonly backend: "native" | "wasm";
  /** What models use here that do not ask for `strict`; undefined where there is no SIMD, and nothing runs. */
  readonly kernels: KernelSet | undefined;
  /** Why there are no native kernels; undefined where there are. */
  readonly whyNotNative: NativeAbsence | undefined;
}

/** A rate of matrix products. */
export interface Rate {
  readonly kernels: KernelSet;
  /** At most so many: a model stays on one where that is faster. */
  readonly threads: number;
  /** 10⁹ multiplications and additions a second. */
  readonly gflops: number;
}

export function describeMachine(): Machine {
  const simd = WebAssembly.validate(kernelModule("plain"));
  const relaxedSimd = WebAssembly.validate(kernelModule("relaxed"));
  const native = nativeKernels();
  const wasm = relaxedSimd ? "relaxed" : "plain";
  return {
    ...host(),
    simd,
    relaxedSimd,
    sharedMemory: sharesMemory(),
    threads: Math.min(mostShards, threadPool()?.size ?? 1),
    backend: native === undefined ? "wasm" : "native",
    kernels: simd ? (native === undefined ? wasm : `native ${native.instructionSet}`) : undefined,
    whyNotNative: whyNotNative(),
  };
}

interface NodeProcess {
  readonly versions?: { readonly node?: string };
  readonly env?: Readonly<Record<string, string | undefined>>;
  getBuiltinModule?(name: string): unknown;
}

interface OperatingSystem {
  cpus(): readonly { readonly model: string }[];
  availableParallelism(): number;
}

interface Navigator {
  readonly userAgent?: string;
  readonly hardwareConcurrency?: number;
}

function host(): Pick<Machine, "engine" | "processor" | "cores" | "threadsAsked"> {
  const { process, navigator } = globalThis as { process?: NodeProcess; navigator?: Navigator };
  if (process?.getBuiltinModule === undefined)
    return {
      engine: navigator?.userAgent ?? "unknown",
      processor: undefined,
      cores: navigator?.hardwareConcurrency ?? 1,
      threadsAsked: undefined,
    };
  const os = process.getBuiltinModule("node:os") as OperatingSystem;
  return {
    engine: `Node ${process.versions?.node}`,
    processor: os.cpus()[0]?.model.trim(),
    cores: os.availableParallelism(),
    threadsAsked: process.env?.["RECURRA_THREADS"],
  };
}

/** A page may share memory only when it is isolated from other origins. */
function sharesMemory(): boolean {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  return typeof SharedArrayBuffer !== "undefined" && crossOriginIsolated !== false;
}

/** Of the square product that is measured, and of its batch: 8 shards of 32 rows. */
const size = 256;
const batch = 256;
const timesteps = 8;
/** Calls before a choice of threads is settled, see pace.ts; they are not counted. */
const settling = 12;

/**
 * Rates of the recurrent product [256, 256]·[256] of a batch of 256, with each set of kernels there is, on one thread and on all.
 * Each is the median of the calls of `milliseconds`, by default so that all together take about a second.
 */
export async function measureMachine(milliseconds?: number): Promise<readonly Rate[]> {
  const { simd, relaxedSimd, threads, backend } = describeMachine();
  if (!simd) return [];
  const kinds = [
    ...(backend === "native" ? [{}] : []),
    ...(relaxedSimd ? [{ native: false }] : []),
    { strict: true },
  ] as const;
  const counts = threads > 1 ? [1, threads] : [1];
  const each = milliseconds ?? 750 / (kinds.length * counts.length);
  const rates: Rate[] = [];
  for (const options of kinds)
    for (const count of counts)
      rates.push(await rate(new Executable({ product: product() }, { ...options, threads: count }), count, each));
  return rates;
}

async function rate(executable: Executable, threads: number, milliseconds: number): Promise<Rate> {
  const sizes = { batch, time: timesteps };
  const inputs = { h: new Float32Array(batch * size), x: new Float32Array(batch * timesteps) };
  const call = () => {
    const started = performance.now();
    executable.call("product", sizes, inputs);
    return performance.now() - started;
  };
  call();
  const deadline = performance.now() + 500;
  while (executable.threadsReady < threads && performance.now() < deadline) await turn();
  for (let i = 0; i < settling; i++) call();
  const times: number[] = [];
  for (const end = performance.now() + milliseconds; performance.now() < end || times.length < 3; ) times.push(call());
  times.sort((a, b) => a - b);
  const operations = 2 * size * size * batch * timesteps;
  return { kernels: executable.footprint.kernels, threads, gflops: operations / times[times.length >> 1]! / 1e6 };
}

/** h ← R·h, once for each timestep. */
function product(): Program {
  const trace = new Trace();
  const weight = trace.param("R", [size, size]);
  const { final } = scan({
    initial: { h: trace.input("h", vectorType(size)) },
    sequences: { x: trace.input("x", { axes: ["batch", "time"], shape: [1] }) },
    step: ({ h }) => ({ next: { h: matmul(weight, h) }, outputs: {} }),
  });
  return { graph: trace.builder.finish(), outputs: { h: final.h.id }, updates: {} };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
