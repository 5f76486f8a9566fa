/** Gradients of losses by central differences; crf by enumeration; what weights and lengths mean. */
import { describe, expect, it } from "vitest";
import { expectClose, tolerances } from "../../../../../test/support/close.ts";
import { checkGradients } from "../../../../../test/support/differences.ts";
import {
  backends,
  feedsFor,
  programOf,
  reference,
  scopeIn,
  withGradients,
} from "../../../../../test/support/programs.ts";
import { createRandom } from "../../base/random.ts";
import { mul } from "../../trace/operations.ts";
import type { Scope } from "../../trace/scope.ts";
import { sequenceType, type Tensor, vectorType } from "../../trace/tensor.ts";
import { crf } from "./crf.ts";
import { ctc } from "./ctc.ts";
import { gaussian, negativeBinomial, poisson, studentT } from "./likelihoods.ts";
import type { Loss } from "./loss.ts";
import { mixtureDensity } from "./mixture.ts";
import { cosineDistance, cosinePairs, triplet } from "./similarity.ts";
import { crossEntropy, mse } from "./usual.ts";
import { binaryFocal, focal, weightedCrossEntropy } from "./weighted.ts";

interface Case {
  readonly what: string;
  readonly loss: Loss;
  /** Features of prediction and target. */
  readonly features: readonly [number, number];
  readonly target: (i: number) => number;
}

const real = (i: number) => Math.sin(5 * i + 1);
const vectors = (x: Tensor) => mul(0.3, x);
const cases: readonly Case[] = [
  { what: "smoothed", loss: weightedCrossEntropy({ labelSmoothing: 0.1 }), features: [4, 1], target: (i) => i % 4 },
  {
    what: "class weights",
    loss: weightedCrossEntropy({ classWeights: [1, 2, 0.5, 0], labelSmoothing: 0.2 }),
    features: [4, 1],
    target: (i) => i % 4,
  },
  { what: "focal", loss: focal({ focus: 1.5, classWeights: [1, 2, 0.5] }), features: [3, 1], target: (i) => i % 3 },
  { what: "binary focal", loss: binaryFocal(), features: [2, 2], target: (i) => i % 2 },
  { what: "gaussian", loss: gaussian, features: [4, 2], target: real },
  { what: "studentT", loss: studentT, features: [6, 2], target: real },
  { what: "poisson", loss: poisson, features: [2, 2], target: (i) => i % 5 },
  { what: "negativeBinomial", loss: negativeBinomial, features: [4, 2], target: (i) => i % 5 },
  { what: "mixtureDensity", loss: mixtureDensity(2), features: [12, 2], target: real },
  { what: "cosineDistance", loss: cosineDistance, features: [3, 3], target: real },
  {
    what: "cosinePairs",
    loss: (p, y, scope, mask) => cosinePairs(-0.5)(p, vectors(p), y, scope, mask),
    features: [3, 1],
    target: (i) => (i % 2 === 0 ? 1 : -1),
  },
  {
    what: "triplet",
    loss: (p, y, scope, mask) => triplet()(p, y, vectors(p), scope, mask),
    features: [3, 3],
    target: real,
  },
];
const sizes = { batch: 3, time: 4 };

describe("a loss", () => {
  const build = ({ loss, features: [inputs, targets] }: Case) =>
    programOf((trace) => {
      const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) });
      const weights = trace.input("mask", sequenceType(1));
      return {
        loss: loss(
          trace.input("x", sequenceType(inputs)),
          trace.input("index y", sequenceType(targets)),
          scope,
          weights,
        ),
      };
    });
  const weights = Float32Array.from({ length: 12 }, (_, i) => (i % 3) / 2);
  const lengths = [4, 0, 2];
  const feedsOf = (entry: Case, hole: number | undefined) => ({
    lengths,
    mask: weights,
    seed: [0],
    "index y": Float32Array.from({ length: 12 * entry.features[1] }, (_, i) => {
      const row = Math.floor(i / entry.features[1]);
      const counts = row % 4 < lengths[Math.floor(row / 4)]! && weights[row] !== 0;
      return counts || hole === undefined ? entry.target(i) : hole;
    }),
  });

  it.each(cases)("has the gradient of central differences, with weights and lengths: $what", (entry) => {
    const program = build(entry);
    checkGradients(program, feedsFor(program, sizes, 3, feedsOf(entry, undefined)), sizes, { coordinates: 40 });
  });

  it.each(cases)("is not touched, nor its gradient, by NaN in targets that do not count: $what", (entry) => {
    const program = withGradients(build(entry), ["x"]);
    for (const backend of [{ run: reference }, ...backends]) {
      const [whole, holes] = [undefined, Number.NaN].map((hole) =>
        backend.run(program, feedsFor(program, sizes, 3, feedsOf(entry, hole)), sizes),
      );
      expect(holes).toEqual(whole);
      expect(Number.isFinite(whole!.loss![0])).toBe(true);
    }
  });

  it("takes a weight of each sample: twice the weight is as much as twice the sample", () => {
    const program = programOf((trace) => {
      const mask = trace.input("mask", vectorType(1));
      return { loss: mse(trace.input("x", vectorType(2)), trace.input("y", vectorType(2)), scopeIn(trace), mask) };
    });
    const run = (x: readonly number[], weightOf: readonly number[]) =>
      reference(program, { x, y: x.map(() => 0), mask: weightOf, seed: [0] }, { batch: weightOf.length }).loss![0];
    expect(run([1, 2, 3, 4], [0.2, 0.4])).toBeCloseTo(run([1, 2, 3, 4, 3, 4], [1, 1, 1])!, 12);
    expect(run([1, 2], [0])).toBe(0);
  });

  it("focal without focus is cross-entropy", () => {
    const value = (loss: Loss) => {
      const program = programOf((trace) => ({
        loss: loss(trace.input("x", vectorType(3)), trace.input("index", vectorType(1)), scopeIn(trace)),
      }));
      return reference(program, feedsFor(program, { batch: 4 }, 2, { index: [0, 1, 2, 0], seed: [0] }), { batch: 4 })
        .loss![0]!;
    };
    expect(value(focal({ focus: 0 }))).toBeCloseTo(value(crossEntropy), 12);
    expect(value(focal())).toBeLessThan(value(crossEntropy));
  });

  it("refuses class weights of another number, and smoothing beyond 1", () => {
    expect(() => build({ ...cases[1]!, loss: weightedCrossEntropy({ classWeights: [1, 2] }) })).toThrow(
      "weightedCrossEntropy: classWeights is 2 numbers, expected 4 numbers that are not negative.\nGive one weight for each class.",
    );
    expect(() => weightedCrossEntropy({ labelSmoothing: 1 })).toThrow(
      "weightedCrossEntropy: labelSmoothing is 1, expected at least 0 and below 1.\n0.1 is usual.",
    );
  });
});

