import { describe, expect, it } from "vitest";
import { fakeCommand } from "../../test-support/command.ts";
import { fakeMachine, fakeRates } from "../../test-support/fakes.ts";

const cli = fakeCommand();
const { lines, run } = cli;

describe("recurra doctor", () => {
  it("says what there is, what is used and how fast it is", async () => {
    expect(await run("doctor")).toBe(0);
    expect(cli.io.out()).toMatchInlineSnapshot(`
      "engine       Node 24.1.0
      processor    Engine No. 1, 4 cores
      WebAssembly  SIMD yes, relaxed SIMD yes, shared memory yes
      threads      4 for a large batch
      kernels      native avx512

      GFLOP/s, measured now  1 thread  up to 4
      native avx512             143.0    480.1
      WebAssembly, SIMD         24.50    90.00
      "
    `);
    expect(cli.io.err()).toBe("");
  });

  it("says why native kernels are missing and how to get them", async () => {
    const whyNotNative = {
      kind: "not installed",
      reason: "@recurra/native is not installed",
      mend: "npm install @recurra/native",
    } as const;
    const machine = { ...fakeMachine, backend: "wasm", kernels: "relaxed", whyNotNative, threads: 1 } as const;
    cli.library = {
      ...cli.library,
      describeMachine: () => ({ ...machine, threadsAsked: "1" }),
      measureMachine: async () => [],
    };
    expect(await run("doctor")).toBe(0);
    expect(cli.io.out()).toMatchInlineSnapshot(`
      "engine             Node 24.1.0
      processor          Engine No. 1, 4 cores
      WebAssembly        SIMD yes, relaxed SIMD yes, shared memory yes
      threads            one, for every batch; RECURRA_THREADS is 1
      kernels            WebAssembly, relaxed SIMD
      no native kernels  @recurra/native is not installed
      hint               npm install @recurra/native

      "
    `);
  });

  it("gives all of it as one JSON object", async () => {
    expect(await run("doctor", "--json")).toBe(0);
    expect(lines().map((line) => JSON.parse(line))).toEqual([
      JSON.parse(JSON.stringify({ event: "machine", ...fakeMachine, rates: fakeRates })),
    ]);
  });
});
