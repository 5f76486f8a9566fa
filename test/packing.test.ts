/** Packed rows: whatever the lengths, a program that computes true steps only gives what the reference gives for all of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "../packages/recurra/src/base/random.ts";
import { cells } from "../packages/recurra/src/cells/registry.ts";
import { Executable } from "../packages/recurra/src/compile/executable.ts";
import { beforeGradient, runPasses } from "../packages/recurra/src/compile/pipeline.ts";
import type { Program } from "../packages/recurra/src/ir/nodes.ts";
import { dense } from "../packages/recurra/src/layers/dense.ts";
import { dropout } from "../packages/recurra/src/layers/dropout.ts";
import { mse } from "../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../packages/recurra/src/layers/recurrent.ts";
import {
  add,
  broadcast,
  concat,
  gather,
  lengthMask,
  matmul,
  maxFeatures,
  mul,
  positions,
  reshape,
  select,
  sigmoid,
  square,
  sub,
  sumAll,
  sumAxes,
  tanh,
} from "../packages/recurra/src/trace/operations.ts";
import { scan } from "../packages/recurra/src/trace/scan.ts";
import { sequenceType, type Tensor, type Trace, vectorType } from "../packages/recurra/src/trace/tensor.ts";
import { Model } from "../packages/recurra/src/train/model.ts";
import { expectAllClose, tolerances } from "./support/close.ts";
import { backends, feedsFor, optimized, programOf, reference, scopeIn, type Values } from "./support/programs.ts";

const hiddenSize = 5;

function expectReference(
  program: Program,
  feeds: Values,
  sizes: Readonly<Record<string, number>>,
  label: string,
): void {
  const expected = reference(program, feeds, sizes);
  for (const backend of backends) {
    expectAllClose(
      backend.run(program, feeds, sizes),
      expected,
      (name) => (name.startsWith("gradient") ? tolerances.float32Gradient : tolerances.float32),
      label,
      0.05,
    );
  }
}

const packingOf = (program: Program) => new Executable({ main: program }).packing("main");

/** NaN behind the true lengths of [batch, time, size]. */
function withBadPadding(lengths: ArrayLike<number>, time: number, size: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: lengths.length * time * size }, (_, i) => {
    const t = Math.floor(i / size) % time;
    return t < lengths[Math.floor(i / size / time)]! ? random.normal() : Number.NaN;
  });
}

interface Form {
  readonly cell: string;
  readonly direction: "forward" | "backward" | "both";
  readonly depth: number;
  readonly rate: number;
  readonly output: "sequence" | "last";
}

/** Time-varying and static inputs, dropout between layers and behind them, every step or the last. */
function network({ cell, direction, depth, rate, output }: Form): Program {
  return programOf((trace) => {
    const lengths = trace.input("lengths", vectorType(1));
    const scope = scopeIn(trace, { time: lengths }, true);
    const alive = lengthMask(lengths);
    const x = select(alive, trace.input("x", sequenceType(3)), 0);
    const fixed = trace.input("fixed", vectorType(2));
    const joined = concat(x, broadcast(fixed, sequenceType(2)));
    const layer = recurrent({ cell: cells[cell]!, hiddenSize, depth, direction, dropout: rate });
    const result = layer.run(joined, scope);
    const features = output === "last" ? result.last : result.sequence;
    const y = dense({ outputSize: 2 }).apply(dropout(rate).apply(features, scope), scope.in("out"));
    const target = output === "last" ? vectorType(2) : sequenceType(2);
    return { loss: mse(y, trace.input("y", target), scope), y: output === "last" ? y : select(alive, y, 0) };
  });
}

const forms = fc.record({
  cell: fc.constantFrom("rnn", "gru", "lstm"),
  direction: fc.constantFrom("forward", "backward", "both"),
  depth: fc.integer({ min: 1, max: 2 }),
  rate: fc.constantFrom(0, 0.3),
  output: fc.constantFrom("sequence", "last"),
}) as fc.Arbitrary<Form>;
const batches = fc.record({
  batch: fc.constantFrom(1, 2, 3, 7, 23, 41),
  time: fc.integer({ min: 1, max: 6 }),
  kind: fc.constantFrom("any", "equal", "some empty", "all empty"),
  seed: fc.nat(1e6),
});

