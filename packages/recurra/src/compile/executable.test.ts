import { describe, expect, it } from "vitest";
import { programOf } from "../../../../test/support/programs.ts";
import { ShapeError } from "../base/errors.ts";
import { add, matmul, mul, sumAll, tanh } from "../trace/operations.ts";
import { sequenceType } from "../trace/tensor.ts";
import { Executable } from "./executable.ts";

const call = (sizes: Readonly<Record<string, number>>, x: readonly number[]) => {
  const program = programOf((trace) => ({ y: tanh(trace.input("x", sequenceType(1))) }));
  const executable = new Executable({ main: program });
  executable.call("main", sizes, { x });
  return executable.output("main", "y", sizes);
};

describe("a call", () => {
  it.each([
    [{ batch: 2 }, 'the size of axis "time" is missing'],
    [{ time: 2 }, 'the size of axis "batch" is missing'],
    [{ batch: 2, time: -1 }, 'the size of axis "time" is -1'],
    [{ batch: 1.5, time: 2 }, 'the size of axis "batch" is 1.5'],
    [{ batch: 2, time: Number.NaN }, 'the size of axis "time" is NaN'],
    [{ batch: 2, time: Number.POSITIVE_INFINITY }, 'the size of axis "time" is Infinity'],
  ])("refuses sizes %o", (sizes, start) => {
    const rest = ', expected a whole number, 0 or more.\nGive every batch the sizes of "batch" and "time".';
    expect(() => call(sizes, [1, 2, 3, 4])).toThrow(ShapeError);
    expect(() => call(sizes, [1, 2, 3, 4])).toThrow(start + rest);
  });

  it("that fails leaves no packed weight of another program damaged", () => {
    const product = programOf((trace) => ({
      y: matmul(trace.param("W", [1, 1]), trace.input("x", sequenceType(1))),
    }));
    const sum = programOf((trace) => ({
      y: add(trace.input("x", sequenceType(1)), trace.input("z", sequenceType(1))),
    }));
    const executable = new Executable({ product, sum });
    const sizes = { batch: 1, time: 200 };
    const x = Array.from({ length: 200 }, () => 2);
    executable.writeParam("W", [3]);
    for (let turn = 0; turn < 2; turn++) {
      executable.call("product", sizes, { x });
      expect(executable.output("product", "y", sizes)[0]).toBe(6);
      expect(() => executable.call("sum", sizes, { x })).toThrow('input "z" is missing');
    }
  });

  it("computes nothing when an input of what is done once for all rows is missing", () => {
    const program = programOf((trace) => {
      const x = trace.input("x", sequenceType(1));
      return { y: mul(x, 2), total: mul(sumAll(x), trace.input("factor", { axes: [], shape: [1] })) };
    });
    const executable = new Executable({ main: program }, { threads: 1 });
    const sizes = { batch: 40, time: 1 };
    const x = (value: number) => Array.from({ length: 40 }, () => value);
    executable.call("main", sizes, { x: x(1) }, { factor: 3 });
    expect(executable.scalar("main", "total")).toBe(120);
    expect(() => executable.call("main", sizes, { x: x(5) })).toThrow('input "factor" is missing');
    expect(executable.output("main", "y", sizes)[39]).toBe(2);
  });

  it("takes sizes in any order, smaller, larger and known ones", () => {
    const program = programOf((trace) => ({
      y: mul(trace.input("x", sequenceType(2)), trace.input("factor", { axes: [], shape: [1] })),
    }));
    const executable = new Executable({ main: program });
    const sizes = [
      [80, 3],
      [2, 3],
      [80, 3],
      [7, 300],
      [2, 3],
      [80, 3],
      [7, 300],
    ];
    for (const [call, [batch = 0, time = 0]] of sizes.entries()) {
      const x = Float32Array.from({ length: batch * time * 2 }, (_, i) => i);
      executable.call("main", { batch, time }, { x }, { factor: call });
      expect(executable.output("main", "y", { batch, time })).toEqual(x.map((value) => value * call));
    }
  });

  it("takes an axis of size 0", () => {
    expect(call({ batch: 2, time: 0 }, [])).toEqual(new Float32Array(0));
  });

  it("refuses an input that is missing or of another size", () => {
    const mend = "\nFeed [batch, time, 1], batch outermost and features next to each other.";
    expect(() => call({ batch: 2, time: 2 }, [1, 2, 3])).toThrow(
      `input "x" is 3 numbers, expected 4 numbers, [batch 2, time 2, 1].${mend}`,
    );
  });
});
