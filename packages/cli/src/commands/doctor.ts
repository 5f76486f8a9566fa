/** `recurra doctor`: what this machine offers, what recurra uses of it, and how fast that multiplies. */
import type { KernelSet, Machine, Rate } from "recurra/inspect";
import { type Context, exitCodes } from "../library.ts";
import { kernelName } from "../report/kernels.ts";
import { alignTable, counted, short } from "../report/numbers.ts";

export interface DoctorFlags {
  readonly json?: boolean;
}

export async function doctor(flags: DoctorFlags, { io, library }: Context): Promise<number> {
  const machine = library.describeMachine();
  const rates = await library.measureMachine();
  io.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ event: "machine", ...machine, rates })}\n`
      : `${describe(machine)}\n${rateTable(rates)}`,
  );
  return exitCodes.done;
}

function describe(machine: Machine): string {
  const { engine, processor, cores, simd, relaxedSimd, sharedMemory, kernels, whyNotNative } = machine;
  const missing = whyNotNative === undefined ? [] : [["no native kernels", whyNotNative.reason]];
  const hint = whyNotNative?.mend === undefined ? [] : [["hint", whyNotNative.mend]];
  const rows = [
    ["engine", engine],
    ["processor", `${processor ?? "not told by the engine"}, ${counted(cores, "core")}`],
    ["WebAssembly", `SIMD ${yes(simd)}, relaxed SIMD ${yes(relaxedSimd)}, shared memory ${yes(sharedMemory)}`],
    ["threads", threadsInWords(machine)],
    ["kernels", kernels === undefined ? "none: this engine has no WebAssembly SIMD, update it" : kernelName(kernels)],
    ...missing,
    ...hint,
  ];
  const width = Math.max(...rows.map(([name]) => name!.length));
  return rows.map(([name, value]) => `${name!.padEnd(width)}  ${value}\n`).join("");
}

function threadsInWords({ threads, threadsAsked }: Machine): string {
  const asked = threadsAsked === undefined ? "" : `; RECURRA_THREADS is ${threadsAsked}`;
  return `${threads === 1 ? "one, for every batch" : `${threads} for a large batch`}${asked}`;
}

function yes(there: boolean): string {
  return there ? "yes" : "no";
}

function rateTable(rates: readonly Rate[]): string {
  const threads = [...new Set(rates.map((rate) => rate.threads))];
  const rateOf = (kernels: KernelSet, count: number) =>
    rates.find((rate) => rate.kernels === kernels && rate.threads === count)?.gflops;
  const rows = [...new Set(rates.map(({ kernels }) => kernels))].map((kernels) => [
    kernelName(kernels),
    ...threads.map((count) => short(rateOf(kernels, count) ?? Number.NaN)),
  ]);
  const heading = threads.map((count) => (count === 1 ? "1 thread" : `up to ${count}`));
  return rows.length === 0 ? "" : alignTable([["GFLOP/s, measured now", ...heading], ...rows]);
}
