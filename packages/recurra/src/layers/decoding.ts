/** What decoders share: a stack of cells that goes on from what an encoder hands over, and may attend to its steps. */
import { ShapeError } from "../base/errors.ts";
import { type Axis, formatType } from "../base/shapes.ts";
import type { Cell, CellInitializers } from "../trace/cell.ts";
import { add, broadcast, concat, matmul, tanh } from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import type { Scope } from "../trace/scope.ts";
import { Tensor, type TensorLike } from "../trace/tensor.ts";
import type { Attention } from "./attention.ts";
import { dropout as dropoutLayer } from "./dropout.ts";
import type { States } from "./recurrent.ts";

export interface DecodingOptions {
  readonly cell: Cell;
  readonly hiddenSize: number;
  /** Layers on top of each other. Default 1. */
  readonly depth?: number;
  /**
   * Share of what enters each layer, and of what the output is made of, dropped in training, anew in every step (Zaremba et al. 2014,
   * arXiv:1409.2329). Default 0.
   */
  readonly dropout?: number;
  /** How the cells' weights begin, by kind ("W", "R", "b", "rb") or by kind and block ("b.f"). Default: the cell's own choice. */
  readonly initialize?: CellInitializers;
  /** Default: none; the decoder then knows only its first states. */
  readonly attention?: Attention;
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

type Tensors = Readonly<Record<string, Tensor>>;

/** What a step makes, and the weights of attention, if it attends. */
export type Made<Outputs> = Outputs & { readonly weights?: Tensor };

export interface FeedingBack<Outputs, Shown> {
  /** What stands before the first step, for every row [features]. */
  readonly first: TensorLike;
  readonly features: number;
  readonly sequences: Tensors;
  /** What the cells are given, of what is fed back and of the step's elements. */
  readonly enter: (fed: Tensor, x: Tensors) => Tensor;
  readonly leave: (made: Made<Outputs>, x: Tensors) => { readonly fed: Tensor; readonly shown: Shown };
}

export interface Decoding<Outputs extends Tensors> {
  /** Each step is given its row of x. What can wait for all steps is done for all of them at once. */
  follow(x: Tensor): Made<Outputs>;
  /** The same for a stream: all that comes from the encoder is a state, made once before the first step. */
  advance(x: Tensor): Made<Outputs>;
  /** Each step is given what is made of the step before. */
  feedBack<Shown extends Tensors>(feeding: FeedingBack<Outputs, Shown>): { readonly [K in keyof Shown]: Tensor };
}

/**
 * `read` makes a step's outputs of a row of hiddenSize features: the uppermost layer's output, or with attention both it and what
 * was read, as tanh(W·[h, context]) (Luong et al. 2015, eq. 5).
 */
export function decoding<Outputs extends Tensors>(
  { cell, hiddenSize, depth = 1, dropout = 0, initialize, attention, axis = "steps" }: DecodingOptions,
  inputSize: number,
  { initial, memory }: Encoded,
  scope: Scope,
  read: (h: Tensor) => Outputs,
): Decoding<Outputs> {
  const layers = Array.from({ length: depth }, (_, layer) => {
    const sizes = { inputSize: layer === 0 ? inputSize : hiddenSize, hiddenSize };
    return { prefix: `${layer}.forward.`, sizes, step: cell.bind(scope.in(`${layer}.forward`), sizes, initialize) };
  });
  const attending = memory === undefined ? undefined : attention?.prepare(memory, scope.in("attention"), hiddenSize);
  const first = firstStates(
    initial,
    layers.flatMap(({ prefix, sizes }) =>
      cell.states.map((state) => [prefix + state, cell.stateSize(state, sizes)] as const),
    ),
    scope,
  );
  const thinned = (x: Tensor) => dropoutLayer(dropout).apply(x, scope);
  const step = (x: Tensor, states: States) => {
    const next: Record<string, Tensor> = {};
    let h = x;
    for (const { prefix, step: stepCell } of layers) {
      const made = stepCell(
        thinned(h),
        Object.fromEntries(cell.states.map((state) => [state, states[prefix + state]!])),
      );
      for (const state of cell.states) next[prefix + state] = made[state]!;
      h = made[cell.output]!;
    }
    return { next, h };
  };
  const make = (h: Tensor, prepared: Tensors = attending?.prepared ?? {}): Made<Outputs> => {
    if (attending === undefined) return read(thinned(h));
    const { context, weights } = attending.read(h, prepared);
    return { ...read(thinned(tanh(affine(scope, "attended", hiddenSize, concat(h, context))))), weights };
  };
  return {
    follow(x) {
      const { outputs } = scan({
        axis,
        initial: first,
        sequences: { x },
        step: (states, element) => {
          const { next, h } = step(element.x, states);
          return { next, outputs: { h } };
        },
      });
      return make(outputs.h);
    },
    advance(x) {
      const kept = Object.entries(attending?.prepared ?? {}).map(
        ([name, tensor]) => [name, `memory.${name}`, tensor] as const,
      );
      const { outputs } = scan({
        axis,
        initial: { ...first, ...Object.fromEntries(kept.map(([, state, tensor]) => [state, tensor])) },
        sequences: { x },
        step: (states, element) => {
          const { next, h } = step(element.x, states);
          const prepared = Object.fromEntries(kept.map(([name, state]) => [name, states[state]!]));
          return { next: { ...states, ...next }, outputs: make(h, prepared) as Tensors };
        },
      });
      return outputs as Made<Outputs>; // The names of the step's outputs.
    },
    feedBack({ first: before, features, sequences, enter, leave }) {
      const { axes } = Object.values(first)[0]!.type; // A cell has a state.
      const fed = broadcast(typeof before === "number" ? scope.trace.literal(before) : before, {
        axes,
        shape: [features],
      });
      const { outputs } = scan({
        axis,
        initial: { ...first, fed },
        sequences,
        step: ({ fed: previous, ...states }, x) => {
          const { next, h } = step(enter(previous!, x), states);
          const left = leave(make(h), x);
          return { next: { ...next, fed: left.fed }, outputs: left.shown };
        },
      });
      return outputs;
    },
  };
}

/** W·x + b with parameters of this name in the scope. */
export function affine(scope: Scope, name: string, outputs: number, x: Tensor): Tensor {
  const W = scope.param(`${name}.W`, [outputs, x.size], "xavierUniform");
  return add(matmul(W, x), scope.param(`${name}.b`, [outputs], "zeros"));
}

function firstStates(
  initial: States | Tensor,
  states: readonly (readonly [name: string, size: number])[],
  scope: Scope,
): States {
  const first = (name: string, size: number) => {
    if (initial instanceof Tensor) return tanh(affine(scope, `bridge.${name}`, size, initial));
    const given = initial[name];
    if (given !== undefined && given.size === size) return given;
    throw new ShapeError({
      where: `decoder: first state "${name}"`,
      given: given === undefined ? `missing among ${Object.keys(initial).join(", ")}` : formatType(given.type),
      expected: `[batch, ${size}]`,
      mend: "give the final states of an encoder with the same cell, size and depth, or one row from which all are made",
    });
  };
  return Object.fromEntries(states.map(([name, size]) => [name, first(name, size)]));
}
