/** Scans whose steps the native kernels can run, and whether shards of one thread gain by going through them side by side. */
import type { Command, Gemm, Loop, Plan, Scan } from "./plan.ts";

/** Weights of so many numbers, 2 MiB, come from beyond the second-level cache in each step. */
const farWeights = 2 ** 19;

/** The commands of a scan that the kernels may run: every row takes every step, and there are products and loops only. */
export function stepsOfKernels(scan: Scan): readonly (Gemm | Loop)[] | undefined {
  const found = scan.body.filter((command) => command.kind === "gemm" || command.kind === "loop");
  const whole = found.length === scan.body.length && scan.rows === "all" && scan.cuts === undefined;
  return whole ? found : undefined;
}

/** Whether a step of the kernels reads weights from so far away that it should read them once for several shards. */
export function sharesWeights({ packed, commands }: Plan): boolean {
  return packed === undefined && commands.some((command) => weightsOf(command) >= farWeights);
}

function weightsOf(command: Command): number {
  const steps = command.kind === "scan" ? stepsOfKernels(command) : undefined;
  return steps?.reduce((sum, step) => (step.kind === "gemm" ? sum + step.n * step.k : sum), 0) ?? 0;
}
