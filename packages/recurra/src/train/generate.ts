/** Sequences of tokens from a stream, one token after the other, by chance. */
import { checkSampling, type SamplingOptions, sampleLogits } from "../layers/sampling.ts";
import type { Stream } from "./stream.ts";
import { tokenStream, type WritingOptions, type Written } from "./tokens.ts";

export interface GenerateTokensOptions extends WritingOptions, SamplingOptions {
  /** A whole number. Default 1. */
  readonly seed?: number;
}

/**
 * Each stream writes a sequence from where it stands: it was reset, or has been given all of a prompt but the last token.
 *
 *     const stream = model.stream({ streams: 3 });
 *     const written = generateTokens(stream, { first: start, end, steps: 40, temperature: 0.8, topP: 0.95, seed: 7 });
 *
 * Token t of stream i is a function of its logits, the options, i and t: the same seed writes the same, on any number of streams. With
 * temperature 0 every token is the likeliest.
 * @throws OptionError for options outside their range; DataError when logits are NaN.
 */
export function generateTokens(stream: Stream, options: GenerateTokensOptions): readonly Written[] {
  const { first, end, steps, seed = 1 } = options;
  checkSampling(options);
  const { give, logits, logNorm } = tokenStream(stream, "generateTokens", options);
  const written = logits.map(() => ({ tokens: [] as number[], logProbability: 0, ended: false }));
  for (let i = 0; i < stream.streams; i++) give(i, first);
  for (let t = 0; t < steps && written.some(({ ended }) => !ended); t++) {
    stream.step();
    written.forEach((own, i) => {
      if (own.ended) return;
      const token = sampleLogits(logits[i]!, { seed, positions: [i, t] }, options);
      own.logProbability += logits[i]![token]! - logNorm(i);
      own.ended = token === end;
      if (!own.ended) own.tokens.push(token);
      give(i, token);
    });
  }
  return written;
}
