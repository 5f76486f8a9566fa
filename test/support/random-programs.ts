/** Programs drawn by chance: equations over everything that fits, scans in scans included. */
import { createRandom, type Random } from "../../packages/recurra/src/base/random.ts";
import { type Axis, broadcastTypes, sameList, type TensorType } from "../../packages/recurra/src/base/shapes.ts";
import type { Program } from "../../packages/recurra/src/ir/nodes.ts";
import {
  abs,
  add,
  concat,
  cos,
  div,
  exp,
  leakyRelu,
  less,
  matmul,
  maxFeatures,
  maximum,
  minimum,
  mul,
  positions,
  reshape,
  select,
  sigmoid,
  sin,
  slice,
  softmax,
  square,
  stopGradient,
  sub,
  sumAll,
  sumAxes,
  sumFeatures,
  tanh,
} from "../../packages/recurra/src/trace/operations.ts";
import { scan } from "../../packages/recurra/src/trace/scan.ts";
import { sequenceType, type Tensor, type Trace, vectorType } from "../../packages/recurra/src/trace/tensor.ts";
import { programOf } from "./programs.ts";

/** Bounded, so that float32 rounding does not grow: every operation keeps magnitudes of about 1. */
const unary: readonly ((x: Tensor) => Tensor)[] = [
  tanh,
  sigmoid,
  (x) => sin(x),
  (x) => cos(x),
  (x) => exp(mul(-1, abs(x))),
  (x) => leakyRelu(x),
  (x) => tanh(square(x)),
  (x) => div(x, add(1, abs(x))),
  (x) => mul(0.5, stopGradient(x)),
  (x) => softmax(x),
];
const binary: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => mul(0.5, add(a, b)),
  (a, b) => mul(0.5, sub(a, b)),
  (a, b) => tanh(mul(a, b)),
  maximum,
  minimum,
  (a, b) => select(less(a, 0.1), a, b),
  (a, b) => div(a, add(1, square(b))),
];

class Writer {
  readonly #random: Random;
  readonly #parameters: Trace;
  #names = 0;

  constructor(random: Random, parameters: Trace) {
    this.#random = random;
    this.#parameters = parameters;
  }

