/** For every node kind: programs that use it in its plain and its awkward forms. One table for all ropes. */
import { createRandom } from "../../packages/recurra/src/base/random.ts";
import type { AxisSizes, TensorType } from "../../packages/recurra/src/base/shapes.ts";
import type { BinaryKind, Node, UnaryKind } from "../../packages/recurra/src/ir/nodes.ts";
import {
  abs,
  add,
  broadcast,
  concat,
  div,
  exp,
  gather,
  less,
  matmul,
  maxFeatures,
  mul,
  positions,
  random,
  reshape,
  select,
  slice,
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
import type { Values } from "./programs.ts";

/** A program of one size n, whose leaves are fed with seeded normal numbers unless `given` says otherwise. */
export interface KindCase {
  readonly what: string;
  readonly write: (trace: Trace, n: number) => Readonly<Record<string, Tensor>>;
  readonly given?: (sizes: AxisSizes, n: number) => Values;
}

/** Rows of a gather table. */
const rows = 6;
const wholeNumbers = (count: number, bound: number, seed: number) => {
  const chance = createRandom(seed);
  return Float32Array.from({ length: count }, () => chance.integer(bound));
};
const steps = (sizes: AxisSizes) => sizes.batch! * sizes.time!;
const matrix = (n: number): TensorType => ({ axes: ["batch", "time"], shape: [3, n] });

const x = (trace: Trace, n: number) => trace.input("x", sequenceType(n));
const v = (trace: Trace, n: number) => trace.input("v", vectorType(n));

const one = (what: string, write: (trace: Trace, n: number) => Tensor): KindCase => ({
  what,
  write: (trace, n) => ({ y: write(trace, n) }),
});

function unary(kind: UnaryKind, prepare: (x: Tensor) => Tensor = (tensor) => tensor): readonly KindCase[] {
  return [
    one("of a sequence", (trace, n) => {
      const prepared = prepare(x(trace, n));
      return trace.add({ kind, x: prepared.id });
    }),
    one("of a slice of a parameter", (trace, n) => {
      const prepared = prepare(slice(trace.param("p", [3, n + 2]), 1, n));
      return trace.add({ kind, x: prepared.id });
    }),
  ];
}

function binary(kind: BinaryKind, prepare: (b: Tensor) => Tensor = (tensor) => tensor): readonly KindCase[] {
  const made = (trace: Trace, a: Tensor, b: Tensor) => trace.add({ kind, a: a.id, b: prepare(b).id });
  const cases: readonly (readonly [string, TensorType, TensorType])[] = [
    ["of equal shapes", sequenceType(5), sequenceType(5)],
    ["of a sequence and one feature", sequenceType(5), sequenceType(1)],
    ["of one feature and a sequence", sequenceType(1), sequenceType(5)],
    ["of a sequence and a row", sequenceType(5), vectorType(5)],
    ["of a bias and a sequence", { axes: [], shape: [5] }, sequenceType(5)],
    ["of a row and a step", vectorType(5), { axes: ["time"], shape: [1] }],
    ["of a matrix per step and a vector", matrix(5), sequenceType(5)],
    ["of a column and a row", { axes: ["batch"], shape: [3, 1] }, { axes: ["time"], shape: [1, 5] }],
  ];
  return [
    ...cases.map(([what, a, b]) =>
      one(what, (trace, n) => {
        const sized = (type: TensorType) => ({ ...type, shape: type.shape.map((size) => (size === 5 ? n : size)) });
        return made(trace, trace.input("a", sized(a)), trace.input("b", sized(b)));
      }),
    ),
    one("of a tensor with itself", (trace, n) => made(trace, x(trace, n), x(trace, n))),
  ];
}

function reductions(op: "sum" | "max"): readonly KindCase[] {
  const cases: KindCase[] = [];
  for (const axes of [[], ["batch"], ["time"], ["batch", "time"]]) {
    for (const dims of [[], [0], [1], [0, 1]]) {
      if (axes.length + dims.length === 0) continue;
      cases.push(
        one(`${op} over ${[...axes, ...dims.map((dim) => `dim ${dim}`)].join(", ")}`, (trace, n) => {
          const wide = trace.input("x", matrix(n));
          return trace.add({ kind: "reduce", op, x: wide.id, axes, dims });
        }),
      );
    }
  }
  return cases;
}

const withIndex = (bound: number) => (sizes: AxisSizes) => ({ index: wholeNumbers(steps(sizes), bound, 5) });

const scans: readonly KindCase[] = [
  {
    what: "accumulates forward",
    write: (trace, n) => {
      const { final, outputs } = scan({
        initial: { h: v(trace, n) },
        sequences: { x: x(trace, n) },
        step: ({ h }, { x: element }) => {
          const next = tanh(add(mul(0.7, h), element));
          return { next: { h: next }, outputs: { after: next, before: h, element, product: mul(h, element) } };
        },
      });
      return { final: final.h, ...outputs };
    },
  },
  {
    what: "runs backward over unequal lengths",
    write: (trace, n) => {
      const { final, outputs } = scan({
        direction: "backward",
        lengths: trace.input("lengths", vectorType(1)),
        initial: { h: v(trace, n), sum: broadcast(trace.param("p", [n]), vectorType(n)) },
        sequences: { x: x(trace, n) },
        step: ({ h, sum }, { x: element }) => {
          const next = tanh(add(mul(0.7, h), exp(mul(0.3, element))));
          return { next: { h: next, sum: add(sum, div(element, add(1, exp(h)))) }, outputs: { next, h, sum } };
        },
      });
      return { finalH: final.h, finalSum: final.sum, ...outputs };
    },
    given: (sizes) => ({ lengths: Float32Array.from({ length: sizes.batch! }, (_, b) => (b * 3) % (sizes.time! + 1)) }),
  },
  {
    what: "swaps two states and keeps a third",
    write: (trace, n) => {
      const { final, outputs } = scan({
        initial: { a: v(trace, n), b: trace.input("w", vectorType(n)), kept: trace.input("u", vectorType(n)) },
        sequences: { x: x(trace, n) },
        step: ({ a, b, kept }, { x: element }) => ({
          next: { a: b, b: add(mul(0.5, a), element), kept },
          outputs: { a, kept, twice: mul(2, kept) },
        }),
      });
      return { finalA: final.a, finalB: final.b, finalKept: final.kept, ...outputs };
    },
  },
  {
    what: "reads captured weights, a constant next state and a state nobody uses",
    write: (trace, n) => {
      const R = trace.param("R", [n, n]);
      const W = trace.param("W", [n, n]);
      const { final, outputs } = scan({
        initial: { h: v(trace, n), constant: v(trace, n), unused: v(trace, n) },
        sequences: { x: x(trace, n) },
        step: ({ h, constant, unused }, { x: element }) => {
          const next = tanh(add(matmul(W, element), matmul(R, h), mul(0.1, constant)));
          return {
            next: { h: next, constant: broadcast(trace.param("c", [n]), vectorType(n)), unused: add(unused, element) },
            outputs: { y: matmul(W, next), weight: R },
          };
        },
      });
      return { final: final.h, constant: final.constant, ...outputs };
    },
  },
  {
    what: "steps along an axis of its own, without a batch",
    write: (trace, n) => {
      const sequence = trace.input("s", { axes: ["steps"], shape: [n] });
      const { final, outputs } = scan({
        axis: "steps",
        initial: { h: trace.param("h", [n]) },
        sequences: { sequence },
        step: ({ h }, { sequence: element }) => {
          const next = tanh(add(h, element));
          return { next: { h: next }, outputs: { next } };
        },
      });
      return { final: final.h, ...outputs };
    },
  },
  {
    what: "holds a scan in its body, over the outer sequence's captured rows",
    write: (trace, n) => {
      const inner = trace.input("s", { axes: ["batch", "steps"], shape: [n] });
      const R = trace.param("R", [n, n]);
      const { final, outputs } = scan({
        initial: { h: v(trace, n) },
        sequences: { x: x(trace, n) },
        step: ({ h }, { x: element }) => {
          const nested = scan({
            axis: "steps",
            direction: "backward",
            initial: { g: h },
            sequences: { inner },
            step: ({ g }, { inner: row }) => {
              const next = tanh(add(mul(0.2, matmul(R, g)), mul(row, element)));
              return { next: { g: next }, outputs: { next } };
            },
          });
          const next = add(mul(0.5, nested.final.g), mul(0.1, sumAxes(nested.outputs.next, "steps")));
          return { next: { h: next }, outputs: { next, all: nested.outputs.next } };
        },
      });
      return { final: final.h, ...outputs };
    },
  },
  {
    what: "runs one scan on another's outputs and starts at its final state",
    write: (trace, n) => {
      const layer = (sequence: Tensor, start: Tensor, direction: "forward" | "backward") =>
        scan({
          direction,
          initial: { h: start },
          sequences: { sequence },
          step: ({ h }, { sequence: element }) => {
            const next = tanh(add(mul(0.9, h), element));
            return { next: { h: next }, outputs: { next } };
          },
        });
      const lower = layer(x(trace, n), v(trace, n), "forward");
      const upper = layer(lower.outputs.next, lower.final.h, "backward");
      return { upper: upper.outputs.next, final: upper.final.h, both: concat(lower.outputs.next, upper.outputs.next) };
    },
  },
  {
    what: "swaps states as they are, one of them in halves",
    write: (trace, n) => {
      const start = (name: string) => trace.input(name, vectorType(2 * n));
      const { final, outputs } = scan({
        initial: { a: start("a"), b: start("b"), turned: start("c"), moved: start("d") },
        sequences: { x: x(trace, 2 * n) },
        step: ({ a, b, turned, moved }, { x: element }) => ({
          next: {
            a: b,
            b: a,
            turned: concat(slice(turned, n, n), slice(turned, 0, n)),
            moved: add(mul(0.5, moved), element),
          },
          outputs: { half: slice(moved, n, n), turnedHalf: slice(turned, 0, n) },
        }),
      });
      return { finalA: final.a, finalB: final.b, turned: final.turned, moved: final.moved, ...outputs };
    },
  },
];

export const kindCases: { readonly [K in Node["kind"]]: readonly KindCase[] } = {
  input: [
    one("given back as it is", (trace, n) => x(trace, n)),
    { what: "given back twice", write: (trace, n) => ({ a: x(trace, n), b: x(trace, n) }) },
  ],
  param: [
    one("given back as it is", (trace, n) => trace.param("p", [3, n])),
    one("stretched over a sequence", (trace, n) => broadcast(trace.param("p", [n]), sequenceType(n))),
  ],
  literal: [
    one("alone", (trace, n) => add(trace.literal(2.5), mul(0, sumAll(trace.param("p", [n]))))),
    { what: "given back", write: (trace, n) => ({ y: trace.literal(-1.5), x: x(trace, n) }) },
    one("in arithmetic", (trace, n) => sub(3, mul(x(trace, n), 1.25))),
  ],
  iota: [
    one("along time", (trace, n) => mul(x(trace, n), positions(x(trace, n), "time"))),
    one("along batch", (trace, n) => add(x(trace, n), positions(x(trace, n), "batch"))),
    one("along features", (trace, n) => mul(x(trace, n), trace.add({ kind: "iota", along: { size: n } }))),
    {
      what: "given back",
      write: (trace, n) => ({
        y: positions(x(trace, n), "time"),
        z: trace.add({ kind: "iota", along: { size: n } }),
        x: x(trace, n),
      }),
    },
    {
      what: "in a contraction",
      write: (trace, n) => ({ y: matmul(trace.param("W", [2, n]), trace.add({ kind: "iota", along: { size: n } })) }),
    },
  ],
  random: [
    one("over a sequence", (trace, n) => random(trace.input("seed", { axes: [], shape: [1] }), 3, sequenceType(n))),
    one("over a matrix", (trace, n) => random(trace.input("seed", { axes: [], shape: [1] }), 0, matrix(n))),
    one("without axes", (trace, n) =>
      random(trace.input("seed", { axes: [], shape: [1] }), 1, { axes: [], shape: [n] }),
    ),
    one("in a scan", (trace, n) => {
      const seed = trace.input("seed", { axes: [], shape: [1] });
      const { outputs } = scan({
        initial: { h: v(trace, n) },
        sequences: { x: x(trace, n) },
        step: ({ h }, { x: element }) => ({
          next: { h: add(h, element) },
          outputs: { noise: random(h.trace.adopt(seed), 2, vectorType(n)) },
        }),
      });
      return outputs.noise;
    }),
  ].map((entry) => ({ ...entry, given: () => ({ seed: [7654321] }) })),

  neg: unary("neg"),
  exp: unary("exp"),
  log: unary("log", (tensor) => add(0.1, abs(tensor))),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  abs: unary("abs"),
  sqrt: unary("sqrt", (tensor) => add(0.1, abs(tensor))),
  sign: unary("sign"),
  floor: unary("floor", (tensor) => mul(3, tensor)),
  sin: unary("sin", (tensor) => mul(5, tensor)),
  cos: unary("cos", (tensor) => mul(5, tensor)),

  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div", (tensor) => add(0.5, square(tensor))),
  max: binary("max"),
  min: binary("min"),
  less: binary("less"),
  equal: [
    ...binary("equal"),
    {
      what: "of whole numbers",
      write: (trace, n) => ({
        y: mul(
          trace.add({
            kind: "equal",
            a: trace.input("index", sequenceType(1)).id,
            b: trace.add({ kind: "iota", along: { size: n } }).id,
          }),
          x(trace, n),
        ),
      }),
      given: (sizes, n) => ({ index: wholeNumbers(steps(sizes), n, 8) }),
    },
  ],
  select: [
    one("between sequences", (trace, n) => select(less(x(trace, n), 0), mul(x(trace, n), 2), v(trace, n))),
    one("between numbers", (trace, n) => select(less(v(trace, 1), 0.2), x(trace, n), 3)),
    one("of infinity and NaN not chosen", (trace, n) => {
      const nothing = add(broadcast(trace.literal(Number.NaN), sequenceType(n)), stopGradient(x(trace, n)));
      return select(less(abs(x(trace, n)), Number.POSITIVE_INFINITY), x(trace, n), nothing);
    }),
  ],
  broadcast: [
    one("of a row over time", (trace, n) => broadcast(v(trace, n), sequenceType(n))),
    one("of one feature", (trace, n) => broadcast(v(trace, 1), sequenceType(n))),
    one("of a vector to a matrix", (trace, n) => broadcast(x(trace, n), matrix(n))),
    one("of a column", (trace, n) => broadcast(trace.param("p", [3, 1]), matrix(n))),
    one("into a product", (trace, n) => matmul(trace.param("W", [4, n]), broadcast(v(trace, n), sequenceType(n)))),
  ],
  stopGradient: [one("beside the value", (trace, n) => mul(x(trace, n), add(1, mul(0, stopGradient(v(trace, n))))))],

  slice: [
    one("from the start", (trace, n) => slice(x(trace, n + 3), 0, n)),
    one("from the middle", (trace, n) => slice(x(trace, n + 3), 2, n)),
    one("of a slice, in arithmetic", (trace, n) => tanh(slice(slice(x(trace, n + 5), 1, n + 3), 2, n))),
    one("of the first dimension", (trace, n) => {
      const wide = trace.input("x", matrix(n));
      return trace.add({ kind: "slice", x: wide.id, dim: 0, start: 1, size: 2 });
    }),
    one("of a weight", (trace, n) => {
      const weight = trace.param("W", [n + 2, n + 4]);
      const top = trace.add({ kind: "slice", x: weight.id, dim: 0, start: 1, size: n });
      return matmul(slice(top, 3, n), x(trace, n));
    }),
    one("into a product", (trace, n) => matmul(trace.param("W", [3, n]), slice(x(trace, n + 3), 1, n))),
    one("every second one of a dimension, in arithmetic", (trace, n) => {
      const wide = trace.input("x", matrix(2 * n));
      return tanh(trace.add({ kind: "slice", x: wide.id, dim: 1, start: 1, size: n, stride: 2 }));
    }),
    one("every second one of the first dimension, given back", (trace, n) => {
      const wide = trace.input("x", matrix(n));
      return trace.add({ kind: "slice", x: wide.id, dim: 0, start: 0, size: 2, stride: 2 });
    }),
    one("of a slice with gaps, into a product", (trace, n) => {
      const wide = trace.input("x", matrix(4 * n));
      const half = trace.add({ kind: "slice", x: wide.id, dim: 1, start: 1, size: 2 * n, stride: 2 });
      const quarter = trace.add({ kind: "slice", x: half.id, dim: 1, start: 0, size: n, stride: 2 });
      return matmul(trace.param("W", [4, n]), quarter);
    }),
    one("of one feature, stretched", (trace, n) => mul(slice(x(trace, n + 1), n, 1), x(trace, n + 1))),
  ],
  pad: [0, 1].flatMap((dim) =>
    (
      [
        [0, 2, 1],
        [3, 0, 1],
        [1, 5, 1],
        [2, 1, 3],
      ] as const
    ).map(([before, after, stride]) =>
      one(`+${before} +${after} every ${stride} in dimension ${dim}`, (trace, n) => {
        const wide = trace.input("x", matrix(n));
        return trace.add({ kind: "pad", x: wide.id, dim, before, after, stride });
      }),
    ),
  ),
  shift: [
    ...[1, -1, 2, -3, 7].map((by) =>
      one(`a sequence by ${by}`, (trace, n) => trace.add({ kind: "shift", x: x(trace, n).id, axis: "time", by })),
    ),
    one("a matrix along the inner of two axes", (trace, n) => {
      const wide = trace.input("x", { axes: ["batch", "steps", "time"], shape: [2, n] });
      return trace.add({ kind: "shift", x: tanh(wide).id, axis: "steps", by: -1 });
    }),
    one("beside what it came from, into a product", (trace, n) => {
      const sequence = tanh(x(trace, n));
      const before = trace.add({ kind: "shift", x: sequence.id, axis: "time", by: 1 });
      return matmul(trace.param("W", [3, 2 * n]), concat(before, sequence));
    }),
  ],
  concat: [
    one("of inputs", (trace, n) => concat(x(trace, n), trace.input("z", sequenceType(n + 2)), x(trace, n))),
    one("of computed parts", (trace, n) => concat(tanh(x(trace, n)), mul(2, x(trace, n)), tanh(x(trace, n)))),
    one("with a row stretched over time", (trace, n) => concat(v(trace, n), x(trace, 3))),
    one("of concatenations and slices", (trace, n) => {
      const whole = concat(exp(mul(0.2, x(trace, n))), v(trace, 2));
      return concat(slice(whole, 1, n), whole);
    }),
    one("in dimension 0", (trace, n) => {
      const wide = trace.input("x", matrix(n));
      return trace.add({ kind: "concat", parts: [wide.id, tanh(wide).id], dim: 0 });
    }),
    one("of products", (trace, n) =>
      concat(matmul(trace.param("W", [n, n]), x(trace, n)), matmul(trace.param("V", [3, n]), x(trace, n))),
    ),
    one("of weights", (trace, n) => {
      const parts = [trace.param("W", [n, n]).id, trace.param("V", [2, n]).id];
      return matmul(trace.add({ kind: "concat", parts, dim: 0 }), x(trace, n));
    }),
  ],
  reshape: [
    one("of a matrix to a row", (trace, n) => reshape(trace.input("x", matrix(n)), 3 * n)),
    one("of a row to a matrix, then a slice", (trace, n) => {
      const pairs = reshape(x(trace, 2 * n), n, 2);
      return trace.add({ kind: "slice", x: pairs.id, dim: 1, start: 1, size: 1 });
    }),
    one("of a slice that is not dense", (trace, n) => {
      const wide = trace.input("x", matrix(n + 2));
      return reshape(slice(wide, 1, n), n * 3);
    }),
    one("of something stretched", (trace, n) => reshape(broadcast(v(trace, n), matrix(n)), n, 3)),
    one("into a product", (trace, n) =>
      matmul(trace.param("W", [4, 3 * n]), reshape(trace.input("x", matrix(n)), 3 * n)),
    ),
  ],
  reduce: [
    ...reductions("sum"),
    ...reductions("max"),
    one("of a product of stretched factors", (trace, n) =>
      sumFeatures(mul(x(trace, n), v(trace, n), trace.param("p", [n]))),
    ),
    one("used in the space it came from", (trace, n) => sub(x(trace, n), maxFeatures(x(trace, n)))),
    one("of a slice", (trace, n) => sumAxes(slice(x(trace, n + 2), 1, n), "time")),
    one("of a number stretched", (trace, n) => sumAll(broadcast(trace.param("p", [1]), sequenceType(n)))),
  ],
  matmul: [
    one("of a sequence", (trace, n) => matmul(trace.param("W", [n, 3]), x(trace, 3))),
    one("of wide rows", (trace, n) => matmul(trace.param("W", [3, n]), x(trace, n))),
    one("of a vector", (trace, n) => matmul(trace.param("W", [n, 4]), trace.param("p", [4]))),
    one("transposed", (trace, n) =>
      trace.add({ kind: "matmul", x: x(trace, n).id, weight: trace.param("W", [n, 5]).id, transposed: true }),
    ),
    one("of a computed weight, both ways", (trace, n) => {
      const weight = tanh(trace.param("W", [n, n]));
      const back = trace.add({
        kind: "matmul",
        x: matmul(weight, x(trace, n)).id,
        weight: weight.id,
        transposed: true,
      });
      return add(back, matmul(weight, x(trace, n)));
    }),
    one("of the rows of a matrix", (trace, n) => matmul(trace.param("W", [4, n]), trace.input("x", matrix(n)))),
    one("of rows of a slice that do not lie in one run", (trace, n) => {
      const wide = slice(trace.input("x", matrix(n + 2)), 1, n);
      return matmul(trace.param("W", [4, n]), trace.add({ kind: "slice", x: wide.id, dim: 0, start: 1, size: 2 }));
    }),
    one("of the rows of a matrix, in a scan", (trace, n) => {
      const weight = trace.param("R", [n, n]);
      const { final } = scan({
        initial: { h: trace.input("h", { axes: ["batch"], shape: [3, n] }) },
        sequences: { x: trace.input("x", matrix(n)) },
        step: ({ h }, { x: element }) => ({ next: { h: tanh(add(matmul(weight, h), element)) }, outputs: {} }),
      });
      return final.h;
    }),
    one("with two weights of the rows of a matrix", (trace, n) => {
      const wide = trace.input("x", matrix(n));
      return concat(matmul(trace.param("W", [2, n]), wide), matmul(trace.param("V", [3, n]), wide));
    }),
    one("of one weight and two operands", (trace, n) =>
      add(matmul(trace.param("W", [n, n]), x(trace, n)), matmul(trace.param("W", [n, n]), v(trace, n))),
    ),
  ],
  outer: [
    one("over batch and time", (trace, n) =>
      trace.add({ kind: "outer", a: x(trace, n).id, b: trace.input("z", sequenceType(5)).id, axes: ["batch", "time"] }),
    ),
    one("over axes and the rows of a matrix", (trace, n) => {
      const b = trace.input("z", { axes: ["batch", "time"], shape: [3, 5] });
      return trace.add({ kind: "outer", a: trace.input("x", matrix(n)).id, b: b.id, axes: ["batch", "time"] });
    }),
    one("over time and the rows of a matrix, for each of the batch", (trace, n) => {
      const b = trace.input("z", { axes: ["batch", "time"], shape: [3, 2] });
      return trace.add({ kind: "outer", a: trace.input("x", matrix(n)).id, b: b.id, axes: ["time"] });
    }),
    one("without axes", (trace, n) =>
      trace.add({ kind: "outer", a: trace.param("p", [n]).id, b: trace.param("q", [4]).id, axes: [] }),
    ),
    one("of a slice and something stretched", (trace, n) =>
      trace.add({
        kind: "outer",
        a: slice(x(trace, n + 3), 2, n).id,
        b: broadcast(v(trace, 3), sequenceType(3)).id,
        axes: ["batch", "time"],
      }),
    ),
  ],
  gather: [
    {
      what: "rows of a table",
      write: (trace, n) => ({ y: gather(trace.param("W", [rows, n]), trace.input("index", sequenceType(1))) }),
      given: withIndex(rows),
    },
    {
      what: "rows of a computed table, in arithmetic",
      write: (trace, n) => ({
        y: mul(x(trace, n), gather(tanh(trace.param("W", [rows, n])), trace.input("index", sequenceType(1)))),
      }),
      given: withIndex(rows),
    },
    {
      what: "in a scan",
      write: (trace, n) => {
        const table = trace.param("W", [rows, n]);
        const { outputs } = scan({
          initial: { h: v(trace, n) },
          sequences: { index: trace.input("index", sequenceType(1)) },
          step: ({ h }, { index }) => {
            const next = tanh(add(h, gather(table, index)));
            return { next: { h: next }, outputs: { next } };
          },
        });
        return { y: outputs.next };
      },
      given: withIndex(rows),
    },
  ],
  scatterAdd: [
    {
      what: "of a sequence",
      write: (trace, n) => ({
        y: trace.add({
          kind: "scatterAdd",
          x: x(trace, n).id,
          index: trace.input("index", sequenceType(1)).id,
          rows,
        }),
        z: trace.param("p", [1]),
      }),
      given: withIndex(rows),
    },
  ],

  scan: scans,
  pick: scans.slice(0, 1),
  state: scans.slice(2, 3),
  element: scans.slice(0, 1),
  captured: [
    scans[3]!,
    one("given back at every step", (trace, n) => {
      const kept = tanh(v(trace, n));
      const { outputs } = scan({
        initial: { h: v(trace, n) },
        sequences: { x: x(trace, n) },
        step: ({ h }, { x: element }) => ({ next: { h: add(h, element) }, outputs: { kept: h.trace.adopt(kept) } }),
      });
      return outputs.kept;
    }),
  ],
  step: [
    one("in arithmetic with the state", (trace, n) => {
      const { outputs } = scan({
        initial: { h: v(trace, n) },
        sequences: { x: x(trace, n) },
        step: ({ h }, { x: element }) => {
          const next = tanh(add(mul(0.5, h), mul(0.2, element, h.trace.add({ kind: "step", axis: "time" }))));
          return { next: { h: next }, outputs: { next } };
        },
      });
      return outputs.next;
    }),
    one("given back", (trace, n) => {
      const { outputs } = scan({
        initial: { h: v(trace, n) },
        sequences: { x: x(trace, n) },
        step: ({ h }, { x: element }) => ({
          next: { h: add(h, element) },
          outputs: { step: h.trace.add({ kind: "step", axis: "time" }) },
        }),
      });
      return outputs.step;
    }),
  ],
};

/** Whether a program holds a node of the kind, bodies of scans included. */
export function holds(kind: Node["kind"], nodes: readonly Node[]): boolean {
  return nodes.some((node) => node.kind === kind || (node.kind === "scan" && holds(kind, node.body.graph.nodes)));
}
