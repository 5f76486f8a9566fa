/** A recurrent cell is the equations of one timestep. */
import type { Initializer, InitializerName } from "../init/initializers.ts";
import type { Scope } from "./scope.ts";
import type { Tensor } from "./tensor.ts";

export interface CellSizes {
  readonly inputSize: number;
  readonly hiddenSize: number;
}

/** Weights of a cell by block (gate). A weight comes into being when a step first reads it. */
export interface CellWeights<Block extends string> {
  /** Input weights [hiddenSize, inputSize]. */
  readonly W: { readonly [B in Block]: Tensor };
  /** Recurrent weights [hiddenSize, hiddenSize]. */
  readonly R: { readonly [B in Block]: Tensor };
  /** Biases [hiddenSize]. */
  readonly b: { readonly [B in Block]: Tensor };
  /** Biases of the recurrent product [hiddenSize], for cells that keep them apart. */
  readonly rb: { readonly [B in Block]: Tensor };
}

export interface ExtraParameter {
  readonly shape: (sizes: CellSizes) => readonly number[];
  readonly initializer: Initializer | InitializerName;
}

export interface CellDefinition<State extends string, Block extends string, Extra extends string = never> {
  readonly name: string;
  /** State names; each has hiddenSize features and starts at 0. The first is the cell's output unless `output` names another. */
  readonly state: readonly [State, ...State[]];
  readonly output?: State;
  readonly blocks: readonly Block[];
  /** Parameters besides W, R and b. */
  readonly parameters?: { readonly [E in Extra]: ExtraParameter };
  /** Default: Xavier uniform, orthogonal, zeros, zeros. */
  readonly initialize?: CellInitializers;
  /** One timestep: x [batch, inputSize] and states [batch, hiddenSize] to the next states. */
  readonly step: (
    values: { readonly x: Tensor } & { readonly [S in State]: Tensor },
    weights: CellWeights<Block> & { readonly [E in Extra]: Tensor },
    sizes: CellSizes,
  ) => { readonly [S in State]: Tensor };
}

/** How weights begin, by kind ("W", "R", "b", "rb") or by kind and block ("b.f"), which comes first. */
export type CellInitializers = Readonly<Record<string, Initializer | InitializerName>>;

export interface Cell {
  readonly name: string;
  readonly states: readonly string[];
  readonly output: string;
  /** Declares the weights in a scope and returns the step. `initialize` comes before the cell's own choice. */
  bind(
    scope: Scope,
    sizes: CellSizes,
    initialize?: CellInitializers,
  ): (x: Tensor, states: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
}

const defaults: Readonly<Record<string, InitializerName>> = {
  W: "xavierUniform",
  R: "orthogonal",
  b: "zeros",
  rb: "zeros",
};

/**
 * A cell from its equations. It is traced, differentiated and compiled like the built-in ones, to the same speed.
 *
 *     const mgu = defineCell({
 *       name: "mgu",
 *       state: ["h"],
 *       blocks: ["f", "h"],
 *       step: ({ x, h }, { W, R, b }) => {
 *         const f = sigmoid(add(matmul(W.f, x), matmul(R.f, h), b.f));
 *         const candidate = tanh(add(matmul(W.h, x), matmul(R.h, mul(f, h)), b.h));
 *         return { h: add(mul(sub(1, f), h), mul(f, candidate)) };
 *       },
 *     });
 */
export function defineCell<State extends string, Block extends string, Extra extends string = never>(
  definition: CellDefinition<State, Block, Extra>,
): Cell {
  const { name, state, blocks } = definition;
  return {
    name,
    states: state,
    output: definition.output ?? state[0],
    bind(scope, sizes, asked = {}) {
      const { inputSize, hiddenSize } = sizes;
      const initializer = (kind: string, block: string) =>
        [asked, definition.initialize ?? {}]
          .map((choice) => choice[`${kind}.${block}`] ?? choice[kind])
          .find((choice) => choice !== undefined) ?? defaults[kind]!;
      const family = (kind: "W" | "R" | "b" | "rb", shape: readonly number[]) =>
        lazily(blocks, (block) => scope.param(`${kind}.${block}`, shape, initializer(kind, block)));
      const extras = definition.parameters;
      const extraNames = Object.keys(extras ?? {}) as Extra[]; // The keys are the type's own.
      const weights = {
        W: family("W", [hiddenSize, inputSize]),
        R: family("R", [hiddenSize, hiddenSize]),
        b: family("b", [hiddenSize]),
        rb: family("rb", [hiddenSize]),
      };
      const extra = lazily(extraNames, (key) => scope.param(key, extras![key].shape(sizes), extras![key].initializer));
      const all = Object.defineProperties(weights, Object.getOwnPropertyDescriptors(extra)) as typeof weights &
        typeof extra; // Both sets of properties are there now.
      return (x, states) => definition.step({ ...states, x } as { x: Tensor } & { [S in State]: Tensor }, all, sizes); // `states` has the names in `state`.
    },
  };
}

/** An object whose properties are computed when first read, and then kept. */
function lazily<Key extends string>(keys: readonly Key[], make: (key: Key) => Tensor): { readonly [K in Key]: Tensor } {
  const made = new Map<Key, Tensor>();
  const object = {};
  for (const key of keys) {
    Object.defineProperty(object, key, {
      enumerable: true,
      get: () => {
        const tensor = made.get(key) ?? make(key);
        made.set(key, tensor);
        return tensor;
      },
    });
  }
  return object as { readonly [K in Key]: Tensor }; // Every key has its getter.
}