  /** Adds `count` values to the pool; `time` are the axes that a scan may step along here. */
  grow(pool: Tensor[], count: number, trace: Trace, axes: readonly Axis[], depth: number): void {
    for (let i = 0; i < count; i++) pool.push(...this.#next(pool, trace, axes, depth));
  }

  pick(pool: readonly Tensor[]): Tensor {
    // Late values more often: chains instead of bushes.
    const back = Math.floor(this.#random.uniform() ** 2 * pool.length);
    return pool[pool.length - 1 - back]!;
  }

  parameter(...shape: number[]): Tensor {
    return this.#parameters.param(`p${this.#names++}`, shape);
  }

  #next(pool: readonly Tensor[], trace: Trace, axes: readonly Axis[], depth: number): readonly Tensor[] {
    const x = this.pick(pool);
    const size = x.size;
    switch (this.#random.integer(depth < 2 ? 14 : 13)) {
      case 0:
      case 1:
      case 2:
        return [unary[this.#random.integer(unary.length)]!(x)];
      case 3:
      case 4:
      case 5: {
        const other = pool.filter(({ type }) => broadcastTypes(type, x.type) !== undefined);
        return [binary[this.#random.integer(binary.length)]!(x, this.pick(other))];
      }
      case 6:
      case 7:
        if (x.type.shape.length > 1) return [sumFeatures(x)];
        return [mul(1 / size, matmul(this.parameter(1 + this.#random.integer(9), size), x))];
      case 8: {
        const start = this.#random.integer(size);
        return [slice(x, start, 1 + this.#random.integer(size - start))];
      }
      case 9: {
        const fits = pool.filter(({ type }) => sameList(type.shape.slice(0, -1), x.type.shape.slice(0, -1)));
        const other = this.pick(fits);
        return x.size + other.size > 24 ? [tanh(x)] : [concat(x, other, x)];
      }
      case 10:
        return [this.#random.integer(2) === 0 ? maxFeatures(x) : mul(1 / size, sumFeatures(x))];
      case 11: {
        const own = x.type.axes.filter((axis) => axes.includes(axis));
        const axis = own[this.#random.integer(Math.max(1, own.length))];
        return axis === undefined ? [add(x, this.parameter(1))] : [tanh(sumAxes(mul(0.3, x), axis))];
      }
      case 12: {
        const count = x.type.shape.reduce((product, part) => product * part, 1);
        if (x.type.shape.length > 1) return [reshape(x, count)];
        if (x.type.axes.length > 0 && this.#random.integer(2) === 0)
          return axes.includes(x.type.axes[0]!) ? [mul(0.2, x, positions(x, x.type.axes[0]!))] : [x];
        return [count % 2 === 0 ? reshape(x, 2, count / 2) : reshape(x, count, 1)];
      }
      default:
        return this.#scan(pool, trace, axes, depth);
    }
  }

  #scan(pool: readonly Tensor[], trace: Trace, axes: readonly Axis[], depth: number): readonly Tensor[] {
    const axis = axes.filter((other) => other !== "batch")[this.#random.integer(Math.max(1, axes.length - 1))];
    const sequences = pool.filter(({ type }) => axis !== undefined && type.axes.includes(axis));
    if (axis === undefined || sequences.length === 0) return [];
    const starts = pool.filter(({ type }) => !type.axes.includes(axis));
    if (starts.length === 0) return [];
    const lengths = pool.find(({ type }) => type.axes.join() === "batch" && type.shape.join() === "1");
    const masked = lengths !== undefined && lengths === pool[0] && this.#random.integer(2) === 0;
    const states = Array.from({ length: 1 + this.#random.integer(2) }, () => this.pick(starts));
    // Rows live and die by their own lengths, so that masked states need a batch.
    const initial = Object.fromEntries(
      states.map((start, k) => [
        `s${k}`,
        start.trace.add({
          kind: "broadcast",
          x: start.id,
          type: {
            axes: start.type.axes.includes("batch") ? start.type.axes : ["batch", ...start.type.axes],
            shape: start.type.shape,
          },
        }),
      ]),
    );
    const chosen = Object.fromEntries(
      [this.pick(sequences), this.pick(sequences)].map((tensor, i) => [`x${i}`, tensor]),
    );
    const { final, outputs } = scan({
      axis,
      direction: this.#random.integer(2) === 0 ? "forward" : "backward",
      lengths: masked ? lengths : undefined,
      initial,
      sequences: chosen,
      step: (state, x) => {
        const inner = Object.values(state)[0]!.trace;
        const captured = starts.slice(-4).filter((tensor) => tensor !== lengths);
        const body = [...captured.map((tensor) => inner.adopt(tensor)), ...Object.values(x), ...Object.values(state)];
        this.grow(
          body,
          3 + this.#random.integer(6),
          inner,
          // In a scan with lengths rows are apart: what sums over the batch there would mix living rows with dead ones.
          axes.filter((other) => other !== axis && !(masked && other === "batch")),
          depth + 1,
        );
        const next = Object.fromEntries(
          Object.entries(state).map(([name, old]) => {
            const fits = body.filter(({ type }) => {
              const both = broadcastTypes(type, old.type);
              return both !== undefined && sameList(both.axes, old.type.axes) && sameList(both.shape, old.type.shape);
            });
            return [name, this.pick(fits)];
          }),
        );
        return { next, outputs: { a: this.pick(body), b: this.pick(body) } };
      },
    });
    void trace;
    return [...Object.values(final), ...Object.values(outputs)];
  }
}

/** The same seed gives the same program. Inputs: lengths, x and z along time, v per row, s along steps; outputs and a loss. */
export function randomProgram(seed: number): Program {
  return programOf((trace) => {
    const random = createRandom(seed);
    const writer = new Writer(random, trace);
    const size = 1 + random.integer(9);
    const lengths = trace.input("lengths", vectorType(1));
    const pool: Tensor[] = [
      lengths,
      trace.input("v", vectorType(size)),
      trace.input("s", { axes: ["batch", "steps"], shape: [size] }),
      trace.input("z", sequenceType(1 + random.integer(5))),
      trace.param("bias", [size]),
      trace.input("x", sequenceType(size)),
    ];
    writer.grow(pool, 6 + random.integer(14), trace, ["batch", "steps", "time"], 0);
    const outputs = [...new Map([0, 1, 2].map(() => writer.pick(pool)).map((tensor) => [tensor.id, tensor])).values()];
    const terms = outputs.map((tensor) => mul(scale(tensor.type), sumAll(sin(add(tensor, 0.3)))));
    const loss = terms.reduce((sum, term) => add(sum, term));
    return {
      // Away from 0, where rounding of the terms would look like an error of their sum.
      loss: add(3, loss, sumAll(trace.param("bias", [size]))),
      ...Object.fromEntries(outputs.map((y, i) => [`y${i}`, y])),
    };
  });
}

function scale(type: TensorType): number {
  return 1 / type.shape.reduce((product, size) => product * size, 1 + type.axes.length);
}
