import { describe, expect, it } from "vitest";
import { feedsFor, reference } from "../../../../test/support/programs.ts";
import { lstm } from "../cells/lstm.ts";
import { dense, mse, recurrent, sequenceType, sequential, vectorType } from "../index.ts";
import { verify } from "../ir/verify.ts";
import { Trace } from "../trace/tensor.ts";
import { adam } from "../train/optimizers/adam.ts";
import { buildPrograms, type Network } from "../train/programs.ts";
import { joined } from "./together.ts";

const layers = sequential(recurrent({ cell: lstm, hiddenSize: 3, depth: 2, output: "last" }), dense({ outputSize: 2 }));
const network: Network = {
  inputs: { x: sequenceType(3), y: vectorType(2) },
  forward: ({ x }, scope) => ({ y: layers.apply(x!, scope) }),
  loss: ({ y }, { y: target }, scope) => mse(y!, target!, scope),
};
const sizes = { batch: 3, time: 4 };

describe("weights that lie together", () => {
  const options = { optimizer: adam(), clipping: { norm: 0.1, parameterNorm: 0.04, value: 0.02 }, averaging: true };
  const apart = buildPrograms(network, options);
  const together = buildPrograms(network, { ...options, together: true });
  const parts = [...together.parts];

  it("are all there, each in a place of its own, those of stacked gates one behind the other", () => {
    expect(new Set(together.parts.keys())).toEqual(new Set(apart.stored.keys()));
    const weights = parts.filter(([, { of }]) => of === "(weights)").map(([name, part]) => ({ name, ...part }));
    let end = 0;
    for (const { offset, count } of weights) {
      expect(offset).toBe(end);
      end += count;
    }
    const names = weights.map(({ name }) => name);
    const first = names.indexOf("0.lstm.0.forward.W.i");
    expect(names.slice(first, first + 4)).toEqual(["i", "f", "g", "o"].map((gate) => `0.lstm.0.forward.W.${gate}`));
  });

  it("are read as they lie: no weight is copied beside another", () => {
    expect(apart.predict.graph.nodes.filter(({ kind }) => kind === "concat").length).toBeGreaterThan(0);
    expect(together.predict.graph.nodes.filter(({ kind }) => kind === "concat")).toEqual([]);
    verify(together.train);
    verify(together.predict);
  });

  it("are joined in their own order, whatever the order of the slices that they are", () => {
    const trace = new Trace();
    const x = trace.param("x", [6]);
    const slice = (start: number) => trace.builder.add({ kind: "slice", x: x.id, dim: 0, start, size: 2 });
    const places = new Map(["a", "b", "c"].map((name, i) => [name, { offset: 2 * i, shape: [2] }]));
    const values = new Map([
      ["a", slice(4)],
      ["b", slice(0)],
      ["c", slice(2)],
    ]);
    const y = joined(trace.builder, values, { name: "all", shape: [1, 6], places });
    const program = { graph: trace.builder.finish(), outputs: { y }, updates: {} };
    expect([...reference(program, { x: [1, 2, 3, 4, 5, 6] }, {})["y"]!]).toEqual([5, 6, 1, 2, 3, 4]);
    expect(program.graph.nodes.filter(({ kind }) => kind === "slice")).toHaveLength(4); // Those given, and one of the two neighbours.
  });

  it("take the same step as each by itself", () => {
    const feeds = feedsFor(apart.train, sizes, 5, {}, 0.3);
    // Means of squares, and shares, are no negative numbers.
    for (const [name, values] of Object.entries(feeds) as [string, Float32Array][])
      if (!name.startsWith("0.") && !name.startsWith("1."))
        for (const [i, value] of values.entries()) values[i] = Math.abs(value);
    const joined: Record<string, unknown> = { ...feeds };
    for (const [name, shape] of together.stored) joined[name] = new Float64Array(shape.reduce((a, b) => a * b, 1));
    for (const [name, { of, offset }] of parts) (joined[of] as Float64Array).set(feeds[name] as Float32Array, offset); // feedsFor makes typed arrays.
    const expected = reference(apart.train, feeds, sizes);
    const given = reference(together.train, joined as typeof feeds, sizes);
    expect(given["loss"]![0]).toBeCloseTo(expected["loss"]![0]!, 12);
    expect(given["gradientNorm"]![0]).toBeCloseTo(expected["gradientNorm"]![0]!, 12);
    for (const [name, { of, offset }] of parts)
      for (const [i, value] of [...expected[`update ${name}`]!].entries())
        expect(given[`update ${of}`]![offset + i]).toBeCloseTo(value, 12);
  });
});
