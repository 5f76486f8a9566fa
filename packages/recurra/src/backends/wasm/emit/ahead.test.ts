import { describe, expect, it } from "vitest";
import { backends, feedsFor, optimized, programOf, runWasm, scopeIn } from "../../../../../../test/support/programs.ts";
import { gru } from "../../../cells/gru.ts";
import { beforeGradient, runPasses } from "../../../compile/pipeline.ts";
import { recurrent } from "../../../layers/recurrent.ts";
import { mul, sumAll } from "../../../trace/operations.ts";
import { sequenceType } from "../../../trace/tensor.ts";
import { wholePages } from "../code/instantiate.ts";
import { planMemory } from "../memory/arena.ts";
import { lower } from "../plan/lower.ts";
import type { Command, Scan } from "../plan/plan.ts";
import { emitModule } from "./module.ts";

const hiddenSize = 8;
/** Products of 3 · 8 columns: there is room for those of 170 steps at once. */
const sizes = { batch: 16, time: 700 };

const equations = programOf((trace) => {
  const layer = recurrent({ cell: gru, hiddenSize, direction: "both" });
  const y = layer.apply(trace.input("x", sequenceType(3)), scopeIn(trace));
  return { y, loss: sumAll(mul(y, y)) };
});
const program = runPasses(equations, beforeGradient);
const feeds = (at: typeof sizes) => feedsFor(program, at, 7, {}, 0.3);

const scansOf = (commands: readonly Command[]) =>
  commands.filter((command): command is Scan => command.kind === "scan");

describe("products that a scan reads step by step", () => {
  it("are made by the scan itself, and take no more memory for a longer sequence", () => {
    const plan = lower(program);
    expect(scansOf(plan.commands).map(({ ahead }) => ahead?.products.length)).toEqual([1, 1]);
    expect(plan.commands.filter(({ kind }) => kind === "gemm")).toEqual([]);
    const [product] = scansOf(plan.commands)[0]!.ahead!.products;
    const alone = { ...plan, buffers: [plan.buffers[product!.c.access.buffer]!], commands: [] };
    const bytes = (time: number) => {
      const inOutput = { ...alone, buffers: alone.buffers.map((buffer) => ({ ...buffer, role: "output" as const })) };
      return planMemory(inOutput, { batch: 16, time }, new Map()).shardBytes;
    };
    expect(bytes(2)).toBe(2 * 16 * 3 * hiddenSize * 4);
    expect(bytes(10_000)).toBe(bytes(700));
  });

  it.each([true, false])("have the bits of a batch whose products are made all at once (strict: %s)", (strict) => {
    const given = feeds(sizes);
    const all = runWasm(program, given, sizes, strict).y!;
    const perRow = all.length / sizes.batch;
    const x = given["x"] as Float32Array; // feedsFor makes typed arrays.
    const oneRow = { ...given, x: x.subarray(5 * 3 * sizes.time, 6 * 3 * sizes.time) };
    expect(runWasm(program, oneRow, { ...sizes, batch: 1 }, strict).y).toEqual(all.subarray(5 * perRow, 6 * perRow));
  });

  it("are made so in training too, where the way back does not read them", () => {
    const scans = scansOf(lower(optimized(equations)).commands);
    expect(scans.map(({ ahead }) => ahead?.products.length)).toEqual([1, 1, undefined, undefined]);
  });

  it("span nearly the same number of steps, however many there are", () => {
    const plan = lower(program);
    const { addresses, shardBytes, arenaBytes } = planMemory(plan, sizes, new Map());
    const { bytes } = emitModule([{ name: "run", plan, addresses, absolute: new Set() }], ["batch", "time"]);
    const rows: number[] = [];
    const kernels = {
      pack: () => undefined,
      gemm: (...numbers: number[]) => numbers[6] === 3 * hiddenSize && numbers[7] === 3 && rows.push(numbers[5]!),
      outer: () => undefined,
    };
    const memory = new WebAssembly.Memory({ initial: wholePages(shardBytes + arenaBytes + 65536) / 65536 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory }, kernels });
    const run = exports["run"] as (...numbers: number[]) => void; // The module exports functions of numbers only.
    const stepsOf = (time: number) => {
      rows.length = 0;
      run(sizes.batch, time, 65536, 65536 + arenaBytes, 0);
      return rows.slice(0, rows.length / 2).map((count) => count / sizes.batch); // Of the first direction.
    };
    expect(stepsOf(700)).toEqual([140, 140, 140, 140, 140]);
    expect(stepsOf(171)).toEqual([86, 85]);
    expect(stepsOf(170)).toEqual([170]);
    expect(stepsOf(1)).toEqual([1]);
  });

  it.each(backends)("of no rows or no steps are nothing ($name)", ({ run }) => {
    expect(run(program, feeds({ batch: 0, time: 4 }), { batch: 0, time: 4 }).y).toHaveLength(0);
    expect(run(program, feeds({ batch: 2, time: 0 }), { batch: 2, time: 0 }).y).toHaveLength(0);
  });
});
