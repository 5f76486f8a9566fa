import { describe, expect, it } from "vitest";
import {
  backends,
  feedsFor,
  programOf,
  reference,
  runWasm,
  scopeIn,
  withGradients,
} from "../../../../test/support/programs.ts";
import { gru } from "../cells/gru.ts";
import type { Program } from "../ir/nodes.ts";
import { recurrent } from "../layers/recurrent.ts";
import { gather, matmul, mul, sumAll, tanh } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import { sequenceType, type Tensor, Trace, vectorType } from "../trace/tensor.ts";
import { sgd } from "../train/optimizers/sgd.ts";
import { buildPrograms } from "../train/programs.ts";
import { makeEntry } from "./entry.ts";
import { Executable } from "./executable.ts";

const features = 61;
/** The smallest that counts as large, with the features that no cache line ends with. */
const rows = Math.ceil(2 ** 18 / features);

/** The squares of a product of rows of a table. */
function lookUp(trace: Trace, table: Tensor): Tensor {
  const y = tanh(matmul(trace.param("W", [5, features]), gather(table, trace.input("index", sequenceType(1)))));
  return sumAll(mul(y, y));
}

const withTable = (count: number) =>
  withGradients(programOf((trace) => ({ loss: lookUp(trace, trace.param("E", [count, features])) })));

/** Rows that several shards pick, the first and the last, and others. */
const indices = (count: number) =>
  Float32Array.from({ length: count }, (_, i) => [0, rows - 1, 17, (i * 7919) % rows][i % 4]!);

function expectLikeReference(program: Program, sizes: Readonly<Record<string, number>>, given = {}): void {
  const feeds = feedsFor(program, sizes, 3, given, 0.3);
  const expected = reference(program, feeds, sizes);
  for (const { name, run } of backends) {
    const found = run(program, feeds, sizes);
    for (const [output, values] of Object.entries(expected)) {
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - found[output]![i]!)), 0);
      expect(worst / largest, `${output} on ${name}`).toBeLessThan(2e-5);
      expect(found[output]).toHaveLength(values.length);
    }
  }
}

describe("gradients of tables", () => {
  it("are sums of each shard where tables are small, or where they are only a part of a sum", () => {
    const tied = withGradients(
      programOf((trace) => {
        const table = trace.param("E", [rows, features]);
        const y = matmul(table, trace.input("x", vectorType(features)));
        return { loss: mul(lookUp(trace, table), sumAll(mul(y, y))) };
      }),
    );
    expect(makeEntry(withTable(rows - 1)).tables).toBeUndefined();
    expect(makeEntry(tied).tables).toBeUndefined();
    expect(makeEntry(withTable(rows)).tables?.places).toEqual([expect.objectContaining({ count: rows * features })]);
  });

  it.each([1, 19, 20, 45, 170])("of large tables are those of the reference for a batch of %i", (batch) => {
    expectLikeReference(withTable(rows), { batch, time: 3 }, { index: indices(batch * 3) });
  });

  it("of two large tables, of rows with lengths, are those of the reference", () => {
    const program = withGradients(
      programOf((trace) => {
        const lengths = trace.input("lengths", vectorType(1));
        const [a, b] = ["A", "B"].map((name) =>
          gather(trace.param(name, [rows, features]), trace.input("index", sequenceType(1))),
        );
        const scope = scopeIn(trace, { time: lengths });
        const layer = recurrent({ cell: gru, hiddenSize: 4, output: "last" });
        const y = layer.apply(mul(a!, b!), scope);
        return { loss: sumAll(mul(y, y)) };
      }),
    );
    const sizes = { batch: 45, time: 6 };
    const lengths = Float32Array.from({ length: 45 }, (_, i) => 1 + ((i * 5) % 6));
    expect(makeEntry(program).tables?.places).toHaveLength(2);
    expectLikeReference(program, sizes, { index: indices(45 * 6), lengths });
  });

  it("are sums of each shard where the rows read them again", () => {
    const program = withTable(rows);
    const trace = Trace.resume(program.graph);
    const gradient = program.outputs["gradient E"]!;
    const flat = trace.builder.add({ kind: "reshape", x: gradient, shape: [rows * features] });
    const both = trace.builder.add({ kind: "concat", parts: [flat, flat], dim: 0 });
    const twice = { graph: trace.builder.finish(), outputs: { ...program.outputs, both }, updates: {} };
    expect(makeEntry(twice).tables).toBeUndefined();
    expectLikeReference(twice, { batch: 45, time: 2 }, { index: indices(90) });
  });

  it("lie between the sums for other weights, which share its first and last cache line", () => {
    const network = {
      inputs: { index: sequenceType(1) },
      forward: ({ index }: { index?: Tensor }, scope: Scope) => {
        const a = scope.param("A", [3, features], "uniform");
        const table = scope.param("E", [rows, features], "uniform");
        return { y: matmul(scope.param("B", [7, 3], "uniform"), tanh(matmul(a, gather(table, index!)))) };
      },
      loss: ({ y }: { y?: Tensor }) => sumAll(mul(y!, y!)),
    };
    const { train } = buildPrograms(network, { optimizer: sgd(), together: true });
    const [place] = makeEntry(train).tables!.places;
    expect([place!.offset, place!.offset + place!.count].every((at) => at > 0 && at % 16 > 0)).toBe(true);
    const sizes = { batch: 45, time: 2 };
    expectLikeReference(train, sizes, { index: indices(90), learningRate: Float32Array.of(0.1) });
  });

  it("hold nothing of the call before", () => {
    const program = withTable(rows);
    const sizes = { batch: 21, time: 1 };
    const small = feedsFor(program, sizes, 5, { index: indices(21) }) as Record<string, Float32Array>; // It makes typed arrays.
    const fresh = runWasm(program, small, sizes, true);
    const executable = new Executable({ main: program }, { strict: true });
    for (const name of executable.params.keys()) executable.writeParam(name, small[name]!);
    executable.call("main", { batch: 200, time: 1 }, { index: indices(200) });
    executable.call("main", sizes, small);
    const found = executable.output("main", "gradient E", sizes);
    expect(found).toHaveLength(rows * features);
    // Only where they differ: so many numbers take minutes to print.
    expect(found.findIndex((value, i) => value !== fresh["gradient E"]![i])).toBe(-1);
  });
});
