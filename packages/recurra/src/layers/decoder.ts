/** The decoder of an encoder–decoder (Sutskever et al. 2014): writes a sequence of tokens, each given those before it. */
import { shift } from "../trace/convolution.ts";
import { add, argmax, equal, gather, less, matmul, positions, random, select } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor, TensorLike } from "../trace/tensor.ts";
import { checkCell } from "./checks.ts";
import { affine, type DecodingOptions, decoding, type Encoded } from "./decoding.ts";
import { type SamplingOptions, sampleClasses } from "./sampling.ts";

export interface DecoderOptions extends DecodingOptions {
  /** Number of different tokens. */
  readonly vocabularySize: number;
  readonly embeddingSize: number;
  /** The token that stands before the first. Default 0. */
  readonly start?: number;
  /** The output layer is the embedding's table, transposed (Press & Wolf 2017). Default false. */
  readonly tied?: boolean;
}

export interface Decoded {
  /** [batch, steps, vocabularySize] */
  readonly logits: Tensor;
  /** Of attention: [batch, steps, time, heads]. */
  readonly weights?: Tensor;
}

export interface Generated extends Decoded {
  /** [batch, steps, 1] */
  readonly tokens: Tensor;
}

/** How tokens are drawn. Numbers, or tensors [1] or [batch, 1] that are fed from call to call. */
export interface GenerateOptions extends SamplingOptions<TensorLike> {
  /** A whole number below 2²⁴, [1]: another one draws other tokens. Default: the scope's, which a model changes with each training step. */
  readonly seed?: Tensor;
}

export interface Decoder {
  readonly name: string;
  /**
   * Teacher forcing (Williams & Zipser 1989): each step is given the true token before it. `targets` are whole numbers
   * [batch, steps, 1]. With `sampling`, a probability, a step is given the decoder's own likeliest token instead (scheduled
   * sampling, Bengio et al. 2015), in training only.
   */
  teach(targets: Tensor, encoded: Encoded, scope: Scope, sampling?: number | Tensor): Decoded;
  /**
   * Each step is given the token of the step before: the likeliest, or one drawn by chance as `sampling` says. A drawn token is a
   * function of the logits, the seed, the row and the step.
   * @throws OptionError for a number outside its range.
   */
  generate(encoded: Encoded, scope: Scope, sampling?: GenerateOptions): Generated;
  /**
   * Each step is given the token of `previous` [batch, steps, 1], which begins with the start: for a stream along the steps, whose
   * caller chooses tokens (`generateTokens`, `beamSearch`). The encoder runs when the stream is reset, and in no step.
   */
  advance(previous: Tensor, encoded: Encoded, scope: Scope): Decoded;
}

export function decoder(options: DecoderOptions): Decoder {
  const { cell, vocabularySize, embeddingSize, tied = false, start = 0, axis = "steps" } = options;
  checkCell("decoder", cell);
  const bind = (encoded: Encoded, scope: Scope) => {
    const table = scope.param("embedding", [vocabularySize, embeddingSize], { kind: "normal", deviation: 0.1 });
    const logits = (h: Tensor) =>
      tied
        ? add(
            matmul(table, affine(scope, "projection", embeddingSize, h)),
            scope.param("output.b", [vocabularySize], "zeros"),
          )
        : affine(scope, "output", vocabularySize, h);
    const embed = (tokens: Tensor) => gather(table, tokens);
    const parts = decoding(options, embeddingSize, encoded, scope, (h) => ({ logits: logits(h) }));
    return { embed, ...parts };
  };
  return {
    name: `${cell.name} decoder`,
    teach(targets, encoded, scope, sampling = 0) {
      const { embed, follow, feedBack } = bind(encoded, scope);
      if (sampling !== 0 && scope.training) {
        const stream = scope.nextStream();
        return feedBack({
          ...{ first: start, features: 1, sequences: { targets }, enter: embed },
          leave(made, { targets: given }) {
            const own = argmax(made.logits);
            const drawn = less(random(own.trace.adopt(scope.seed), stream, own.type), sampling);
            return { fed: select(drawn, own, given!), shown: { ...made } };
          },
        });
      }
      const shifted = shift(targets, 1, axis);
      const previous = start === 0 ? shifted : select(equal(positions(targets, axis), 0), start, shifted);
      return follow(embed(previous));
    },
    generate(encoded, scope, { seed = scope.seed, ...sampling } = { temperature: 0 }) {
      const { embed, feedBack } = bind(encoded, scope);
      const stream = sampling.temperature === 0 ? 0 : scope.nextStream();
      return feedBack({
        ...{ first: start, features: 1, sequences: {}, enter: embed },
        leave(made) {
          const tokens = sampleClasses(made.logits, made.logits.trace.adopt(seed), stream, sampling);
          return { fed: tokens, shown: { ...made, tokens } };
        },
      });
    },
    advance(previous, encoded, scope) {
      const { embed, advance } = bind(encoded, scope);
      return advance(embed(previous));
    },
  };
}