describe("a network with lengths", () => {
  it("has the reference's values and gradients for random cells, directions and lengths, whatever padding holds", () => {
    fc.assert(
      fc.property(forms, batches, (form, { batch, time, kind, seed }) => {
        const random = createRandom(seed);
        const least = kind === "any" ? 1 : 0;
        const drawn = Array.from({ length: batch }, () => least + Math.floor(random.uniform() * (time + 1 - least)));
        const lengths = kind === "equal" ? drawn.fill(time) : kind === "all empty" ? drawn.fill(0) : drawn;
        const program = optimized(network(form));
        expect(packingOf(program)).toEqual({ axis: "time" });
        const given = {
          lengths,
          x: withBadPadding(lengths, time, 3, seed),
          ...(form.output === "sequence" ? { y: withBadPadding(lengths, time, 2, seed + 1) } : {}),
        };
        const feeds = feedsFor(program, { batch, time }, seed, given, 0.5);
        expectReference(program, { ...feeds, seed: [7] }, { batch, time }, "packed networks");
      }),
      { numRuns: Number(process.env["RECURRA_RANDOM_PROGRAMS"] ?? 60), seed: 3 },
    );
  });

  it("gives outputs that are 0 behind the true length", () => {
    const model = new Model({
      inputs: { x: sequenceType(2) },
      variableLengths: ["time"],
      forward: ({ x }, scope) => ({
        y: dense({ outputSize: 1, initialize: { kind: "constant", value: 1 } }).apply(add(x!, 1), scope),
      }),
      loss: ({ y }) => sumAll(y!),
    });
    const y = (lengths: number[]) =>
      model.predict({ sizes: { batch: 2, time: 2 }, inputs: { x: [0, 0, 0, 0, 0, 0, 0, 0], lengths } })["y"];
    expect([...y([1, 2])!]).toEqual([2, 0, 2, 2]);
  });
});

type Write = (trace: Trace, lengths: Tensor, x: Tensor) => Readonly<Record<string, Tensor>>;

/** A recurrence with lengths, and around it what is hard to pack. */
function around(write: Write): Program {
  return programOf((trace) => {
    const lengths = trace.input("lengths", vectorType(1));
    return write(trace, lengths, select(lengthMask(lengths), trace.input("x", sequenceType(3)), 0));
  });
}

function simpleScan(lengths: Tensor, x: Tensor, direction: "forward" | "backward" = "forward"): Tensor {
  const W = x.trace.param("W", [3, 3]);
  const h = broadcast(x.trace.literal(0), vectorType(3));
  const step = ({ h }: { h: Tensor }, { x }: { x: Tensor }) => {
    const next = tanh(add(matmul(W, h), x));
    return { next: { h: next }, outputs: { y: next } };
  };
  return scan({ lengths, direction, initial: { h }, sequences: { x }, step }).outputs.y;
}

const packed: Readonly<Record<string, Write>> = {
  "values of a row and of a step in one loop": (trace, lengths, x) => {
    const y = simpleScan(lengths, x);
    const row = trace.input("row", vectorType(3));
    const step = trace.input("step", { axes: ["time"], shape: [1] });
    return { loss: sumAll(square(select(lengthMask(lengths), add(mul(y, row), step), 0))) };
  },
  "positions of rows and steps": (_trace, lengths, x) => {
    const y = simpleScan(lengths, x);
    const where = add(mul(0.1, positions(y, "batch")), positions(y, "time"));
    return { loss: sumAll(square(mul(y, where))) };
  },
  "sums over time, and over the batch": (trace, lengths, x) => {
    const y = simpleScan(lengths, x);
    const ofRows = mul(sumAxes(y, "time"), trace.input("row", vectorType(3)));
    const ofSteps = mul(sumAxes(y, "batch"), trace.input("step", { axes: ["time"], shape: [1] }));
    return { loss: add(sumAll(square(ofRows)), sumAll(square(ofSteps))), ofRows, ofSteps };
  },
  "a table": (trace, lengths, x) => {
    const index = select(lengthMask(lengths), trace.input("index", sequenceType(1)), 0);
    const rows = gather(trace.param("table", [4, 3]), index);
    return { loss: sumAll(square(simpleScan(lengths, add(rows, x)))) };
  },
  "maxima and slices of features": (_trace, lengths, x) => {
    const y = simpleScan(lengths, x);
    return { loss: sumAll(mul(maxFeatures(y), reshape(y, 3))), y };
  },
  "both directions, one on the other": (_trace, lengths, x) => ({
    loss: sumAll(square(simpleScan(lengths, simpleScan(lengths, x), "backward"))),
  }),
  "states that swap, and one that stays": (trace, lengths, x) => {
    const row = trace.input("row", vectorType(3));
    const result = scan({
      lengths,
      initial: { a: row, b: mul(2, row), c: row },
      sequences: { x },
      step: ({ a, b, c }, { x }) => ({ next: { a: b, b: tanh(add(a, x)), c }, outputs: { a, c: mul(c, x) } }),
    });
    const { final, outputs } = result;
    return { loss: add(sumAll(square(outputs.a)), sumAll(outputs.c), sumAll(mul(final.a, final.b, final.c))) };
  },
  "an encoder and a decoder of other lengths": (trace, lengths, x) => {
    const sent = sumAxes(simpleScan(lengths, x), "time");
    const steps = trace.input("lengths.steps", vectorType(1));
    const y = select(lengthMask(steps, "steps"), trace.input("y", sequenceType(3, "steps")), 0);
    const decoded = scan({
      axis: "steps",
      lengths: steps,
      initial: { h: sent },
      sequences: { y },
      step: ({ h }, { y }) => ({ next: { h: tanh(add(h, y)) }, outputs: { h } }),
    }).outputs.h;
    return { loss: sumAll(square(sub(decoded, y))) };
  },
};

