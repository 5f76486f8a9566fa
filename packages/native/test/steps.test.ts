/** Steps of scans that the kernels run in one call, against modules that call each product and loop of them: the same bits in the whole memory. */
import { describe, expect, it } from "vitest";
import { optimized, programOf, scopeIn } from "../../../test/support/programs.ts";
import type { NativeLoops } from "../../recurra/src/backends/wasm/emit/encodeLoop.ts";
import { emitModule } from "../../recurra/src/backends/wasm/emit/module.ts";
import { evaluate, planMemory } from "../../recurra/src/backends/wasm/memory/arena.ts";
import { lower } from "../../recurra/src/backends/wasm/plan/lower.ts";
import type { BufferId, Plan } from "../../recurra/src/backends/wasm/plan/plan.ts";
import type { AxisSizes } from "../../recurra/src/base/shapes.ts";
import { gru } from "../../recurra/src/cells/gru.ts";
import { lstmLayerNorm } from "../../recurra/src/cells/layer-norm.ts";
import { lstm } from "../../recurra/src/cells/lstm.ts";
import { lstmRecurrentDropout } from "../../recurra/src/cells/recurrent-dropout.ts";
import { sru } from "../../recurra/src/cells/sru.ts";
import { beforePlan, runPasses } from "../../recurra/src/compile/pipeline.ts";
import { recurrent } from "../../recurra/src/layers/recurrent.ts";
import type { Cell } from "../../recurra/src/trace/cell.ts";
import { mul, sumAll } from "../../recurra/src/trace/operations.ts";
import { sequenceType } from "../../recurra/src/trace/tensor.ts";
import { type Kernels, whyNot } from "../index.cjs";
import { fill, firstDifference, native, numbers, ways } from "./memories.ts";

const cells = { lstm, gru, sru, lstmLayerNorm, lstmRecurrentDropout };

function training(cell: Cell, hiddenSize: number): Plan {
  const program = programOf((trace) => {
    const x = trace.input("x", sequenceType(3));
    const scope = scopeIn(trace, {}, true);
    const below = recurrent({ cell, hiddenSize, depth: 2 }).apply(x, scope.in("below"));
    const y = recurrent({ cell, hiddenSize, direction: "both" }).apply(below, scope.in("above"));
    return { loss: sumAll(mul(y, y)) };
  });
  return lower(runPasses(optimized(program), beforePlan(undefined)));
}

/** bench/replay.mjs */
type Replay = (program: Int32Array, given: readonly number[], kernels: Kernels) => void;

interface Ran {
  readonly memory: WebAssembly.Memory;
  /** How often each kernel was called from the module. */
  readonly calls: Readonly<Record<string, number>>;
}

interface Way {
  /** In place of the kernels'. */
  readonly replay?: Replay;
  /** Shards that are computed, which have the rows of `sizes` each, and how many of them side by side. Default 1. */
  readonly shards?: number;
  readonly abreast?: number;
}

