/** Loops of the native interpreter against the WebAssembly functions of the same loops: the same bits in the whole memory. */
import { describe, expect, it } from "vitest";
import { kindCases } from "../../../test/support/kinds.ts";
import { optimized, programOf, scopeIn } from "../../../test/support/programs.ts";
import { ModuleAssembler } from "../../recurra/src/backends/wasm/code/assembler.ts";
import type { EmitContext } from "../../recurra/src/backends/wasm/emit/address.ts";
import { encodeLoop } from "../../recurra/src/backends/wasm/emit/encodeLoop.ts";
import { emitLoop } from "../../recurra/src/backends/wasm/emit/loop.ts";
import { evaluate, planMemory } from "../../recurra/src/backends/wasm/memory/arena.ts";
import { lower } from "../../recurra/src/backends/wasm/plan/lower.ts";
import type { Access, BufferId, Command, Loop, LoopOp, Plan } from "../../recurra/src/backends/wasm/plan/plan.ts";
import { size } from "../../recurra/src/backends/wasm/plan/plan.ts";
import type { AxisSizes } from "../../recurra/src/base/shapes.ts";
import { gru } from "../../recurra/src/cells/gru.ts";
import { lstm } from "../../recurra/src/cells/lstm.ts";
import { beforePlan, runPasses } from "../../recurra/src/compile/pipeline.ts";
import type { BinaryKind, Node, Program, UnaryKind } from "../../recurra/src/ir/nodes.ts";
import { recurrent } from "../../recurra/src/layers/recurrent.ts";
import { mul, sumAll } from "../../recurra/src/trace/operations.ts";
import { sequenceType } from "../../recurra/src/trace/tensor.ts";
import { whyNot } from "../index.cjs";
import { fill, firstDifference, native, numbers, ways } from "./memories.ts";

interface Found {
  readonly loop: Loop;
  readonly steps: readonly string[];
}

function loopsOf(commands: readonly Command[], steps: readonly string[] = []): Found[] {
  return commands.flatMap((command) =>
    command.kind === "scan"
      ? loopsOf(command.body, [...steps, command.axis])
      : command.kind === "loop"
        ? [{ loop: command, steps }]
        : [],
  );
}

interface Comparison {
  readonly compared: number;
  /** Loops that encodeLoop left to WebAssembly. */
  readonly left: number;
}

function compareLoops(plan: Plan, sizes: AxisSizes, seed: number, set: string): Comparison {
  const axes = Object.keys(sizes);
  const placed = new Map<BufferId, number>();
  let end = 64;
  for (const buffer of Object.values(plan.params)) {
    placed.set(buffer, end);
    end += Math.ceil((evaluate(plan.buffers[buffer]!.sizes[0]!, sizes) * 4) / 64) * 64;
  }
  const layout = planMemory(plan, sizes, placed);
  const arena = end;
  const shard = arena + layout.arenaBytes;
  const firstRow = seed % 5;
  const pages = Math.ceil((shard + layout.shardBytes + 256) / 65536);
  const baseOf = (buffer: BufferId) => {
    const { role } = plan.buffers[buffer]!;
    return role === "param" ? 0 : role === "temporary" ? 1 : 2;
  };
  const [ours, theirs] = [new WebAssembly.Memory({ initial: pages }), new WebAssembly.Memory({ initial: pages })];
  const bound = native!.bind(ours);
  const contents = [numbers(seed), numbers(seed + 1)];
  let left = 0;
  let compared = 0;
  for (const { loop, steps } of loopsOf(plan.commands)) {
    const addressOf = (buffer: number) => layout.addresses[buffer]!;
    const program = encodeLoop(loop, { addressOf, baseOf, axes, steps });
    if (program === undefined) {
      left++;
      continue;
    }
    const module = new ModuleAssembler();
    const globals = new Map(axes.map((axis) => [axis, module.global()]));
    const bases = [module.global(), module.global(), module.global()];
    const count = axes.length + bases.length + steps.length;
    module.function(
      "loop",
      Array.from({ length: count }, () => 0x7f as const),
      (code) => {
        for (const [i, axis] of axes.entries()) code.get(code.parameter(i)).setGlobal(globals.get(axis)!);
        for (const [i, global] of bases.entries()) code.get(code.parameter(axes.length + i)).setGlobal(global);
        const context: EmitContext = {
          module,
          addressOf,
          baseOf: (buffer) => [undefined, bases[0], bases[1]][baseOf(buffer)],
          sizeGlobal: (axis) => globals.get(axis)!,
          firstRow: bases[2]!,
        };
        emitLoop(code, context, loop, new Map(steps.map((axis, i) => [axis, code.parameter(axes.length + 3 + i)])));
      },
    );
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory: theirs } });
    const wasm = instance.exports.loop as (...values: number[]) => void; // The module exports this one function.
    const handle = bound.define(program);
    // The body of a scan without steps is never run.
    if (steps.some((axis) => sizes[axis] === 0)) continue;
    for (const last of [0, 1]) {
      const now = steps.map((axis) => Math.max(0, last * (sizes[axis]! - 1)));
      fill(ours, contents[last]!);
      fill(theirs, contents[last]!);
      const values = [...axes.map((axis) => sizes[axis]!), arena, shard, firstRow, ...now];
      wasm(...values);
      bound.runLoops(handle, 1, ...values);
      const wrong = firstDifference(ours, theirs);
      if (wrong >= 0) {
        const show = (memory: WebAssembly.Memory) => new Float32Array(memory.buffer)[wrong];
        expect.fail(
          `${set}, ${JSON.stringify(sizes)}, float ${wrong}: ${show(ours)}, WebAssembly has ${show(theirs)}\n${JSON.stringify(loop)}`,
        );
      }
      compared++;
    }
  }
  return { compared, left };
}