/** Its gradient needs values [batch, steps] of every step. */
const scanInStep: Write = (trace, lengths, x) => {
  const other = trace.input("other", { axes: ["batch", "steps"], shape: [3] });
  const h = broadcast(trace.literal(0), vectorType(3));
  const result = scan({
    lengths,
    initial: { h },
    sequences: { x },
    step: (state, element) => {
      const inner = scan({
        axis: "steps",
        initial: { s: state.h },
        sequences: { other },
        step: ({ s }, { other }) => ({ next: { s: tanh(add(s, mul(0.5, other))) }, outputs: {} }),
      });
      const weights = sigmoid(mul(other, state.h));
      const read = sumAxes(mul(weights, other), "steps");
      const next = tanh(add(inner.final.s, element.x, mul(0.3, read)));
      return { next: { h: next }, outputs: { y: next } };
    },
  });
  return { loss: add(sumAll(square(result.outputs.y)), sumAll(result.final.h)) };
};

const masked: Readonly<Record<string, readonly [Write, string]>> = {
  "a mean that counts padding": [
    (trace, lengths, x) => ({ loss: sumAll(square(add(simpleScan(lengths, x), trace.param("b", [3])))) }),
    "counts padding",
  ],
  "an output that is not 0 there": [
    (_trace, lengths, x) => ({ loss: sumAll(simpleScan(lengths, x)), y: add(x, 1) }),
    "not 0 at padding",
  ],
  "a scan without lengths beside it": [
    (trace, lengths, x) => {
      const [sum] = [broadcast(trace.literal(0), vectorType(3))];
      const { final } = scan({
        initial: { sum },
        sequences: { y: simpleScan(lengths, x) },
        step: ({ sum }, { y }) => ({ next: { sum: add(sum, y) }, outputs: {} }),
      });
      return { loss: sumAll(square(final.sum)) };
    },
    "goes over padding",
  ],
  "the gradient of a scan in the step": [scanInStep, "has the axes batch, steps, time"],
  "a shift to the next step": [
    (trace, lengths, x) => {
      const y = simpleScan(lengths, x);
      return { loss: sumAll(square(mul(y, trace.add({ kind: "shift", x: y.id, axis: "time", by: 1 })))) };
    },
    "moves values to other steps",
  ],
  "lengths that are computed": [
    (trace, lengths, x) => ({
      loss: sumAll(square(simpleScan(sub(add(lengths, trace.input("seed", vectorType(1))), 1), x))),
    }),
    "are computed",
  ],
};

const sizes = { batch: 23, time: 5, steps: 3 };
const given = {
  lengths: Array.from({ length: 23 }, (_, b) => (b * 7) % 6),
  "lengths.steps": Array.from({ length: 23 }, (_, b) => (b * 5) % 4),
  index: Array.from({ length: 23 * 5 }, (_, i) => i % 4),
  seed: Array.from({ length: 23 }, () => 1),
};

describe("a program with lengths", () => {
  it.each(Object.entries(packed))("is packed around %s", (what, write) => {
    const program = optimized(around(write));
    expect(packingOf(program)).toEqual({ axis: expect.stringMatching(/time|steps/) });
    expectReference(program, feedsFor(program, sizes, 5, given, 0.5), sizes, what);
  });

  it("is packed around a scan in the step, over rows that lie apart, while it is not trained", () => {
    const program = runPasses(around(scanInStep), beforeGradient);
    expect(packingOf(program)).toEqual({ axis: "time" });
    expectReference(program, feedsFor(program, sizes, 5, given, 0.5), sizes, "a scan in the step");
  });

  it.each(Object.entries(masked))("computes padding too because of %s, and says so", (what, [write, reason]) => {
    const program = optimized(around(write));
    expect(packingOf(program)).toEqual({ reason: expect.stringContaining(reason) });
    expectReference(program, feedsFor(program, sizes, 5, given, 0.5), sizes, what);
  });
});
