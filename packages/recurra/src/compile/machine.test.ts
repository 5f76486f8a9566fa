import { describe, expect, it } from "vitest";
import { describeMachine, measureMachine } from "./machine.ts";

describe("the machine", () => {
  it("is described as models find it", () => {
    const machine = describeMachine();
    expect(machine).toMatchObject({ engine: `Node ${process.versions.node}`, simd: true, sharedMemory: true });
    expect(machine.threads).toBeGreaterThanOrEqual(1);
    expect(machine.backend).toBe(machine.whyNotNative === undefined ? "native" : "wasm");
    expect(machine.kernels?.startsWith("native ")).toBe(machine.backend === "native");
  });

  it("is measured once for each set of kernels and number of threads", async () => {
    const { kernels, threads, relaxedSimd } = describeMachine();
    const rates = await measureMachine(10);
    const sets = new Set([kernels, ...(relaxedSimd ? ["relaxed"] : []), "plain"]);
    const counts = threads > 1 ? [1, threads] : [1];
    expect(rates.map((rate) => [rate.kernels, rate.threads])).toEqual(
      [...sets].flatMap((set) => counts.map((count) => [set, count])),
    );
    for (const { gflops } of rates) {
      expect(gflops).toBeGreaterThan(0.1);
      expect(gflops).toBeLessThan(1e5);
    }
  });
});