it("ctc has the gradient of central differences", () => {
  const program = programOf((trace) => {
    const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) });
    const logits = trace.input("x", sequenceType(3));
    return {
      loss: ctc(logits, trace.input("index", vectorType(2)), trace.input("index lengths", vectorType(1)), scope).loss,
    };
  });
  const given = { lengths: [4, 3, 1], index: [1, 2, 1, 1, 2, 1], "index lengths": [2, 2, 0], seed: [0] };
  checkGradients(program, feedsFor(program, sizes, 3, given), sizes, { coordinates: 40 });
});

describe("a conditional random field", () => {
  const count = 3;
  const lengths = [4, 0, 2];
  const field = crf(count);
  const program = (how: (emissions: Tensor, tags: Tensor, scope: Scope) => Readonly<Record<string, Tensor>>) =>
    programOf((trace) => {
      const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) });
      return how(trace.input("x", sequenceType(count)), trace.input("index", sequenceType(1)), scope);
    });
  const lossOf = program((x, tags, scope) => ({ loss: field.loss(x, tags, scope) }));
  const random = createRandom(8);
  const tags = Array.from({ length: 12 }, () => random.integer(count));
  const feeds = feedsFor(lossOf, sizes, 4, { lengths, index: tags, seed: [0] });

  /** Score of some tags of a row, term by term. */
  const score = (row: number, path: readonly number[]) =>
    path.reduce((sum, tag, t) => {
      const entered = t === 0 ? feeds.start![tag]! : feeds.transitions![tag * count + path[t - 1]!]!;
      const left = t === path.length - 1 ? feeds.end![tag]! : 0;
      return sum + entered + feeds.x![(row * 4 + t) * count + tag]! + left;
    }, 0);
  const paths = (length: number): readonly (readonly number[])[] =>
    length === 0 ? [[]] : paths(length - 1).flatMap((path) => [0, 1, 2].map((tag) => [...path, tag]));

  it("sums over all tags and decodes the best, as enumeration does", () => {
    const decoded = program((x, _, scope) => ({ tags: field.decode(x, scope), loss: field.loss(x, _, scope) }));
    const rows = [0, 2].map((row) => {
      const all = paths(lengths[row]!);
      const scores = all.map((path) => score(row, path));
      const own = score(row, tags.slice(row * 4, row * 4 + lengths[row]!));
      return {
        loss: Math.log(scores.reduce((sum, value) => sum + Math.exp(value), 0)) - own,
        best: all[scores.indexOf(Math.max(...scores))]!,
      };
    });
    for (const engine of [{ run: reference }, ...backends]) {
      const found = engine.run(decoded, feeds, sizes);
      expectClose(found.loss!, [(rows[0]!.loss + rows[1]!.loss) / 2], tolerances.float32, "loss");
      expect([...found.tags!]).toEqual([...rows[0]!.best, 0, 0, 0, 0, ...rows[1]!.best, 0, 0]);
    }
  });

  it("has the gradient of central differences", () => {
    checkGradients(lossOf, feeds, sizes, { coordinates: 40 });
  });

  it("is NaN for a tag that does not exist, unless it does not count", () => {
    const run = (at: number) =>
      reference(lossOf, { ...feeds, index: tags.map((tag, i) => (i === at ? 3 : tag)) }, sizes).loss![0];
    expect(run(1)).toBeNaN();
    expect(run(11)).toBe(reference(lossOf, feeds, sizes).loss![0]);
  });
});
