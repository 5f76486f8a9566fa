import { describe, expect, it } from "vitest";
import { gru } from "../cells/gru.ts";
import { attention } from "../layers/attention.ts";
import { decoder } from "../layers/decoder.ts";
import { dense } from "../layers/dense.ts";
import { embedding } from "../layers/embedding.ts";
import { crossEntropy } from "../layers/losses/usual.ts";
import { recurrent } from "../layers/recurrent.ts";
import { gather } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import { sequenceType, type Tensor } from "../trace/tensor.ts";
import { type BeamOptions, beamSearch } from "./beam.ts";
import { generateTokens } from "./generate.ts";
import { Model } from "./model.ts";
import { defineNetwork } from "./network.ts";

const vocabSize = 4;
const steps = 4;
const [first, end] = [1, 0];

/** A language model with large random weights, so that tokens depend much on those before. */
function languageModel(oneHot = false): Model {
  const network = defineNetwork({
    inputs: { token: sequenceType(oneHot ? vocabSize : 1), next: sequenceType(1) },
    forward: ({ token }, scope) => {
      const x = oneHot ? token : embedding({ vocabSize, size: 3 }).apply(token, scope.in("embedding"));
      const h = recurrent({ cell: gru, hiddenSize: 5, depth: 2 }).apply(x, scope.in("layer"));
      return { logits: dense({ outputSize: vocabSize }).apply(h, scope.in("head")) };
    },
    loss: ({ logits }, { next }, scope) => crossEntropy(logits, next, scope),
  });
  const model = new Model(network, { seed: 3, threads: 1 });
  model.setWeights(
    new Map([...model.weights()].map(([name, w]) => [name, w.map((x) => (name.includes("emb") ? 30 * x : 4 * x))])),
  );
  return model;
}

interface Sequence {
  readonly tokens: readonly number[];
  readonly logProbability: number;
  readonly ended: boolean;
}

/** Every sequence there is, with its probability by `logits`: the rows for what is fed [count, steps]. */
function everySequence(prefix: readonly number[], logitsOf: (fed: readonly number[][]) => Float32Array): Sequence[] {
  const found: Sequence[] = [];
  const walk = (tokens: readonly number[]) => {
    if (tokens.length === steps) found.push({ tokens, logProbability: 0, ended: false });
    else {
      found.push({ tokens, logProbability: 0, ended: true });
      for (let token = 1; token < vocabSize; token++) walk([...tokens, token]);
    }
  };
  walk([]);
  const fed = found.map(({ tokens }) => [...prefix, ...tokens, 0, 0, 0, 0].slice(0, prefix.length - 1 + steps));
  const logits = logitsOf(fed);
  return found.map(({ tokens, ended }, row) => {
    const written = ended ? [...tokens, end] : tokens;
    const logProbability = written.reduce((sum, token, t) => {
      const at = (row * fed[0]!.length + prefix.length - 1 + t) * vocabSize;
      const scores = [...logits.subarray(at, at + vocabSize)];
      return sum + scores[token]! - Math.log(scores.reduce((total, score) => total + Math.exp(score), 0));
    }, 0);
    return { tokens, logProbability, ended };
  });
}

const predicted = (model: Model) => (fed: readonly number[][]) =>
  model.predict({ sizes: { batch: fed.length, time: fed[0]!.length }, inputs: { token: fed.flat() } }).logits!;

function ranked(all: readonly Sequence[], lengthPenalty: number) {
  const lengthOf = ({ tokens, ended }: Sequence) => tokens.length + Number(ended);
  return all
    .map((one) => ({ ...one, score: one.logProbability / ((5 + lengthOf(one)) / 6) ** lengthPenalty }))
    .sort((a, b) => b.score - a.score);
}

function expectSame(given: readonly Sequence[], expected: ReturnType<typeof ranked>): void {
  expect(given).toEqual(
    expected.slice(0, given.length).map((one) => ({
      ...one,
      logProbability: expect.closeTo(one.logProbability, 4),
      score: expect.closeTo(one.score, 4),
    })),
  );
}

