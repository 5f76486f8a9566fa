import { describe, expect, it } from "vitest";
import { compare, expectClose, tolerances } from "../../../../test/support/close.ts";
import { checkGradients } from "../../../../test/support/differences.ts";
import { backends, feedsFor, optimized, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { mul, square, sumAll } from "../trace/operations.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { type AttentionOptions, attention } from "./attention.ts";

const kinds: readonly (AttentionOptions & { memory: number })[] = [
  { kind: "dot", memory: 4 },
  { kind: "general", memory: 3 },
  { kind: "additive", size: 5, memory: 3 },
  { kind: "multiHead", heads: 2, memory: 3 },
];

const sizes = { batch: 2, time: 4, steps: 3 };
const lengths = [4, 2];

function program({ memory, ...options }: (typeof kinds)[number], withLengths = true) {
  return programOf((trace) => {
    const scope = scopeIn(trace, withLengths ? { time: trace.input("lengths", vectorType(1)) } : {}, false);
    const read = attention(options).over(trace.input("memory", sequenceType(memory)), scope.in("a"), 4);
    const { context, weights } = read(trace.input("q", { axes: ["batch", "steps"], shape: [4] }));
    const loss = sumAll(mul(square(context), trace.input("mask", context.type)));
    return { loss, context, weights };
  });
}

describe.each(kinds)("$kind attention", (kind) => {
  const made = program(kind);
  const feeds = feedsFor(made, sizes, 3, { lengths, seed: [1] });
  const { context, weights } = reference(made, feeds, sizes);
  const heads = kind.heads ?? 1;

  it("agrees with plain loops over rows, queries, heads and steps", () => {
    const rows = (name: string, width: number) => (row: number) =>
      Array.from({ length: width }, (_, i) => feeds[name]![row * width + i]!);
    const times = (name: string, outputs: number, x: readonly number[]) =>
      Array.from({ length: outputs }, (_, o) => dot(rows(`a.${name}`, x.length)(o), x));
    const score = (q: readonly number[], m: readonly number[], head: number): number => {
      if (kind.kind === "dot") return dot(q, m);
      if (kind.kind === "general") return dot(q, times("W", 4, m));
      if (kind.kind === "additive") {
        const hidden = times("U", 5, m).map((u, i) => Math.tanh(u + times("W", 5, q)[i]! + feeds["a.b"]![i]!));
        return dot(hidden, Array.from(feeds["a.v"]!));
      }
      const part = (x: readonly number[]) => x.slice(head * 2, head * 2 + 2);
      return dot(part(times("Q", 4, q)), part(times("K", 4, m))) / Math.sqrt(2);
    };
    const expected: number[] = [];
    const expectedWeights: number[][] = [];
    for (let b = 0; b < 2; b++) {
      for (let s = 0; s < 3; s++) {
        const q = rows("q", 4)(b * 3 + s);
        const memory = Array.from({ length: 4 }, (_, t) => rows("memory", kind.memory)(b * 4 + t));
        const byHead = Array.from({ length: heads }, (_, head) => {
          const exps = memory.map((m, t) => (t < lengths[b]! ? Math.exp(score(q, m, head)) : 0));
          const total = exps.reduce((sum, e) => sum + e, 0);
          return exps.map((e) => e / total);
        });
        expectedWeights.push(...memory.map((_, t) => byHead.map((head) => head[t]!)));
        const read = byHead.flatMap((head, h) => {
          const values =
            kind.kind === "multiHead" ? memory.map((m) => times("V", 4, m).slice(h * 2, h * 2 + 2)) : memory;
          return values[0]!.map((_, i) => values.reduce((sum, value, t) => sum + head[t]! * value[i]!, 0));
        });
        expected.push(...(kind.kind === "multiHead" ? times("O", 4, read) : read));
      }
    }
    expectClose(context!, expected, tolerances.float64, "hand-written loops");
    expectClose(weights!, expectedWeights.flat(), tolerances.float64, "hand-written loops");
  });

  it("has the gradient that central differences give, and the same values when compiled", () => {
    checkGradients(made, feeds, sizes, { coordinates: 4, directions: 2 });
    const compiled = optimized(made);
    const expected = reference(compiled, feeds, sizes);
    for (const backend of backends) {
      const computed = backend.run(compiled, feeds, sizes);
      for (const name of Object.keys(expected))
        expect(compare(computed[name]!, expected[name]!).error, name).toBeLessThan(tolerances.float32Gradient);
    }
  });

  it("reads nothing behind a true length, NaN neither", () => {
    const hidden = Array.from(feeds.memory!);
    hidden.fill(Number.NaN, (4 + 2) * kind.memory);
    const masked = reference(made, { ...feeds, memory: hidden }, sizes);
    expect([...masked.weights!]).toEqual([...weights!]);
  });
});

describe("attention", () => {
  it("of a row without steps has weights of 0", () => {
    const made = program(kinds[1]!);
    const found = reference(made, feedsFor(made, sizes, 3, { lengths: [0, 3], seed: [1] }), sizes);
    expect([...found.weights!.slice(0, 12)]).toEqual(Array.from({ length: 12 }, () => 0));
    expect([...found.context!.slice(0, 9)]).toEqual(Array.from({ length: 9 }, () => 0));
  });

  it("refuses sizes that do not fit", () => {
    expect(() => program({ kind: "dot", memory: 3 })).toThrow(
      'dot attention: query is 4 features, expected 3, as many as the memory has.\nMake the sizes equal, or use "general".',
    );
    expect(() => program({ kind: "multiHead", heads: 3, memory: 3 })).toThrow(
      "multi-head attention: heads is 3, expected a divisor of the size 4.",
    );
  });
});

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0);
}
