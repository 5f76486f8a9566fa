/** Where a network declares its parameters while it is traced: names, shapes and how they begin. */
import { ShapeError } from "../base/errors.ts";
import type { Axis, TensorType } from "../base/shapes.ts";
import { type Initializer, type InitializerName, parseInitializer } from "../init/initializers.ts";
import type { Tensor, Trace } from "./tensor.ts";

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
  /** Whether training changes it. */
  readonly trainable: boolean;
}

/** What stands for a parameter where it is read: the parameter by its name within the scope, masked or scaled, say. */
export type Reading = (parameter: Tensor, name: string) => Tensor;

/** A layer as it stands in a network: what it is called, what it makes, and along which axis it steps. */
export interface LayerRecord {
  /** What the names of its parameters begin with: "1.dense". */
  readonly path: string;
  readonly kind: string;
  readonly output: TensorType;
  readonly recurrence?: {
    readonly axis: Axis;
    readonly direction: "forward" | "backward";
    readonly states: readonly string[];
  };
}

export interface ScopeOptions {
  readonly trace: Trace;
  /** Whether dropout and its kind are active. */
  readonly training: boolean;
  /** A whole number below 2^24, [1]: the seed of this step's random masks. */
  readonly seed: Tensor;
  /** True lengths [batch, 1] of sequences along an axis; absent when all are full. */
  readonly lengths?: Readonly<Record<Axis, Tensor>>;
}

/** The root scope of a traced network; `in(name)` gives the scope of a part. */
export class Scope {
  readonly trace: Trace;
  readonly seed: Tensor;
  readonly #training: boolean;
  readonly #prefix: string;
  readonly #reading: Reading;
  readonly #shared: {
    readonly lengths: Readonly<Record<Axis, Tensor>>;
    readonly parameters: Map<string, ParameterSpec>;
    readonly layers: Map<string, LayerRecord>;
    streams: number;
    readsTraining: boolean;
  };

  constructor(options: ScopeOptions | Scope, prefix = "", reading?: Reading) {
    this.trace = options.trace;
    this.#training = options instanceof Scope ? options.#training : options.training;
    this.seed = options.seed;
    this.#prefix = prefix;
    this.#reading = reading ?? (options instanceof Scope ? options.#reading : (parameter) => parameter);
    this.#shared =
      options instanceof Scope
        ? options.#shared
        : {
            lengths: options.lengths ?? {},
            parameters: new Map(),
            layers: new Map(),
            streams: 0,
            readsTraining: false,
          };
  }

  /** Whether dropout and its kind are active. */
  get training(): boolean {
    this.#shared.readsTraining = true;
    return this.#training;
  }

  /** Whether anything has asked for `training`. */
  get readsTraining(): boolean {
    return this.#shared.readsTraining;
  }

  /** Every parameter declared so far, in order of declaration. */
  get parameters(): readonly ParameterSpec[] {
    return [...this.#shared.parameters.values()];
  }

  /** Every layer that has said what it made, in order. */
  get layers(): readonly LayerRecord[] {
    return [...this.#shared.layers.values()];
  }

  /** Tells those who print a network what a layer in this scope made. Gives y back; inside a step of a recurrence it tells nothing. */
  made(kind: string, y: Tensor, recurrence?: LayerRecord["recurrence"]): Tensor {
    const path = this.#prefix.slice(0, -1);
    const record = { path, kind, output: y.type, ...(recurrence === undefined ? {} : { recurrence }) };
    if (y.trace.depth() === 0) this.#shared.layers.set(path, record);
    return y;
  }

  in(name: string): Scope {
    return new Scope(this, `${this.#prefix}${name}.`);
  }

  /** The same scope, in which `reading` gives what is read in place of each parameter. */
  reading(reading: Reading): Scope {
    return new Scope(this, this.#prefix, (parameter, name) => reading(this.#reading(parameter, name), name));
  }

  lengths(axis: Axis): Tensor | undefined {
    return this.#shared.lengths[axis];
  }

  /** Declares a parameter, or returns the one declared before under the same name: weights are shared by naming them alike. */
  param(
    name: string,
    shape: readonly number[],
    initializer: Initializer | InitializerName,
    { trainable = true }: { readonly trainable?: boolean } = {},
  ): Tensor {
    const full = this.#prefix + name;
    const known = this.#shared.parameters.get(full);
    if (known === undefined)
      this.#shared.parameters.set(full, { name: full, shape, initializer: parseInitializer(initializer), trainable });
    else if (known.shape.join() !== shape.join()) {
      throw new ShapeError({
        where: `parameter "${full}"`,
        given: `[${shape.join(", ")}]`,
        expected: `[${known.shape.join(", ")}], as declared before`,
        mend: "use another name, or the same shape to share the weight",
      });
    }
    return this.#reading(this.trace.param(full, shape), name);
  }

  /** A number of its own for each random mask of the network. */
  nextStream(): number {
    return this.#shared.streams++;
  }
}
