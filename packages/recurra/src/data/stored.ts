/** Preparation as it comes back from a file: checked at the border, once. */
import { FormatError } from "../base/errors.ts";
import { finite, list, type Misfit, numberThat, object, optional, type Shape, text } from "../base/plainData.ts";
import type { Categories } from "./categories.ts";
import type { Scaler } from "./scaler.ts";
import type { Vocabulary } from "./vocabulary.ts";

// The keys are those of the types, so a new field without its row does not compile.
const scalerFields = object({
  columns: list(text),
  mean: list(finite),
  deviation: list(numberThat("a positive number", (x) => x > 0)),
  constant: list(text),
} satisfies Record<keyof Scaler, Shape>);

const vocabularyFields = object({
  tokens: list(text),
  unknown: optional(text),
} satisfies Record<keyof Vocabulary, Shape>);

export const categoriesShape = object({ column: text, values: list(text) } satisfies Record<keyof Categories, Shape>);

export const scalerShape: Shape = (value, path) => {
  const misfit = scalerFields(value, path);
  if (misfit !== undefined) return misfit;
  const { columns, mean, deviation } = value as Scaler; // Its fields have just been looked through.
  for (const [name, { length }] of Object.entries({ mean, deviation })) {
    if (length === columns.length) continue;
    return { path: `${path}.${name}`, given: `${length} numbers`, expected: `${columns.length}, one for each column` };
  }
  return undefined;
};

const vocabularyShape: Shape = (value, path) => {
  const misfit = vocabularyFields(value, path);
  if (misfit !== undefined) return misfit;
  const { tokens, unknown } = value as Vocabulary; // Its fields have just been looked through.
  const known = new Set(tokens);
  if (known.size < tokens.length) {
    const twice = tokens.find((token, k) => tokens.indexOf(token) < k);
    return { path: `${path}.tokens`, given: `a list with ${JSON.stringify(twice)} twice`, expected: "each token once" };
  }
  if (unknown === undefined || known.has(unknown)) return undefined;
  return { path: `${path}.unknown`, given: JSON.stringify(unknown), expected: "one of the tokens" };
};

/** What `fitScaler` gave, from a file. @throws FormatError, which calls it `where`, for anything else. */
export function parseScaler(value: unknown, where = "the scaler"): Scaler {
  checked(value, where, scalerShape);
  return value as Scaler; // Just checked.
}

/** What `fitVocabulary` gave, from a file. @throws FormatError, which calls it `where`, for anything else. */
export function parseVocabulary(value: unknown, where = "the vocabulary"): Vocabulary {
  checked(value, where, vocabularyShape);
  return value as Vocabulary; // Just checked.
}

/** What `fitCategories` gave, from a file. @throws FormatError, which calls it `where`, for anything else. */
export function parseCategories(value: unknown, where = "the categories"): Categories {
  checked(value, where, categoriesShape);
  return value as Categories; // Just checked.
}

function checked(value: unknown, where: string, shape: Shape): void {
  const misfit: Misfit | undefined = shape(value, where);
  if (misfit === undefined) return;
  const { path, given, expected } = misfit;
  throw new FormatError({ where: path, given, expected, mend: "give what was saved with the model, under its name" });
}
