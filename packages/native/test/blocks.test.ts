/** Loops over more than the cache holds, in one call, against a call for each of them: the same bits. */
import { describe, expect, it } from "vitest";
import { encodeLoop } from "../../recurra/src/backends/wasm/emit/encodeLoop.ts";
import type { Access, BufferId, Loop, LoopOp } from "../../recurra/src/backends/wasm/plan/plan.ts";
import { size } from "../../recurra/src/backends/wasm/plan/plan.ts";
import { whyNot } from "../index.cjs";
import { fill, firstDifference, native, numbers, ways } from "./memories.ts";

const axes = ["time", "batch"];
const [timesteps, batch, columns] = [9, 4, 8200];
/** Buffers: two large ones with a step more before and behind, then a number for each row, then one for each column. */
const [x, y, top, total, inverse, sums] = [0, 1, 2, 3, 4, 5] as const;
const step = batch * columns;
const large = 4 * (timesteps + 2) * step;
const addresses = [64, 64 + large, ...[0, 1, 2, 3].map((i) => 128 + 2 * large + i * 64 * 1024)];

const dims = [
  { name: "time", size: size(1, "time") },
  { name: "batch", size: size(1, "batch") },
  { name: "#1", size: size(columns) },
];

/** Rows of a large buffer, `later` timesteps behind the first that is touched. */
const wide = (buffer: number, later = 0): Access => ({
  buffer: buffer as BufferId,
  offset: (1 + later) * step,
  start: size(0),
  strides: { time: size(columns, "batch"), batch: size(columns), "#1": size(1) },
});
const perRow = (buffer: number): Access => ({
  buffer: buffer as BufferId,
  offset: 0,
  start: size(0),
  strides: { time: size(1, "batch"), batch: size(1) },
});
const perColumn: Access = { buffer: sums as BufferId, offset: 0, start: size(0), strides: { "#1": size(1) } };

const load = (access: Access): LoopOp => ({ kind: "load", access });
const binary = (op: "add" | "sub" | "mul" | "div" | "equal", a: number, b: number): LoopOp => ({
  kind: "binary",
  op,
  a,
  b,
});
const loop = (ops: readonly LoopOp[], results: Partial<Pick<Loop, "stores" | "reductions">>, own = dims): Loop => ({
  ...{ kind: "loop", dims: own, ops, stores: [], reductions: [] },
  ...results,
});
const sum = (value: number, access: Access, carried = false) => ({ value, op: "sum" as const, access, carried });

const doubled = loop([load(wide(x)), binary("add", 0, 0)], { stores: [{ value: 1, access: wide(x) }] });
const copied = (later: number) =>
  loop([load(wide(x, later)), { kind: "unary", op: "neg", x: 0 }], { stores: [{ value: 1, access: wide(y) }] });

const cases: Readonly<Record<string, readonly Loop[]>> = {
  "a softmax and sums over its rows": [
    loop([load(wide(x)), { kind: "position", dim: "#1" }, load(perRow(total)), binary("equal", 1, 2)], {
      reductions: [{ value: 0, op: "max", access: perRow(top), carried: false }, sum(3, perRow(inverse))],
    }),
    loop([load(wide(x)), load(perRow(top)), binary("sub", 0, 1), { kind: "unary", op: "exp", x: 2 }], {
      stores: [{ value: 3, access: wide(x) }],
      reductions: [sum(3, perRow(total))],
    }),
    loop(
      [{ kind: "literal", value: 1 }, load(perRow(total)), binary("div", 0, 1)],
      { stores: [{ value: 2, access: perRow(inverse) }] },
      dims.slice(0, 2),
    ),
    loop([load(wide(x)), load(perRow(inverse)), binary("mul", 0, 1)], {
      stores: [{ value: 2, access: wide(x) }],
      reductions: [sum(2, perColumn, true)],
    }),
  ],
  "the step before, which is there": [doubled, copied(-1)],
  "the step behind, which must wait": [doubled, copied(1)],
  "what is overwritten behind it": [copied(1), doubled],
};

describe.skipIf(native === undefined)("loops over large values", () => {
  if (native === undefined) console.warn(whyNot());

  it.each(ways.flatMap((way) => Object.keys(cases).map((what) => ({ way: way.name, use: way.use, what }))))(
    "give the bits of single calls, $way: $what",
    ({ use, what }) => {
      use();
      const results = [true, false].map((together) => {
        const memory = new WebAssembly.Memory({ initial: Math.ceil((addresses.at(-1)! + 64 * 1024) / 65536) });
        fill(memory, numbers(4));
        const bound = native!.bind(memory);
        const site = { addressOf: (buffer: BufferId) => addresses[buffer]!, baseOf: () => 0 as const, axes, steps: [] };
        const handles = cases[what]!.map((one) => bound.define(encodeLoop(one, site)!));
        const given = [timesteps, batch, 0, 0, 0];
        if (together) bound.runLoops(handles[0]!, handles.length, ...given);
        else for (const handle of handles) bound.runLoops(handle, 1, ...given);
        return memory;
      });
      expect(firstDifference(results[0]!, results[1]!)).toBe(-1);
    },
  );
});