/** Runs the plan in a memory full of numbers. With "compiled" the kernels run the steps of its scans. */
function run(
  plan: Plan,
  sizes: AxisSizes,
  nativeLoops: NativeLoops,
  { replay, shards = 1, abreast = 1 }: Way = {},
): Ran {
  const axes = Object.keys(sizes);
  const placed = new Map<BufferId, number>();
  let end = 64;
  for (const buffer of Object.values(plan.params)) {
    placed.set(buffer, end);
    end += Math.ceil((evaluate(plan.buffers[buffer]!.sizes[0]!, sizes) * 4) / 64) * 64;
  }
  const { addresses, arenaBytes, shardBytes } = planMemory(plan, sizes, placed);
  const first = end + shards * arenaBytes;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((first + shards * shardBytes + 256) / 65536) });
  fill(memory, numbers(8));
  const bound = native!.bind(memory);
  const { bytes, loops } = emitModule(
    [{ name: "run", plan, addresses, absolute: new Set(), abreast: abreast > 1 }],
    axes,
    { nativeLoops },
  );
  for (const program of loops) bound.define(program);
  const calls: Record<string, number> = {};
  const counted = (name: keyof Kernels) => {
    const kernel = bound[name] as (...numbers: number[]) => void; // Of whole numbers, as those that a module imports are.
    calls[name] = 0;
    return (...given: number[]) => {
      calls[name]!++;
      kernel(...given);
    };
  };
  const names = ["pack", "gemm", "outer", "outerPair", "runLoops", "runPart", "runSteps"] as const;
  const kernels = Object.fromEntries(names.map((name) => [name, counted(name)]));
  if (replay !== undefined) kernels["runSteps"] = (handle, ...given) => replay(loops[handle!]!, given, bound);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory }, kernels });
  const computes = exports["run"] as (...numbers: number[]) => void; // The one export.
  const rows = sizes["batch"]!;
  for (let i = 0; i < shards; i += abreast) {
    const places = [end + i * arenaBytes, first + i * shardBytes, 5 + i * rows];
    computes(...Object.values(sizes), ...places, abreast, arenaBytes, shardBytes, rows);
  }
  return { memory, calls };
}

/** One product [1, 4] · [4, 16] in each step; A, B and C move by so many floats. */
function product(a: number, b: number, c: number): Int32Array {
  const size = (coefficient: number) => [coefficient, 0];
  const matrix = (address: number, step: number) => [0, address, ...size(0), ...size(0), ...size(step)];
  return Int32Array.of(2, 0, 0, 1, 1, 1, 1, ...matrix(64, a), ...matrix(1024, b), ...matrix(8192, c), 1, 0, 16, 4);
}

/** What says to `runSteps` that there is one shard. */
const one = [1, 0, 0, 0] as const;

/** One call for each scan, or one each time that it makes products ahead. */
function callsOf(plan: Plan, sizes: AxisSizes): number {
  return plan.commands.reduce((sum, command) => {
    if (command.kind !== "scan") return sum;
    if (command.ahead === undefined) return sum + 1;
    const ofStep = command.ahead.ofStep.reduce((floats, each) => floats + evaluate(each, sizes), 0);
    return sum + Math.ceil(sizes["time"]! / Math.floor(command.ahead.budget / ofStep));
  }, 0);
}

it("are called several times in the longest of these runs", () => {
  const plan = training(lstm, 33);
  expect(callsOf(plan, { batch: 5, time: 150 })).toBeGreaterThan(callsOf(plan, { batch: 5, time: 5 }));
});

