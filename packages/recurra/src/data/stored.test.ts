import { describe, expect, it } from "vitest";
import { parseCategories, parseScaler, parseVocabulary } from "./stored.ts";

describe("preparation from a file", () => {
  const scaler = { columns: ["x", "y"], mean: [1, 2], deviation: [3, 4], constant: [] };

  it("is what was saved", () => {
    expect(parseScaler(scaler)).toBe(scaler);
    for (const vocabulary of [{ tokens: ["a", "b"] }, { tokens: ["a", "?"], unknown: "?" }])
      expect(parseVocabulary(vocabulary)).toBe(vocabulary);
    const categories = { column: "place", values: ["here"] };
    expect(parseCategories(categories)).toBe(categories);
  });

  const mend = "\nGive what was saved with the model, under its name.";
  it.each([
    [() => parseScaler({ ...scaler, mean: [1] }), "the scaler.mean is 1 numbers, expected 2, one for each column."],
    [() => parseScaler({ ...scaler, deviation: [1, 0] }), "the scaler.deviation[1] is 0, expected a positive number."],
    [() => parseScaler(undefined, "scaler of x"), "scaler of x is missing, expected an object."],
    [() => parseVocabulary({ tokens: ["a", 1] }), "the vocabulary.tokens[1] is 1, expected a text."],
    [
      () => parseVocabulary({ tokens: ["a", "b", "b"] }),
      'the vocabulary.tokens is a list with "b" twice, expected each token once.',
    ],
    [
      () => parseVocabulary({ tokens: ["a"], unknown: "?" }),
      'the vocabulary.unknown is "?", expected one of the tokens.',
    ],
    [() => parseCategories({ column: "place" }), "the categories.values is missing, expected a list."],
  ])("is refused where it is something else: %#", (parse, message) => {
    expect(parse).toThrow(message + mend);
  });
});
