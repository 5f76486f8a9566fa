import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeTokens, encodeTokens, fitVocabulary, padSequences } from "./vocabulary.ts";

const reviews = ["movie was good", "movie was bad bad"].map((text) => text.split(" "));

describe("a vocabulary", () => {
  it("has the special tokens first, then the others by frequency, equal ones as they came", () => {
    const { tokens } = fitVocabulary(reviews, { special: ["<pad>"], unknown: "<unk>" });
    expect(tokens).toEqual(["<pad>", "<unk>", "movie", "was", "bad", "good"]);
  });

  it("leaves out what is rare, and keeps no more than asked for", () => {
    expect(fitVocabulary(reviews, { atLeast: 2 }).tokens).toEqual(["movie", "was", "bad"]);
    expect(fitVocabulary(reviews, { special: ["<pad>"], most: 3 }).tokens).toEqual(["<pad>", "movie", "was"]);
  });

  it("gives back what it has encoded, from its stored form too", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string())), (sequences) => {
        const vocabulary = fitVocabulary(sequences);
        const stored = JSON.parse(JSON.stringify(vocabulary)) as typeof vocabulary; // What was written the line before.
        for (const sequence of sequences)
          expect(decodeTokens(stored, encodeTokens(vocabulary, sequence))).toEqual(sequence);
      }),
      { seed: 3 },
    );
  });

  it("has one number for all unknown tokens, or refuses them", () => {
    const open = fitVocabulary(reviews, { unknown: "<unk>" });
    expect(encodeTokens(open, ["good", "film", "plot"])).toEqual([4, 0, 0]);
    expect(() => encodeTokens(fitVocabulary(reviews), ["good", "film"])).toThrow(
      'encodeTokens: token 2 is "film", expected one of the 4 tokens of the vocabulary.\nFit the vocabulary with a token for unknown ones.',
    );
    expect(() => decodeTokens(open, [0, 9])).toThrow(
      "decodeTokens: number 2 is 9, expected 0 … 4.\nDecode with the vocabulary that the model was trained with.",
    );
  });

  it("refuses to be smaller than its special tokens", () => {
    expect(() => fitVocabulary(reviews, { special: ["<pad>"], most: 1 })).toThrow(
      "fitVocabulary: most is 1, expected a whole number of at least 2.\nCount tokens; the special ones count too.",
    );
  });
});

describe("padSequences", () => {
  it("lays sequences side by side with their lengths", () => {
    const { sizes, values, lengths } = padSequences([[1, 2, 3, 4], [], [5, 6]], { features: 2, fill: -1 });
    expect(sizes).toEqual({ batch: 3, time: 2 });
    expect([...values]).toEqual([1, 2, 3, 4, -1, -1, -1, -1, 5, 6, -1, -1]);
    expect([...lengths]).toEqual([2, 0, 1]);
  });

  it("refuses a timestep without all of its features", () => {
    expect(() => padSequences([[1, 2], [3]], { features: 2 })).toThrow(
      "padSequences: sequence 2 is 1 numbers, expected a multiple of 2, a row of features for each timestep.\nGive every timestep all of its features.",
    );
  });
});
