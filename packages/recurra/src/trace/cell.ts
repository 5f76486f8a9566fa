/** A recurrent cell is the equations of one timestep. */
import type { Initializer, InitializerName } from "../init/initializers.ts";
import type { Scope } from "./scope.ts";
import type { Tensor } from "./tensor.ts";

export interface CellSizes {
  readonly inputSize: number;
  readonly hiddenSize: number;
}

/** A size or shape that follows from those of the layer. */
export type Sized<T> = (sizes: CellSizes) => T;

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
  readonly shape: Sized<readonly number[]>;
  readonly initializer: Initializer | InitializerName;
}

/** A number for each hidden unit: [hiddenSize]. */
export function perUnit(initializer: Initializer | InitializerName): ExtraParameter {
  return { shape: ({ hiddenSize }) => [hiddenSize], initializer };
}

export interface CellDefinition<
  State extends string,
  Block extends string,
  Extra extends string = never,
  Family extends string = never,
  Result extends string = never,
> {
  readonly name: string;
  /** State names; each starts at 0. The first is the cell's output unless `output` names another. */
  readonly state: readonly [State, ...State[]];
  /** Number of features of a state. Default: hiddenSize. */
  readonly stateSizes?: { readonly [S in State]?: Sized<number> };
  /** What a step gives besides the next states: an output that is no state, or what a loss reads. */
  readonly results?: readonly Result[];
  readonly output?: State | Result;
  readonly blocks: readonly Block[];
  /** Parameters besides W, R and b. */
  readonly parameters?: { readonly [E in Extra]: ExtraParameter };
  /** Parameters besides W, R and b of which every block may have its own: `p.i` of family p. */
  readonly families?: { readonly [F in Family]: ExtraParameter };
  /** Where W, R, b or rb have other shapes than usual, by kind. */
  readonly shapes?: Readonly<Record<string, Sized<readonly number[]>>>;
  /** Default: Xavier uniform, orthogonal, zeros, zeros. */
  readonly initialize?: CellInitializers;
  /** Kinds of weights that training leaves as they began. */
  readonly fixed?: readonly string[];
  /** One timestep: x [batch, inputSize] and states [batch, hiddenSize] to the next states and the results. */
  readonly step: (
    values: { readonly x: Tensor } & { readonly [S in State]: Tensor },
    weights: CellWeights<Block> & { readonly [E in Extra]: Tensor } & {
      readonly [F in Family]: { readonly [B in Block]: Tensor };
    },
    sizes: CellSizes,
  ) => { readonly [S in State | Result]: Tensor };
}

/** How weights begin, by kind ("W", "R", "b", "rb") or by kind and block ("b.f"), which comes first. */
export type CellInitializers = Readonly<Record<string, Initializer | InitializerName>>;

/** One timestep: x and the states to the next states and the cell's results, by name. */
export type CellStep = (x: Tensor, states: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;

export interface Cell {
  readonly name: string;
  readonly states: readonly string[];
  /** What a step gives besides the next states. */
  readonly results: readonly string[];
  /** The state or result that the next layer reads. */
  readonly output: string;
  /** How its weights begin where it has a choice of its own. */
  readonly initialize: CellInitializers;
  /** Number of features of a state. */
  stateSize(state: string, sizes: CellSizes): number;
  /** Declares the weights in a scope and returns the step. `initialize` comes before the cell's own choice. */
  bind(scope: Scope, sizes: CellSizes, initialize?: CellInitializers): CellStep;
}

const defaults: Readonly<Record<string, InitializerName>> = {
  W: "xavierUniform",
  R: "orthogonal",
  b: "zeros",
  rb: "zeros",
};

const usualShapes: Readonly<Record<string, Sized<readonly number[]>>> = {
  W: ({ inputSize, hiddenSize }) => [hiddenSize, inputSize],
  R: ({ hiddenSize }) => [hiddenSize, hiddenSize],
  b: ({ hiddenSize }) => [hiddenSize],
  rb: ({ hiddenSize }) => [hiddenSize],
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
export function defineCell<
  State extends string,
  Block extends string,
  Extra extends string = never,
  Family extends string = never,
  Result extends string = never,
>(definition: CellDefinition<State, Block, Extra, Family, Result>): Cell {
  const { name, state, blocks, results = [], initialize = {}, fixed = [] } = definition;
  const extras: Readonly<Record<string, ExtraParameter>> = definition.parameters ?? {};
  const families: Readonly<Record<string, ExtraParameter>> = definition.families ?? {};
  const stateSizes: Readonly<Record<string, Sized<number> | undefined>> = definition.stateSizes ?? {};
  return {
    name,
    states: state,
    results,
    output: definition.output ?? state[0],
    initialize,
    stateSize: (of, sizes) => stateSizes[of]?.(sizes) ?? sizes.hiddenSize,
    bind(scope, sizes, asked = {}) {
      const declare = (kind: string, block: string | undefined, own: ExtraParameter) => {
        const full = block === undefined ? kind : `${kind}.${block}`;
        const initializer =
          [asked, initialize].map((choice) => choice[full] ?? choice[kind]).find((choice) => choice !== undefined) ??
          own.initializer;
        return scope.param(full, own.shape(sizes), initializer, { trainable: !fixed.includes(kind) });
      };
      const usual = (kind: string): ExtraParameter => ({
        shape: definition.shapes?.[kind] ?? usualShapes[kind]!,
        initializer: defaults[kind]!,
      });
      const family = (kind: string) => lazily(blocks, (block) => declare(kind, block, families[kind] ?? usual(kind)));
      const kinds = [...Object.keys(usualShapes), ...Object.keys(families)];
      const weights = lazily([...kinds, ...Object.keys(extras)], (kind) =>
        extras[kind] === undefined ? family(kind) : declare(kind, undefined, extras[kind]),
      );
      return (x, states) =>
        // `states` has the names in `state`; `weights` has a property for each kind, family and further parameter.
        definition.step(
          { ...states, x } as Parameters<typeof definition.step>[0],
          weights as unknown as Parameters<typeof definition.step>[1],
          sizes,
        );
    },
  };
}

/** An object whose properties are computed when first read, and then kept. */
function lazily<Key extends string, Value>(
  keys: readonly Key[],
  make: (key: Key) => Value,
): { readonly [K in Key]: Value } {
  const made = new Map<Key, Value>();
  const object = {};
  for (const key of keys) {
    Object.defineProperty(object, key, {
      enumerable: true,
      get: () => {
        const value = made.get(key) ?? make(key);
        made.set(key, value);
        return value;
      },
    });
  }
  return object as { readonly [K in Key]: Value }; // Every key has its getter.
}
