/** A decoder of numbers: writes a sequence of rows, each given the one before it. Forecasts, movements, audio. */
import { OptionError, ShapeError } from "../base/errors.ts";
import { formatType } from "../base/shapes.ts";
import { shift } from "../trace/convolution.ts";
import { concat, equal, less, positions, random, select } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import { checkCell } from "./checks.ts";
import { affine, type DecodingOptions, decoding, type Encoded } from "./decoding.ts";

export interface ValueDecoderOptions extends DecodingOptions {
  /** Numbers of one step. */
  readonly size: number;
  /** Numbers that a step gives, where it is not the next row itself: the parameters of a distribution, say. Default `size`. */
  readonly outputSize?: number;
  /** The next row [.., size] of what a step gives [.., outputSize]: the mean of a distribution, say. Default: all of it. */
  readonly feedBack?: (output: Tensor) => Tensor;
}

export interface EncodedValues extends Encoded {
  /** [batch, size]: what stands before the first step, the last row observed, say. Default: zeros. */
  readonly before?: Tensor;
  /** [batch, steps, features]: what is known of each step beforehand, as the calendar is. Read beside the row before. */
  readonly known?: Tensor;
}

export interface DecodedValues {
  /** [batch, steps, outputSize] */
  readonly values: Tensor;
  /** Of attention: [batch, steps, time, heads]. */
  readonly weights?: Tensor;
}

/**
 * The row that a step gives is an affine map of its state, so it may be any number. What is fed back carries its gradient: a network
 * trained on what it has written itself learns through all of it.
 */
export interface ValueDecoder {
  readonly name: string;
  /**
   * Teacher forcing: each step is given the true row before it, of `targets` [batch, steps, size]. With `sampling`, a probability, a
   * step is given what the decoder itself fed back instead (scheduled sampling, Bengio et al. 2015), in training only; with 1 always.
   */
  teach(targets: Tensor, encoded: EncodedValues, scope: Scope, sampling?: number | Tensor): DecodedValues;
  /** Each step is given what the step before fed back. */
  generate(encoded: EncodedValues, scope: Scope): DecodedValues;
  /**
   * Each step is given its row of `previous` [batch, steps, size], which begins with what stands before the first step: for a stream
   * along the steps. The encoder runs when the stream is reset, and in no step.
   */
  advance(previous: Tensor, encoded: Omit<EncodedValues, "before">, scope: Scope): DecodedValues;
}

/** @throws OptionError when a step gives other than `size` numbers and `feedBack` does not say which come next. */
export function valueDecoder(options: ValueDecoderOptions): ValueDecoder {
  const { cell, size, outputSize = size, feedBack, axis = "steps" } = options;
  checkCell("valueDecoder", cell);
  if (outputSize !== size && feedBack === undefined) {
    throw new OptionError({
      where: "value decoder: outputSize",
      given: `${outputSize} without feedBack`,
      expected: `${size}, the size of what is fed back`,
      mend: "say with feedBack what the next step is given: (output) => slice(output, 0, 1), say",
    });
  }
  const next = (output: Tensor) => checkedRow(feedBack?.(output) ?? output, size);
  const bind = (encoded: EncodedValues, scope: Scope) => {
    const { known } = encoded;
    const enter = (row: Tensor, beside = known) => (beside === undefined ? row : concat(row, beside));
    const parts = decoding(options, size + (known?.size ?? 0), encoded, scope, (h) => ({
      values: affine(scope, "output", outputSize, h),
    }));
    return { enter, known: known === undefined ? {} : { known }, ...parts };
  };
  return {
    name: `${cell.name} value decoder`,
    teach(targets, encoded, scope, sampling = 0) {
      const { before } = encoded;
      const { enter, known, follow, feedBack: feed } = bind(encoded, scope);
      if (sampling !== 0 && scope.training) {
        const stream = scope.nextStream();
        return feed({
          ...{ first: before ?? 0, features: size, sequences: { targets, ...known } },
          enter: (fed, x) => enter(fed, x["known"]),
          leave(made, { targets: given }) {
            const { axes } = made.values.type;
            const seed = made.values.trace.adopt(scope.seed);
            const drawn = less(random(seed, stream, { axes, shape: [1] }), sampling);
            return { fed: select(drawn, next(made.values), given!), shown: { ...made } };
          },
        });
      }
      const shifted = shift(targets, 1, axis);
      return follow(
        enter(before === undefined ? shifted : select(equal(positions(targets, axis), 0), before, shifted)),
      );
    },
    generate(encoded, scope) {
      const { enter, known, feedBack: feed } = bind(encoded, scope);
      return feed({
        ...{ first: encoded.before ?? 0, features: size, sequences: known },
        enter: (fed, x) => enter(fed, x["known"]),
        leave: (made) => ({ fed: next(made.values), shown: { ...made } }),
      });
    },
    advance(previous, encoded, scope) {
      const { enter, advance } = bind(encoded, scope);
      return advance(enter(previous));
    },
  };
}

function checkedRow(row: Tensor, size: number): Tensor {
  if (row.size === size) return row;
  throw new ShapeError({
    where: "value decoder: what is fed back",
    given: formatType(row.type),
    expected: `[.., ${size}]`,
    mend: "let feedBack give as many numbers as a step is given",
  });
}