function planOf(program: Program): Plan {
  return lower(runPasses(program, beforePlan(undefined)));
}

function training(cell: typeof lstm, hidden: number): Plan {
  return planOf(
    optimized(
      programOf((trace) => {
        const x = trace.input("x", sequenceType(3));
        const y = recurrent({ cell, hiddenSize: hidden }).apply(x, scopeIn(trace));
        return { loss: sumAll(mul(y, y)) };
      }),
    ),
  );
}

const unaries: readonly UnaryKind[] = [
  "neg",
  "exp",
  "log",
  "tanh",
  "sigmoid",
  "abs",
  "sqrt",
  "sign",
  "floor",
  "sin",
  "cos",
];
const binaries: readonly BinaryKind[] = ["add", "sub", "mul", "div", "max", "min", "less", "equal"];

/** Every op over two inputs, each result stored on its own. */
function everyOp(count: number): Plan {
  const buffer = (id: number): Access => ({
    buffer: id as Access["buffer"],
    offset: 0,
    start: size(0),
    strides: { "#1": size(1) },
  });
  const computed: LoopOp[] = [
    ...unaries.map((op): LoopOp => ({ kind: "unary", op, x: 0 })),
    ...binaries.map((op): LoopOp => ({ kind: "binary", op, a: 0, b: 1 })),
    { kind: "select", condition: 0, a: 1, b: 0 },
  ];
  const ops: LoopOp[] = [{ kind: "load", access: buffer(0) }, { kind: "load", access: buffer(1) }, ...computed];
  const loop: Loop = {
    kind: "loop",
    dims: [{ name: "#1", size: size(count) }],
    ops,
    stores: computed.map((_, i) => ({ value: i + 2, access: buffer(i + 2) })),
    reductions: [],
  };
  const buffers = ops.map((_, i) => ({
    name: `${i}`,
    sizes: [size(count)],
    role: "input" as const,
    home: undefined,
  }));
  return { buffers, commands: [loop], inputs: {}, params: {}, outputs: {} };
}