describe("beamSearch", () => {
  it.each([0, 0.6, 1.5, -1])(
    "with room for all finds what looking at every sequence finds, α = %d",
    (lengthPenalty) => {
      const model = languageModel();
      const expected = ranked(everySequence([first], predicted(model)), lengthPenalty);
      const options = { first, end, steps, lengthPenalty };
      // 27 beginnings go into the last step.
      const found = beamSearch(model.stream({ streams: 27 }), options);
      expect(found).toHaveLength(27);
      expectSame(found, expected);
    },
  );

  it("goes on from where stream 0 stands, and leaves nothing behind for another search", () => {
    const model = languageModel();
    const stream = model.stream({ streams: 27 });
    const prompt = [2, 3, 1];
    for (const token of prompt.slice(0, -1)) {
      stream.inputs.token!.fill(3); // The other streams hear something else.
      stream.inputs.token![0] = token;
      stream.step();
    }
    const expected = ranked(everySequence(prompt, predicted(model)), 0.6);
    expectSame(beamSearch(stream, { first: prompt.at(-1)!, end, steps }), expected);
    stream.reset();
    expectSame(beamSearch(stream, { first, end, steps }), ranked(everySequence([first], predicted(model)), 0.6));
  });

  it("takes one-hot tokens as well", () => {
    const model = languageModel(true);
    const oneHot = (fed: readonly number[][]) => {
      const token = fed.flat().flatMap((of) => Array.from({ length: vocabSize }, (_, k) => Number(k === of)));
      return model.predict({ sizes: { batch: fed.length, time: fed[0]!.length }, inputs: { token } }).logits!;
    };
    const found = beamSearch(model.stream({ streams: 27 }), { first, end, steps });
    expectSame(found, ranked(everySequence([first], oneHot), 0.6));
  });

  /** Logits of the next token for each token: a chain without memory. */
  const chain = (table: readonly (readonly number[])[]) => {
    const network = defineNetwork({
      inputs: { token: sequenceType(1), next: sequenceType(1) },
      forward: ({ token }, scope) => ({
        logits: gather(scope.param("table", [table.length, table[0]!.length], "zeros"), token),
      }),
      loss: ({ logits }, { next }, scope) => crossEntropy(logits, next, scope),
    });
    const model = new Model(network);
    model.setWeights(new Map([["table", Float32Array.from(table.flat(), Math.log)]]));
    return model;
  };
  // From the start 2 is likelier than 3, but behind 2 everything is open, behind 3 the end is sure.
  const trap = chain([
    [1, 0, 0, 0],
    [0, 0, 0.6, 0.4],
    [0.3, 0, 0.35, 0.35],
    [1, 0, 0, 0],
  ]);

  it("finds with two beginnings what one misses", () => {
    const found = (streams: number) => {
      const search = { first: 1, end: 0, steps: 5, lengthPenalty: 0 };
      const [{ tokens, logProbability } = { tokens: [], logProbability: 0 }] = beamSearch(
        trap.stream({ streams }),
        search,
      );
      return { tokens, probability: Math.exp(logProbability) };
    };
    expect(found(1)).toEqual({ tokens: [2], probability: expect.closeTo(0.18) });
    expect(found(2)).toEqual({ tokens: [3], probability: expect.closeTo(0.4) });
  });

  it("prefers longer sequences as the length penalty rises", () => {
    const model = chain([
      [1, 0, 0],
      [0.4, 0, 0.6],
      [0.4, 0, 0.6],
    ]);
    const length = (lengthPenalty: number) =>
      beamSearch(model.stream({ streams: 4 }), { first: 1, end: 0, steps: 6, lengthPenalty })[0]!.tokens.length;
    expect([length(0), length(3)]).toEqual([0, 6]);
  });

  it("goes on while a longer sequence may still win", () => {
    const model = chain([
      [1, 0, 0],
      [0.6, 0, 0.4],
      [0, 0, 1],
    ]);
    const [best] = beamSearch(model.stream(), { first: 1, end: 0, steps: 6, lengthPenalty: 1.5 });
    // log 0.4 over (11 / 6)^1.5 is −0.37, above log 0.6, which is −0.51.
    expect(best).toEqual({
      ...{ tokens: [2, 2, 2, 2, 2, 2], ended: false },
      ...{ logProbability: expect.closeTo(Math.log(0.4)), score: expect.closeTo(-0.369, 3) },
    });
  });

  it("refuses what it cannot search", () => {
    const model = languageModel();
    const refused = (more: Partial<BeamOptions>) => {
      try {
        beamSearch(model.stream({ streams: 2 }), { first, end, steps, ...more });
      } catch (error) {
        return (error as Error).message;
      }
      return "nothing";
    };
    const broken = model.weights();
    broken.get("head.b")!.fill(Number.NaN);
    expect([
      refused({ first: 4 }),
      refused({ end: -1 }),
      refused({ steps: 0 }),
      refused({ lengthPenalty: Number.NaN }),
      refused({ input: "tokens" }),
      refused({ output: "scores" }),
      model.withWeights(broken, () => refused({})),
    ]).toEqual([
      "beamSearch: first is 4, expected one of the tokens 0 … 3.\nGive the start, or the last token of the prompt.",
      "beamSearch: end is -1, expected one of the tokens 0 … 3.\nLeave it out where no token ends.",
      "beamSearch: steps is 0, expected 1, 2, 3, ….\nSay how long a sequence may become.",
      "beamSearch: lengthPenalty is NaN, expected a finite number.\n0 compares probabilities, 1 about those of a token; 0.6 lies between.",
      'input of the stream is unknown: "tokens", expected one of token.\nDid you mean "token"?',
      'output of the stream is unknown: "scores", expected one of logits.\nChoose a known output of the stream.',
      "beamSearch: logits of stream 0 is NaN, NaN, NaN, NaN, expected numbers, not all −∞.\nLook for NaN in what the network was fed with.",
    ]);
  });
});