describe.skipIf(native === undefined)(`native steps${native === undefined ? ` (skipped: ${whyNot()})` : ""}`, () => {
  describe.each(ways)("with $name", ({ use }) => {
    it.each([
      [16, 1, 0],
      [16, 1, 1],
      [16, 1, 5],
      [7, 3, 40],
      [33, 5, 150],
    ])("give the bits of single calls, hidden size %i, batch %i, %i timesteps", (hidden, batch, time) => {
      use();
      for (const [name, cell] of Object.entries(cells)) {
        const plan = training(cell, hidden);
        const [together, single] = (["compiled", "interpreted"] as const).map((way) => run(plan, { batch, time }, way));
        const wrong = firstDifference(together!.memory, single!.memory);
        expect.soft({ name, wrong }).toEqual({ name, wrong: -1 });
        expect(single!.calls["runSteps"]).toBe(0);
        expect
          .soft({ name, calls: together!.calls["runSteps"] })
          .toEqual({ name, calls: callsOf(plan, { batch, time }) });
      }
    });
  });

  describe.each(ways)("of shards side by side, with $name", ({ use }) => {
    it.each([
      [16, 1, 9],
      [33, 5, 150],
    ])(
      "give the bits of one shard after the other, hidden size %i, %i rows each, %i timesteps",
      (hidden, batch, time) => {
        use();
        for (const [name, cell] of Object.entries(cells)) {
          const plan = training(cell, hidden);
          const [abreast, single] = [3, 1].map((abreast) =>
            run(plan, { batch, time }, "compiled", { shards: 3, abreast }),
          );
          const wrong = firstDifference(abreast!.memory, single!.memory);
          expect.soft({ name, wrong }).toEqual({ name, wrong: -1 });
          expect.soft(3 * abreast!.calls["runSteps"]!).toBe(single!.calls["runSteps"]);
        }
      },
    );
  });

  it.each([1, 2])(
    "are replayed by the profile of the bench, command by command, %i shards side by side",
    async (shards) => {
      const { replaySteps } = (await import("../../../bench/replay.mjs" as string)) as { replaySteps: Replay };
      const plan = training(gru, 7);
      const sizes = { batch: 3, time: 20 };
      const [together, replayed] = [undefined, replaySteps].map((replay) =>
        run(plan, sizes, "compiled", { shards, abreast: shards, ...(replay === undefined ? {} : { replay }) }),
      );
      expect(firstDifference(together!.memory, replayed!.memory)).toBe(-1);
    },
  );

  it.each([1, -1])("move all matrices of a product, direction %i", (direction) => {
    const memories = [0, 1].map(() => new WebAssembly.Memory({ initial: 1 }));
    for (const memory of memories) fill(memory, numbers(2));
    const [together, single] = memories.map((memory) => native!.bind(memory)) as [Kernels, Kernels];
    const first = direction === 1 ? 2 : 6;
    together.runSteps(together.define(product(4, 64, 16)), 5, direction, ...one, 7, first);
    for (let i = 0, t = first; i < 5; i++, t += direction)
      single.gemm(64 + 16 * t, 4, 1024 + 256 * t, 8192 + 64 * t, 16, 1, 16, 4, 0);
    expect(firstDifference(memories[0]!, memories[1]!)).toBe(-1);
  });

  it("refuse programs that are not whole, handles that are no loops, and products outside the memory", () => {
    const bound = native!.bind(new WebAssembly.Memory({ initial: 1 }));
    expect(() => bound.define(product(4, 0, 0).slice(0, -1))).toThrow("not a program of a loop or of steps");
    expect(() => bound.define(Int32Array.of(2, 0, 0, 1, 1, 1, 0, 0))).toThrow("not a program of a loop or of steps");
    const near = bound.define(product(4, 0, 0));
    expect(() => bound.define(Int32Array.of(2, 0, 0, 1, 1, 1, 0, near))).toThrow("not a program of a loop or of steps");
    const far = bound.define(product(4096, 0, 0));
    expect(() => bound.runLoops(near, 1, 0, 0)).toThrow("no such loop");
    expect(() => bound.isCompiled(near)).toThrow("no such loop");
    expect(() => bound.runSteps(far + 1, 1, 1, ...one, 0, 0)).toThrow("no such steps");
    expect(() => bound.runSteps(near, 1, 1, ...one)).toThrow("lacks arguments");
    bound.runSteps(near, 4000, 1, ...one, 0, 0);
    bound.runSteps(far, 4, 1, ...one, 0, 0);
    expect(() => bound.runSteps(far, 5, 1, ...one, 0, 0)).toThrow("a product reaches outside the memory");
    expect(() => bound.runSteps(far, 2, -1, ...one, 0, 0)).toThrow("a product reaches outside the memory");
    expect(() => bound.runSteps(near, 1, 1, 9, 0, 0, 0, 0, 0)).toThrow("from 1 to 8 shards");
    expect(() => bound.runSteps(near, 1, 1, 0, 0, 0, 0, 0, 0)).toThrow("from 1 to 8 shards");
    bound.clearLoops();
    expect(() => bound.runSteps(near, 1, 1, ...one, 0, 0)).toThrow("no such steps");
  });
});