describe.skipIf(native === undefined)(`native loops${native === undefined ? ` (skipped: ${whyNot()})` : ""}`, () => {
  describe.each(ways)("with $name", ({ name, use }) => {
    it.each([1, 2, 7, 16, 31, 511, 513, 5000])(
      "give the bits of WebAssembly for every op over %i elements",
      (count) => {
        use();
        const plan = everyOp(count);
        for (let seed = 0; seed < 6; seed += 2) expect(compareLoops(plan, {}, seed, name).compared).toBe(2);
      },
    );

    it("give the bits of WebAssembly for the unary ops over the whole range of floats", () => {
      use();
      const count = 1 << 17;
      const access = (id: number): Access => ({
        buffer: id as Access["buffer"],
        offset: 0,
        start: size(0),
        strides: { "#1": size(1) },
      });
      for (const op of unaries) {
        const loop: Loop = {
          kind: "loop",
          dims: [{ name: "#1", size: size(count) }],
          ops: [
            { kind: "load", access: access(0) },
            { kind: "unary", op, x: 0 },
          ],
          stores: [{ value: 1, access: access(1) }],
          reductions: [],
        };
        const memories = [0, 1].map(() => new WebAssembly.Memory({ initial: 17 }));
        const input = Int32Array.from({ length: count }, (_, i) => Math.imul(i, 0x8003) ^ (i << 15));
        for (const memory of memories) new Int32Array(memory.buffer, 0, count).set(input);
        const addressOf = (buffer: number) => buffer * count * 4;
        const module = new ModuleAssembler();
        const context: EmitContext = {
          module,
          addressOf,
          baseOf: () => undefined,
          sizeGlobal: () => 0,
          firstRow: module.global(),
        };
        module.function("loop", [], (code) => emitLoop(code, context, loop, new Map()));
        const env = { memory: memories[0]! };
        const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env });
        (instance.exports.loop as () => void)(); // The module exports this one function.
        const bound = native!.bind(memories[1]!);
        const handle = bound.define(encodeLoop(loop, { addressOf, baseOf: () => 0, axes: [], steps: [] })!);
        bound.runLoops(handle, 1, 0, 0, 0);
        const wrong = firstDifference(memories[0]!, memories[1]!);
        if (wrong >= 0) expect.fail(`${op}(${new Float32Array(memories[0]!.buffer)[wrong - count]})`);
      }
    });

    it("give the bits of WebAssembly for every node kind, in every shape", () => {
      use();
      let total = 0;
      let left = 0;
      const kinds = Object.keys(kindCases) as Node["kind"][]; // The table has exactly these keys.
      kinds.forEach((kind, at) => {
        for (const { write } of kindCases[kind]) {
          for (const [i, n] of [1, 3, 17, 64].entries()) {
            const plan = planOf(programOf((trace) => write(trace, n)));
            const all: AxisSizes[] = [
              { batch: 3, time: 4, steps: 3 },
              { batch: 1, time: 1, steps: 1 },
              { batch: 40, time: 2, steps: 5 },
              { batch: 2, time: 0, steps: 0 },
            ];
            const counts = compareLoops(plan, all[(at + i) % all.length]!, at + 10 * i, name);
            total += counts.compared;
            left += counts.left;
          }
        }
      });
      expect(total).toBeGreaterThan(500);
      expect(left).toBeLessThan(total / 20);
    });

    it.each([
      [1, 1],
      [5, 3],
      [16, 1],
      [16, 33],
      [30, 7],
      [64, 32],
      [100, 4],
      [300, 3],
    ])("give the bits of WebAssembly for training steps of hidden size %i and batch %i", (hidden, batch) => {
      use();
      for (const cell of [lstm, gru]) {
        const { compared, left } = compareLoops(training(cell, hidden), { batch, time: 3 }, hidden, name);
        expect(compared).toBeGreaterThan(10);
        expect(left).toBe(0);
      }
    });
  });

  it("refuse programs that are not whole and addresses outside the memory", () => {
    const bound = native!.bind(new WebAssembly.Memory({ initial: 1 }));
    expect(() => bound.define(Int32Array.of(1, 0, 0))).toThrow("not a program of a loop");
    expect(() => bound.runLoops(0, 1)).toThrow("no such loop");
    const program = encodeLoop(loopsOf(everyOp(5).commands)[0]!.loop, {
      addressOf: (buffer) => 65536 - 8 * buffer,
      baseOf: () => 0,
      axes: [],
      steps: [],
    })!;
    const handle = bound.define(program);
    expect(() => bound.runLoops(handle, 1, 0, 0, 0)).toThrow("reaches outside the memory");
    expect(() => bound.define(program.slice(0, -1))).toThrow("not a program of a loop");
    bound.clearLoops();
    expect(() => bound.runLoops(handle, 1, 0, 0, 0)).toThrow("no such loop");
  });
});
