import { describe, expect, it } from "vitest";
import { checkGradients } from "../../../../test/support/differences.ts";
import { backends, feedsFor, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { mul, sumAll, tanh } from "../trace/operations.ts";
import { sequenceType } from "../trace/tensor.ts";
import { variationalDropout } from "./dropout.ts";
import { type EmbeddingOptions, embedding } from "./embedding.ts";
import { crossEntropy } from "./losses/usual.ts";

const sizes = { batch: 3, time: 5 };
const tokens = Array.from({ length: 15 }, (_, i) => (i * 7) % 6);
const engines = [{ name: "reference", run: reference }, ...backends];

describe("an embedding", () => {
  it("tied to the output has one table, with the gradient of both uses", () => {
    const program = programOf((trace) => {
      const scope = scopeIn(trace);
      const table = embedding({ vocabSize: 6, size: 3 });
      const input = trace.input("index", sequenceType(1));
      const logits = table.logits(tanh(table.apply(input, scope)), scope);
      expect(scope.parameters.map(({ name }) => name)).toEqual(["table", "b"]);
      return { loss: crossEntropy(logits, trace.input("index y", sequenceType(1)), scope) };
    });
    const feeds = feedsFor(program, sizes, 2, { index: tokens, "index y": tokens.map((t) => (t + 1) % 6), seed: [0] });
    checkGradients(program, feeds, sizes, { coordinates: 20 });
  });

  it("drops whole rows of the table, wherever they occur, and scales the others up", () => {
    const program = programOf((trace) => ({
      rows: embedding({ vocabSize: 6, size: 2, dropout: 0.5 }).apply(
        trace.input("index", sequenceType(1)),
        scopeIn(trace, {}, true),
      ),
    }));
    const table = Array.from({ length: 12 }, (_, i) => i + 1);
    for (const { run } of engines) {
      const kept = new Set<string>();
      for (let seed = 0; seed < 8; seed++) {
        const { rows } = run(program, { index: tokens, table, seed: [seed] }, sizes);
        const factors = tokens.map((token, i) => rows![2 * i]! / table[2 * token]!);
        tokens.forEach((token, i) => {
          expect([0, 2]).toContain(factors[i]);
          expect(factors[i]).toBe(factors[tokens.indexOf(token)]);
          expect(rows![2 * i + 1]).toBe(factors[i]! * table[2 * token + 1]!);
        });
        kept.add(factors.join());
      }
      expect(kept.size).toBeGreaterThan(4);
    }
  });

  it("refuses sizes that are missing or no positive whole numbers", () => {
    const sized = (options: object) => embedding(options as EmbeddingOptions);
    expect(() => sized({})).toThrow(
      "embedding: vocabSize is missing, expected 1, 2, 3, ….\nGive a positive whole number.",
    );
    expect(() => sized({ vocabSize: 9, size: 2.5 })).toThrow(
      "embedding: size is 2.5, expected 1, 2, 3, ….\nGive a positive whole number.",
    );
  });

  it("refuses a rate that is none", () => {
    expect(() => embedding({ vocabSize: 2, size: 1, dropout: 1 })).toThrow(
      "embedding: rate is 1, expected at least 0 and below 1.\n0.1 to 0.5 are usual.",
    );
  });
});

it("variational dropout has one mask for all timesteps of a row", () => {
  const program = programOf((trace) => {
    const x = trace.input("x", sequenceType(8));
    const dropped = variationalDropout(0.5).apply(x, scopeIn(trace, {}, true));
    return { dropped, loss: sumAll(mul(dropped, dropped)) };
  });
  for (const { run } of engines) {
    const { dropped } = run(program, { x: new Float32Array(120).fill(1), seed: [3] }, sizes);
    const rows = [0, 1, 2].map((b) => [...dropped!.slice(b * 40, b * 40 + 8)]);
    for (let b = 0; b < 3; b++)
      for (let t = 1; t < 5; t++) expect([...dropped!.slice((b * 5 + t) * 8, (b * 5 + t + 1) * 8)]).toEqual(rows[b]);
    expect(rows[0]).not.toEqual(rows[1]);
    expect(new Set(rows.flat())).toEqual(new Set([0, 2]));
  }
});
