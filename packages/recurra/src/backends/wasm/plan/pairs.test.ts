/** Which sums of outer products are computed at once. That their bits are those of each: test/threads.test.ts and the tests of the kernels. */
import { describe, expect, it } from "vitest";
import { optimized, programOf, scopeIn } from "../../../../../../test/support/programs.ts";
import { gru } from "../../../cells/gru.ts";
import { lstm } from "../../../cells/lstm.ts";
import { makeEntry } from "../../../compile/entry.ts";
import { recurrent } from "../../../layers/recurrent.ts";
import type { Cell } from "../../../trace/cell.ts";
import { mul, sumAll } from "../../../trace/operations.ts";
import { sequenceType } from "../../../trace/tensor.ts";
import { touchedBy } from "./constants.ts";
import { outersInPairs } from "./pairs.ts";
import { type BufferId, type Command, type Outer, type Plan, size } from "./plan.ts";

const pairsOf = (commands: readonly Command[]) =>
  commands.flatMap((command) => (command.kind === "outer" && command.pair !== undefined ? [command] : []));

function commandsOf(cell: Cell): readonly Command[] {
  const program = programOf((trace) => {
    const y = recurrent({ cell, hiddenSize: 6 }).apply(trace.input("x", sequenceType(4)), scopeIn(trace, {}, true));
    return { loss: sumAll(mul(y, y)) };
  });
  return makeEntry(optimized(program)).rows.plan.commands;
}

describe("pairs of sums over the same rows", () => {
  it("are the gradients of both weights of an LSTM layer", () => {
    expect(pairsOf(commandsOf(lstm)).length).toBe(1);
  });

  it("are none where gates have another gradient for the state than for the input", () => {
    expect(pairsOf(commandsOf(gru)).length).toBe(0);
  });

  const rows = (buffer: number) => ({
    access: { buffer: buffer as BufferId, offset: 0, start: size(0), strides: {} },
    stride: size(4),
    count: size(1, "batch"),
  });
  const sum = (a: number, b: number, c: number, scratch = 9): Outer => ({
    ...{ kind: "outer", a: rows(a), b: rows(b), c: rows(c).access, cRow: 4, m: 4, n: 4, scratch: scratch as BufferId },
  });
  const product = (a: number, c: number): Command => ({
    ...{ kind: "gemm", a: rows(a), packed: 8 as BufferId, c: rows(c), n: 4, k: 4 },
  });
  const paired = (...commands: Command[]) => {
    const buffers: Plan["buffers"] = Array.from({ length: 11 }, (_, id) => ({
      ...{ name: String(id), sizes: [size(16)], role: id === 5 ? "output" : "temporary", home: undefined },
    }));
    return outersInPairs({ buffers, commands, inputs: {}, params: {}, outputs: {}, packed: undefined }).commands;
  };

  it.each([
    ["what it reads is written between them", product(0, 2), false],
    ["what it writes is read between them", product(4, 6), false],
    ["its result is written between them too", product(0, 4), false],
    ["nothing between them meets it", product(0, 6), true],
  ])("come together or stay apart: %s", (_, between, together) => {
    const commands = paired(sum(0, 1, 3), between, sum(0, 2, 4, 10));
    expect(commands.map(({ kind }) => kind)).toEqual(together ? ["outer", "gemm"] : ["outer", "gemm", "outer"]);
    expect(pairsOf(commands).length).toBe(together ? 1 : 0);
  });

  it("may write an output beside what is written between them", () => {
    expect(pairsOf(paired(sum(0, 1, 3), product(0, 5), sum(0, 2, 5, 10))).length).toBe(1);
  });

  it("touch what both of them read and write, so that nothing of one lies over the other", () => {
    const [pair] = paired(sum(0, 1, 3), sum(0, 2, 4, 10));
    const { reads, writes } = touchedBy(pair!);
    expect(new Set(reads)).toEqual(new Set([0, 1, 2]));
    expect(new Set(writes)).toEqual(new Set([3, 4, 9, 10]));
  });

  it("are two of three; other rows are no pair", () => {
    const commands = paired(sum(0, 1, 3), sum(0, 2, 4, 10), sum(0, 2, 6), sum(1, 2, 7));
    expect(commands.length).toBe(3);
    expect(pairsOf(commands)[0]?.pair?.c.buffer).toBe(4);
  });
});
