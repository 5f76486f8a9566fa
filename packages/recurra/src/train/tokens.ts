/** A stream that writes tokens: each step is given one and gives logits of the next. */
import { DataError, lookup, OptionError, ShapeError } from "../base/errors.ts";
import type { Stream } from "./stream.ts";

export interface WritingOptions {
  /** The token that the first step is given: the start, or the last of a prompt whose other tokens the stream has been given. */
  readonly first: number;
  /** The token that ends a sequence and is not part of it. Default: none does. */
  readonly end?: number;
  /** Tokens at most, the end among them. */
  readonly steps: number;
  /** The stream's input that takes the token: one number, or a one-hot row of as many as there are logits. Default "token". */
  readonly input?: string;
  /** The stream's output that holds the logits of the next token. Default "logits". */
  readonly output?: string;
}

export interface Written {
  readonly tokens: readonly number[];
  /** Of the tokens, and of the end, each given those before it: nats, by the softmax of the logits as they are. */
  readonly logProbability: number;
  /** Whether the end was written; else the steps were over. */
  readonly ended: boolean;
}

export interface TokenStream {
  /** Views of each stream's logits. */
  readonly logits: readonly Float32Array[];
  /** Puts a token where stream i reads it. */
  give(i: number, token: number): void;
  /** log Σ exp of the logits of stream i. @throws DataError when they are NaN. */
  logNorm(i: number): number;
}

/** @throws OptionError for a wrong name, token or number of steps; ShapeError when the input is neither a token nor a row of them. */
export function tokenStream(stream: Stream, what: string, options: WritingOptions): TokenStream {
  const { first, end, steps, input = "token", output = "logits" } = options;
  const { streams } = stream;
  const fed = lookup("input of the stream", input, stream.inputs);
  const given = lookup("output of the stream", output, stream.outputs);
  const classes = given.length / streams;
  const width = fed.length / streams;
  const expect = (where: string, value: number, holds: boolean, expected: string, mend: string) => {
    if (Number.isInteger(value) && holds) return;
    throw new OptionError({ where: `${what}: ${where}`, given: String(value), expected, mend });
  };
  const tokens = `one of the tokens 0 … ${classes - 1}`;
  expect("first", first, first >= 0 && first < classes, tokens, "give the start, or the last token of the prompt");
  if (end !== undefined) expect("end", end, end >= 0 && end < classes, tokens, "leave it out where no token ends");
  expect("steps", steps, steps >= 1, "1, 2, 3, …", "say how long a sequence may become");
  if (width !== 1 && width !== classes) {
    throw new ShapeError({
      where: `${what}: input "${input}"`,
      given: `${width} numbers`,
      expected: `1, or one for each of the ${classes} logits`,
      mend: "feed tokens as whole numbers, or one-hot",
    });
  }
  const logits = Array.from({ length: streams }, (_, i) => given.subarray(i * classes, (i + 1) * classes));
  return {
    logits,
    give(i, token) {
      if (width > 1) fed.fill(0, i * width, (i + 1) * width);
      fed[width > 1 ? i * width + token : i] = width > 1 ? 1 : token;
    },
    logNorm(i) {
      const row = logits[i]!;
      let top = Number.NEGATIVE_INFINITY;
      for (let token = 0; token < row.length; token++) top = Math.max(top, row[token]!); // NaN if any is.
      let sum = 0;
      for (let token = 0; token < row.length; token++) sum += Math.exp(row[token]! - top);
      const norm = top + Math.log(sum);
      if (Number.isFinite(norm)) return norm;
      throw new DataError({
        where: `${what}: logits of stream ${i}`,
        given: row.join(", "),
        expected: "numbers, not all −∞",
        mend: "look for NaN in what the network was fed with",
      });
    },
  };
}
