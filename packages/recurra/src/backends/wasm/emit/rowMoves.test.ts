import { describe, expect, it } from "vitest";
import { backends, feedsFor, programOf, reference } from "../../../../../../test/support/programs.ts";
import { gather } from "../../../trace/operations.ts";
import { vectorType } from "../../../trace/tensor.ts";

const rows = 3;
/** Just outside, far outside memory, beyond every i32, no number, between two rows; and rows that exist. */
const indices = [-1, 0, rows, 1, 5e8, -5e8, 3e38, -3e38, Number.NaN, 2, Number.POSITIVE_INFINITY, -0.5, 1.5, -0, 2];
const isRow = (index: number) => [0, 1, 2].includes(index);
const batch = indices.length;

describe.each([{ name: "the reference", run: reference }, ...backends])(
  "$name, given an index outside the table",
  (backend) => {
    it.each([1, 4, 5])("gathers a row of NaN, %i features wide", (size) => {
      const program = programOf((trace) => ({
        y: gather(trace.param("W", [rows, size]), trace.input("index", vectorType(1))),
      }));
      const feeds = feedsFor(program, { batch }, 1, { index: indices });
      const expected = indices.flatMap((index) =>
        Array.from({ length: size }, (_, i) => (isRow(index) ? feeds.W![Math.abs(index) * size + i]! : Number.NaN)),
      );
      expect([...backend.run(program, feeds, { batch }).y!]).toEqual(expected);
    });

    it.each([1, 4, 5])("leaves out what would be added there, %i features wide", (size) => {
      const program = programOf((trace) => {
        const [x, index] = [trace.input("x", vectorType(size)), trace.input("index", vectorType(1))];
        return { y: trace.add({ kind: "scatterAdd", x: x.id, index: index.id, rows }), p: trace.param("p", [1]) };
      });
      const x = Float32Array.from({ length: batch * size }, (_, i) => i);
      const expected = new Array(rows * size).fill(0);
      indices.forEach((index, row) => {
        for (let i = 0; i < size && isRow(index); i++) expected[Math.abs(index) * size + i] += x[row * size + i];
      });
      const found = backend.run(program, { x, index: indices, p: [7] }, { batch });
      expect([...found.y!]).toEqual(expected);
      expect([...found.p!]).toEqual([7]);
    });
  },
);