describe("generateTokens", () => {
  const model = languageModel();

  it("writes the same with the same seed, on any number of streams, and other things with another", () => {
    const write = (streams: number, seed: number) =>
      generateTokens(model.stream({ streams }), { first, steps: 30, temperature: 1.5, seed });
    expect(write(3, 7).slice(0, 2)).toEqual(write(2, 7));
    expect(write(2, 8)).not.toEqual(write(2, 7));
    expect(new Set(write(3, 7).map(({ tokens }) => tokens.join())).size).toBe(3);
  });

  it("stops at the end, and says how probable what it wrote is", () => {
    const all = everySequence([first], predicted(model));
    const written = generateTokens(model.stream({ streams: 20 }), { first, end, steps, temperature: 3 });
    expect(new Set(written.map(({ ended }) => ended)).size).toBe(2);
    for (const { tokens, ended, logProbability } of written) {
      const same = all.find((one) => one.ended === ended && one.tokens.join() === tokens.join())!;
      expect(logProbability).toBeCloseTo(same.logProbability, 4);
    }
  });

  it("follows the likeliest token at temperature 0", () => {
    const [{ tokens } = { tokens: [] }] = generateTokens(model.stream(), { first, steps: 6, temperature: 0 });
    const logits = predicted(model)([[first, ...tokens.slice(0, -1)]]);
    const likeliest = Array.from({ length: 6 }, (_, t) => {
      const row = [...logits.subarray(t * vocabSize, (t + 1) * vocabSize)];
      return row.indexOf(Math.max(...row));
    });
    expect(tokens).toEqual(likeliest);
  });
});

describe("a decoder in a stream", () => {
  const [time, source] = [3, 2];
  const encoder = recurrent({ cell: gru, hiddenSize: 5 });
  const writer = decoder({
    ...{ cell: gru, hiddenSize: 5, vocabularySize: vocabSize, embeddingSize: 3, start: first },
    attention: attention({ kind: "additive" }),
  });
  const encode = (x: Tensor, scope: Scope) => {
    const { final, sequence } = encoder.run(x, scope.in("encoder"));
    return { initial: final, memory: sequence };
  };
  const network = defineNetwork({
    inputs: { x: sequenceType(source), token: sequenceType(1, "steps"), y: sequenceType(1, "steps") },
    variableLengths: ["time"],
    forward: ({ x, token }, scope) => ({ ...writer.advance(token, encode(x, scope), scope.in("writer")) }),
    loss: (_, { x, y }, scope) => crossEntropy(writer.teach(y, encode(x, scope), scope.in("writer")).logits, y, scope),
  });
  const model = new Model(network, { seed: 2, threads: 1 });
  model.setWeights(new Map([...model.weights()].map(([name, w]) => [name, w.map((value) => 4 * value)])));
  const x = [1, -1, 0.5, 2, Number.NaN, Number.NaN]; // Two true steps of three.

  it("encodes once, attends within the true length, and is searched as every sequence says", () => {
    const streams = 27;
    const stream = model.stream({ streams, axis: "steps", sizes: { time } });
    // [time, streams, features]
    for (let t = 0; t < time; t++)
      for (let i = 0; i < streams; i++)
        stream.inputs.x!.set(x.slice(t * source, (t + 1) * source), (t * streams + i) * source);
    stream.inputs.lengths!.fill(2);
    stream.reset();
    stream.inputs.x!.fill(Number.NaN); // The encoder is done.
    const whole = (fed: readonly number[][]) => {
      const inputs = { x: fed.flatMap(() => x), lengths: fed.map(() => 2), token: fed.flat() };
      return model.predict({ sizes: { batch: fed.length, time, steps }, inputs }).logits!;
    };
    expectSame(beamSearch(stream, { first, end, steps }), ranked(everySequence([first], whole), 0.6));
  });

  it("takes rows for full until it is told their lengths", () => {
    const logits = (length: number | undefined) => {
      const stream = model.stream({ axis: "steps", sizes: { time } });
      stream.inputs.x!.set([1, -1, 0.5, 2, 3, -2]);
      if (length !== undefined) stream.inputs.lengths!.fill(length);
      stream.reset();
      return [...stream.step().logits!];
    };
    expect(logits(undefined)).toEqual(logits(time));
    expect(logits(undefined)).not.toEqual(logits(time - 1));
  });

  it("says which streams there are to follow", () => {
    const stream = model.stream({ streams: 2, axis: "steps", sizes: { time } });
    expect(() => stream.reorder([0, 2])).toThrow(
      "stream: reorder is 0, 2, expected 2 numbers of 0 … 1.\nSay for each stream which one it follows.",
    );
    expect(() => stream.reorder([0])).toThrow("stream: reorder is 0, expected 2 numbers of 0 … 1.");
  });
});
