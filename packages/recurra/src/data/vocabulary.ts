/** Tokens of text or of any other symbols: a vocabulary learned on the training part, and sequences of unequal lengths side by side. */
import { DataError, OptionError } from "../base/errors.ts";

/** Plain data, to be stored with the model: a token's number is its place. */
export interface Vocabulary {
  readonly tokens: readonly string[];
  /** What stands for a token that is not in the vocabulary; absent where such a token is refused. */
  readonly unknown?: string;
}

export interface VocabularyOptions {
  /** Tokens that come first whether they occur or not, in this order: those of padding, beginning and end. Default: none. */
  readonly special?: readonly string[];
  /** The token that stands for all others, behind the special ones. Default: none, and others are refused. */
  readonly unknown?: string;
  /** How often a token must occur to have a number. Default 1. */
  readonly atLeast?: number;
  /** Tokens at most, the special and the unknown one among them; the most frequent are kept. Default: all. */
  readonly most?: number;
}

/**
 * The vocabulary of some sequences of tokens: special ones, the unknown one, then the others by falling frequency, equally frequent ones
 * in the order of their first appearance. Fit it on the training part alone.
 * @throws OptionError for counts that are no positive whole numbers, and where `most` leaves no room for a token that occurs.
 */
export function fitVocabulary(
  sequences: Iterable<Iterable<string>>,
  { special = [], unknown, atLeast = 1, most = Number.MAX_SAFE_INTEGER }: VocabularyOptions = {},
): Vocabulary {
  const first = [...special, ...(unknown === undefined ? [] : [unknown])];
  for (const [name, given, least] of [["atLeast", atLeast, 1] as const, ["most", most, first.length + 1] as const]) {
    if (Number.isInteger(given) && given >= least) continue;
    throw new OptionError({
      where: `fitVocabulary: ${name}`,
      given: String(given),
      expected: `a whole number of at least ${least}`,
      mend: "count tokens; the special ones count too",
    });
  }
  const counts = new Map<string, number>();
  for (const sequence of sequences) for (const token of sequence) counts.set(token, (counts.get(token) ?? 0) + 1);
  for (const token of first) counts.delete(token);
  const frequent = [...counts].filter(([, count]) => count >= atLeast).sort(([, a], [, b]) => b - a);
  const tokens = [...first, ...frequent.map(([token]) => token)].slice(0, most);
  return unknown === undefined ? { tokens } : { tokens, unknown };
}

/** Numbers of tokens. @throws DataError for a token that the vocabulary lacks, where it has none for unknown ones. */
export function encodeTokens(vocabulary: Vocabulary, tokens: Iterable<string>): number[] {
  const numbers = numbersOf(vocabulary);
  const unknown = vocabulary.unknown === undefined ? undefined : numbers.get(vocabulary.unknown);
  return Array.from(tokens, (token, i) => {
    const number = numbers.get(token) ?? unknown;
    if (number !== undefined) return number;
    throw new DataError({
      where: `encodeTokens: token ${i + 1}`,
      given: JSON.stringify(token),
      expected: `one of the ${vocabulary.tokens.length} tokens of the vocabulary`,
      mend: "fit the vocabulary with a token for unknown ones",
    });
  });
}

/** Tokens of numbers: what `encodeTokens` was given, where all of it is in the vocabulary. @throws DataError for a number that is no token's. */
export function decodeTokens({ tokens }: Vocabulary, numbers: ArrayLike<number>): string[] {
  return Array.from(numbers, (number, i) => {
    const token = tokens[number];
    if (token !== undefined) return token;
    throw new DataError({
      where: `decodeTokens: number ${i + 1}`,
      given: String(number),
      expected: `0 … ${tokens.length - 1}`,
      mend: "decode with the vocabulary that the model was trained with",
    });
  });
}

const known = new WeakMap<Vocabulary, ReadonlyMap<string, number>>();

function numbersOf(vocabulary: Vocabulary): ReadonlyMap<string, number> {
  const found = known.get(vocabulary) ?? new Map(vocabulary.tokens.map((token, number) => [token, number]));
  known.set(vocabulary, found);
  return found;
}

export interface Padded {
  /** Of a batch's sizes. */
  readonly sizes: { readonly batch: number; readonly time: number };
  /** [batch, time, features], what is behind a row's length filled up. */
  readonly values: Float32Array<ArrayBuffer>;
  /** [batch, 1]: the input "lengths" of a network with `variableLengths`. */
  readonly lengths: Float32Array<ArrayBuffer>;
}

/**
 * Sequences of unequal lengths as one batch: each is [timesteps, features], `time` is that of the longest, and `fill`, default 0, stands
 * behind the others.
 * @throws DataError for a sequence that is no rows of features.
 */
export function padSequences(
  sequences: readonly ArrayLike<number>[],
  { features = 1, fill = 0 }: { readonly features?: number; readonly fill?: number } = {},
): Padded {
  const lengths = Float32Array.from(sequences, (sequence, row) => {
    if (sequence.length % features === 0) return sequence.length / features;
    throw new DataError({
      where: `padSequences: sequence ${row + 1}`,
      given: `${sequence.length} numbers`,
      expected: `a multiple of ${features}, a row of features for each timestep`,
      mend: "give every timestep all of its features",
    });
  });
  const time = lengths.reduce((longest, length) => Math.max(longest, length), 0);
  const values = new Float32Array(sequences.length * time * features).fill(fill);
  for (const [row, sequence] of sequences.entries()) values.set(sequence, row * time * features);
  return { sizes: { batch: sequences.length, time }, values, lengths };
}
