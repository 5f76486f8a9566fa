/** The decoder of an encoder–decoder (Sutskever et al. 2014): writes a sequence of tokens, each given those before it. */
import { ShapeError } from "../base/errors.ts";
import { type Axis, formatType } from "../base/shapes.ts";
import type { Cell } from "../trace/cell.ts";
import { shift } from "../trace/convolution.ts";
import {
  add,
  argmax,
  broadcast,
  concat,
  equal,
  gather,
  less,
  matmul,
  positions,
  random,
  select,
  tanh,
} from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import type { Scope } from "../trace/scope.ts";
import { Tensor } from "../trace/tensor.ts";
import type { Attention } from "./attention.ts";
import type { States } from "./recurrent.ts";

export interface DecoderOptions {
  readonly cell: Cell;
  readonly hiddenSize: number;
  /** Layers on top of each other. Default 1. */
  readonly depth?: number;
  /** Number of different tokens. */
  readonly vocabularySize: number;
  readonly embeddingSize: number;
  /** The token that stands before the first. Default 0. */
  readonly start?: number;
  /** Default: none; the decoder then knows only its first states. */
  readonly attention?: Attention;
  /** The output layer is the embedding's table, transposed (Press & Wolf 2017). Default false. */
  readonly tied?: boolean;
  /** The axis of what is written. Default "steps". */
  readonly axis?: Axis;
}

/** What the encoder hands over. */
export interface Encoded {
  /**
   * The first states: the `final` ones of a recurrent layer with the same cell, size and depth, or one row [batch, features] from
   * which each is made as tanh(W·row + b).
   */
  readonly initial: States | Tensor;
  /** [batch, time, features]: what attention reads. */
  readonly memory?: Tensor;
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

export interface Decoder {
  readonly name: string;
  /**
   * Teacher forcing (Williams & Zipser 1989): each step is given the true token before it. `targets` are whole numbers
   * [batch, steps, 1]. With `sampling`, a probability, a step is given the decoder's own likeliest token instead (scheduled
   * sampling, Bengio et al. 2015), in training only.
   */
  teach(targets: Tensor, encoded: Encoded, scope: Scope, sampling?: number | Tensor): Decoded;
  /** Each step is given the likeliest token of the step before. */
  generate(encoded: Encoded, scope: Scope): Generated;
}

/** Attention reads for the state after the step, and both make the scores (Luong et al. 2015, eq. 5): tanh(W·[h, context]). */
export function decoder(options: DecoderOptions): Decoder {
  const { cell, start = 0, axis = "steps" } = options;
  const freely = (parts: Parts, sequences: States, nextToken: (own: Tensor, x: States) => Tensor): Generated => {
    const first = Object.values(parts.initial)[0]!; // A cell has a state.
    const token = broadcast(first.trace.literal(start), { axes: first.type.axes, shape: [1] });
    const { outputs } = scan({
      axis,
      initial: { ...parts.initial, token },
      sequences,
      step: ({ token: previous, ...states }, x) => {
        const { next, h } = parts.step(parts.embed(previous!), states);
        const decoded = parts.score(h);
        const own = argmax(decoded.logits);
        return { next: { ...next, token: nextToken(own, x) }, outputs: { ...decoded, tokens: own } };
      },
    });
    return outputs as unknown as Generated; // The names of the step's outputs.
  };
  return {
    name: `${cell.name} decoder`,
    teach(targets, encoded, scope, sampling = 0) {
      const parts = bind(options, encoded, scope);
      if (scope.training && sampling !== 0) {
        const stream = scope.nextStream();
        return freely(parts, { targets }, (own, x) => {
          const drawn = less(random(own.trace.adopt(scope.seed), stream, own.type), sampling);
          return select(drawn, own, x.targets!);
        });
      }
      const shifted = shift(targets, 1, axis);
      const previous = start === 0 ? shifted : select(equal(positions(targets, axis), 0), start, shifted);
      const { outputs } = scan({
        axis,
        initial: parts.initial,
        sequences: { x: parts.embed(previous) },
        step: (states, { x }) => {
          const { next, h } = parts.step(x, states);
          return { next, outputs: { h } };
        },
      });
      return parts.score(outputs.h);
    },
    generate: (encoded, scope) => freely(bind(options, encoded, scope), {}, (own) => own),
  };
}

interface Parts {
  readonly initial: States;
  /** Tokens [.., 1] to rows [.., embeddingSize]. */
  readonly embed: (tokens: Tensor) => Tensor;
  /** `h` is the output of the uppermost layer. */
  readonly step: (x: Tensor, states: States) => { readonly next: States; readonly h: Tensor };
  /** Outputs [.., hiddenSize], of one step or of all, to scores of the vocabulary. */
  readonly score: (h: Tensor) => Decoded;
}

function bind(options: DecoderOptions, { initial, memory }: Encoded, scope: Scope): Parts {
  const { cell, hiddenSize, depth = 1, vocabularySize, embeddingSize, attention, tied = false } = options;
  const table = scope.param("embedding", [vocabularySize, embeddingSize], { kind: "normal", deviation: 0.1 });
  const layers = Array.from({ length: depth }, (_, layer) => {
    const sizes = { inputSize: layer === 0 ? embeddingSize : hiddenSize, hiddenSize };
    return { prefix: `${layer}.forward.`, sizes, step: cell.bind(scope.in(`${layer}.forward`), sizes) };
  });
  const read = memory === undefined ? undefined : attention?.over(memory, scope.in("attention"), hiddenSize);
  const dense = (name: string, outputs: number, x: Tensor) =>
    add(
      matmul(scope.param(`${name}.W`, [outputs, x.size], "xavierUniform"), x),
      scope.param(`${name}.b`, [outputs], "zeros"),
    );
  const logits = (h: Tensor) =>
    tied
      ? add(matmul(table, dense("projection", embeddingSize, h)), scope.param("output.b", [vocabularySize], "zeros"))
      : dense("output", vocabularySize, h);
  const first = (name: string, size: number) => {
    if (initial instanceof Tensor) return tanh(dense(`bridge.${name}`, size, initial));
    const given = initial[name];
    if (given !== undefined && given.size === size) return given;
    throw new ShapeError({
      where: `decoder: first state "${name}"`,
      given: given === undefined ? `missing among ${Object.keys(initial).join(", ")}` : formatType(given.type),
      expected: `[batch, ${size}]`,
      mend: "give the final states of an encoder with the same cell, size and depth, or one row from which all are made",
    });
  };
  const states = layers.flatMap(({ prefix, sizes }) =>
    cell.states.map((state) => [prefix + state, cell.stateSize(state, sizes)] as const),
  );
  return {
    initial: Object.fromEntries(states.map(([name, size]) => [name, first(name, size)])),
    embed: (tokens) => gather(table, tokens),
    step: (x, states) => {
      const next: Record<string, Tensor> = {};
      let h = x;
      for (const { prefix, step } of layers) {
        const made = step(h, Object.fromEntries(cell.states.map((state) => [state, states[prefix + state]!])));
        for (const state of cell.states) next[prefix + state] = made[state]!;
        h = made[cell.output]!;
      }
      return { next, h };
    },
    score: (h) => {
      if (read === undefined) return { logits: logits(h) };
      const { context, weights } = read(h);
      return { logits: logits(tanh(dense("attended", hiddenSize, concat(h, context)))), weights };
    },
  };
}
