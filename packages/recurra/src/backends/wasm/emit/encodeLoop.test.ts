import { describe, expect, it } from "vitest";
import { type Access, type BufferId, type Loop, size } from "../plan/plan.ts";
import { encodeLoop, fewestElements, type LoopSite } from "./encodeLoop.ts";

const site: LoopSite = {
  addressOf: (buffer: BufferId) => 1000 * (buffer + 1),
  baseOf: (buffer) => (buffer === 0 ? 1 : 0),
  axes: ["batch", "time"],
  steps: ["time"],
};

/** [batch, 8] at an offset of a buffer whose rows are `row` apart. */
function access(buffer: number, { offset = 0, row = 8, start = size(0) } = {}): Access {
  return {
    buffer: buffer as BufferId,
    offset,
    start,
    strides: { batch: size(row), "#1": size(1), time: size(row, "batch") },
  };
}

/** to = from · from */
function squares(from: Access, to: Access): Loop {
  return {
    kind: "loop",
    dims: [
      { name: "batch", size: size(1, "batch") },
      { name: "#1", size: size(8) },
    ],
    ops: [
      { kind: "load", access: from },
      { kind: "binary", op: "mul", a: 0, b: 0 },
    ],
    stores: [{ value: 1, access: to }],
    reductions: [],
  };
}

describe("encodeLoop", () => {
  it("joins dense dimensions and writes the documented words", () => {
    const program = encodeLoop(squares(access(0), access(1, { offset: 2 })), site);
    const eightBatch = [8, 1, 0];
    expect([...program!]).toEqual([
      ...[1, 2, 2, 1, 1, 2, 2, 1, 0, 1, -1], // version, axes, bases, steps, dims, pointers, ops, stores, reductions, four lanes, batch
      ...eightBatch, // the one dimension
      ...[1, 0, 0, 1, 0, ...eightBatch], // the arena: start, along the dimension, along time
      ...[0, 0, 0, 1, 0, ...eightBatch], // the same from the start of memory
      ...[0, 0, 1000, 0], // load
      ...[6, 2, 0, 0], // mul
      ...[1, 1, 2008, 1], // store
    ]);
  });

  it("lets a loop overwrite what it loads element by element", () => {
    expect(encodeLoop(squares(access(0), access(0)), site)).toBeDefined();
  });

  it("lets a loop write the next slot of a sequence of states", () => {
    expect(encodeLoop(squares(access(0), access(0, { start: size(8, "batch") })), site)).toBeDefined();
  });

  it("lets a loop write other columns of the matrix it loads", () => {
    expect(encodeLoop(squares(access(0, { row: 32 }), access(0, { row: 32, offset: 8 })), site)).toBeDefined();
  });

  it("leaves loops to WebAssembly whose tiles could overwrite what they still load", () => {
    const shifted = access(0, { offset: 1 });
    expect(encodeLoop(squares(access(0), shifted), site)).toBeUndefined();
    expect(encodeLoop(squares(access(0, { row: 12 }), access(0, { row: 12, offset: 8 })), site)).toBeUndefined();
    expect(encodeLoop(squares(access(0), access(0, { row: 16 })), site)).toBeUndefined();
    expect(encodeLoop(squares(access(0), access(0, { start: size(8) })), site)).toBeUndefined();
  });

  it("leaves loops to WebAssembly that are deeper than the interpreter goes", () => {
    expect(encodeLoop(squares(access(0), access(1)), { ...site, steps: ["time", "a", "b", "c", "d"] })).toBeUndefined();
  });
});

describe("fewestElements", () => {
  const plain = squares(access(0), access(1));
  const withTanh: Loop = { ...plain, ops: [...plain.ops, { kind: "unary", op: "tanh", x: 1 }] };
  const elements = size(8, "batch");

  it("sends long loops with elementary functions to the interpreter and keeps the others in WebAssembly", () => {
    expect(fewestElements([plain], "interpreted")).toEqual([]);
    expect(fewestElements([withTanh], "interpreted")).toEqual([{ elements, fewest: 72 }]);
  });

  it("sends every loop of some length to machine code, where its rows are in one piece", () => {
    const apart = access(0);
    const turned = squares({ ...apart, strides: { ...apart.strides, "#1": size(2) } }, access(1));
    expect(fewestElements([plain], "compiled")).toEqual([{ elements, fewest: 2223 }]);
    expect(fewestElements([turned], "compiled")).toEqual([]);
  });

  it("sends the largest of rows to machine code sooner than their sums", () => {
    const rowsOf = (op: "sum" | "max"): Loop => {
      const to = { ...access(1), strides: { batch: size(1) } };
      return { ...plain, stores: [], reductions: [{ value: 1, op, access: to, carried: false }] };
    };
    expect(fewestElements([rowsOf("sum")], "compiled")).toEqual([{ elements, fewest: 3334 }]);
    expect(fewestElements([rowsOf("max")], "compiled")).toEqual([{ elements, fewest: 304 }]);
  });

  it("shares the call between loops that follow each other", () => {
    const short: Loop = { ...plain, dims: plain.dims.slice(1) };
    expect(fewestElements([withTanh, withTanh], "compiled")).toEqual([{ elements, fewest: 35 }]);
    expect(fewestElements([withTanh, short], "compiled")).toEqual([
      { elements, fewest: 69 },
      { elements: size(8), fewest: 2667 },
    ]);
  });
});
