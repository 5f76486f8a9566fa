/** Attention: a query reads from a memory of timesteps by weights that sum to 1. */
import { OptionError } from "../base/errors.ts";
import type { Axis } from "../base/shapes.ts";
import { add, lengthMask, matmul, mul, reshape, softmaxOver, sumAxes, sumFeatures, tanh } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";

export interface AttentionOptions {
  /**
   * How a query q scores a step m of the memory:
   * - "dot": q · m, of equal sizes (Luong et al. 2015, eq. 8);
   * - "general": q · W m (there as well);
   * - "additive": v · tanh(W q + U m + b) (Bahdanau et al. 2015, appendix A.1.2);
   * - "multiHead": softmax(Q Kᵀ / √d) V in each head, then a projection (Vaswani et al. 2017, section 3.2.2).
   *
   * Default "general".
   */
  readonly kind?: "dot" | "general" | "additive" | "multiHead";
  /** Of the hidden layer of "additive" and of all heads together. Default: the size of the query. */
  readonly size?: number;
  /** Of "multiHead"; divides the size. Default 4. */
  readonly heads?: number;
  /** The axis of the memory's steps. Default "time". */
  readonly axis?: Axis;
}

export interface Attended {
  /** Σ over steps of weight · memory, [.., features of the memory]; for "multiHead" [.., size]. */
  readonly context: Tensor;
  /** One weight for each step, and each head: [.., time, heads], heads 1 but for "multiHead". Over true steps they sum to 1. */
  readonly weights: Tensor;
}

/** Reads the memory for queries [batch, .., features]: one row each, or one for each step of another axis. */
export type ReadMemory = (query: Tensor) => Attended;

/** What is made of a memory once, by name, and how it is read. */
export interface PreparedMemory {
  /** Each [batch, time, features]. */
  readonly prepared: Readonly<Record<string, Tensor>>;
  /** Reads `prepared`, or what stands for it where it is a state of a scan, say. */
  readonly read: (query: Tensor, prepared: Readonly<Record<string, Tensor>>) => Attended;
}

export interface Attention {
  readonly name: string;
  /** Prepares a memory [batch, time, features] once; behind a row's true length it is never read. */
  over(memory: Tensor, scope: Scope, querySize: number): ReadMemory;
  /** The same, with what was prepared to be handed on. */
  prepare(memory: Tensor, scope: Scope, querySize: number): PreparedMemory;
}

/** @throws OptionError when the heads do not divide the size, or "dot" meets other sizes than equal ones. */
export function attention(options: AttentionOptions = {}): Attention {
  const { kind = "general", axis = "time" } = options;
  const prepare: Attention["prepare"] = (memory, scope, querySize) => {
    const lengths = scope.lengths(axis);
    const counts = lengths === undefined ? undefined : lengthMask(lengths, axis);
    const heads = kind === "multiHead" ? (options.heads ?? 4) : 1;
    const size = options.size ?? querySize;
    const { prepared, score, split, project } = scoring(kind, { memory, scope, querySize, size, heads });
    return {
      prepared,
      read(query, { keys, values }) {
        const weights = softmaxOver(score(query, keys ?? values!), axis, counts); // [.., time, heads, 1]
        const read = sumAxes(mul(weights, split(values!)), axis); // [.., heads, features]
        const context = project(reshape(read, heads * read.size));
        return { context, weights: reshape(weights, heads) };
      },
    };
  };
  return {
    name: `${kind} attention`,
    prepare,
    over(memory, scope, querySize) {
      const { prepared, read } = prepare(memory, scope, querySize);
      return (query) => read(query, prepared);
    },
  };
}

interface Parts {
  /** What is read: [batch, time, heads · features]. `keys`, what queries are compared with, where they are not the same. */
  readonly prepared: { readonly values: Tensor; readonly keys?: Tensor };
  /** Of each step and head: [.., time, heads, 1]. */
  readonly score: (query: Tensor, keys: Tensor) => Tensor;
  /** [.., heads · features] to [.., heads, features]. */
  readonly split: (x: Tensor) => Tensor;
  readonly project: (context: Tensor) => Tensor;
}

interface Sizes {
  readonly memory: Tensor;
  readonly scope: Scope;
  readonly querySize: number;
  readonly size: number;
  readonly heads: number;
}

function scoring(kind: NonNullable<AttentionOptions["kind"]>, sizes: Sizes): Parts {
  const { memory, scope, querySize, size, heads } = sizes;
  const weight = (name: string, outputs: number, inputs: number) =>
    scope.param(name, [outputs, inputs], "xavierUniform");
  const split = (x: Tensor) => reshape(x, heads, x.size / heads);
  const whole = { split, project: (context: Tensor) => context };
  const dot = (query: Tensor, keys: Tensor) => sumFeatures(mul(split(query), split(keys)));
  switch (kind) {
    case "dot":
      requireEqual(querySize, memory.size);
      return { ...whole, prepared: { values: memory }, score: dot };
    case "general": {
      const keys = matmul(weight("W", querySize, memory.size), memory);
      return { ...whole, prepared: { values: memory, keys }, score: dot };
    }
    case "additive": {
      const keys = add(matmul(weight("U", size, memory.size), memory), scope.param("b", [size], "zeros"));
      const v = scope.param("v", [size], "xavierUniform");
      const W = weight("W", size, querySize);
      const score: Parts["score"] = (query, compared) =>
        split(sumFeatures(mul(v, tanh(add(matmul(W, query), compared)))));
      return { ...whole, prepared: { values: memory, keys }, score };
    }
    case "multiHead": {
      requireDivided(size, heads);
      const keys = matmul(weight("K", size, memory.size), memory);
      const queries = weight("Q", size, querySize);
      const output = weight("O", size, size);
      return {
        prepared: { keys, values: matmul(weight("V", size, memory.size), memory) },
        score: (query, compared) => mul(1 / Math.sqrt(size / heads), dot(matmul(queries, query), compared)),
        split,
        project: (context) => matmul(output, context),
      };
    }
  }
}

function requireEqual(query: number, memory: number): void {
  if (query === memory) return;
  throw new OptionError({
    where: "dot attention: query",
    given: `${query} features`,
    expected: `${memory}, as many as the memory has`,
    mend: 'make the sizes equal, or use "general"',
  });
}

function requireDivided(size: number, heads: number): void {
  if (Number.isInteger(heads) && heads >= 1 && size % heads === 0) return;
  throw new OptionError({
    where: "multi-head attention: heads",
    given: String(heads),
    expected: `a divisor of the size ${size}`,
    mend: "give a size that is a multiple of the number of heads",
  });
}
