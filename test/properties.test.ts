/** What must hold of every network: padding, order of the batch, chunks, seeds, capacity. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "../packages/recurra/src/base/random.ts";
import { cells } from "../packages/recurra/src/cells/registry.ts";
import { dense } from "../packages/recurra/src/layers/dense.ts";
import { dropout } from "../packages/recurra/src/layers/dropout.ts";
import { mse } from "../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../packages/recurra/src/layers/recurrent.ts";
import { sequenceType, vectorType } from "../packages/recurra/src/trace/tensor.ts";
import { type Batch, Model, type ModelOptions } from "../packages/recurra/src/train/model.ts";
import type { Network } from "../packages/recurra/src/train/programs.ts";
import { expectClose, tolerances } from "./support/close.ts";
import { mainCells } from "./support/layers.ts";
import { backends, feedsFor, programOf, reference, scopeIn } from "./support/programs.ts";

const [inputSize, hiddenSize] = [2, 5];
const names = mainCells;

interface Form {
  readonly cell: string;
  readonly lengths?: boolean;
  readonly rate?: number;
  readonly direction?: "forward" | "backward" | "both";
}

function network({ cell, lengths = false, rate = 0, direction = "forward" }: Form): Network {
  const layer = recurrent({ cell: cells[cell]!, hiddenSize, depth: 2, dropout: rate, direction });
  return {
    inputs: { x: sequenceType(inputSize), y: sequenceType(1) },
    variableLengths: lengths ? ["time"] : [],
    forward: ({ x }, scope) => ({
      y: dense({ outputSize: 1 }).apply(dropout(rate).apply(layer.apply(x!, scope.in("rnn")), scope), scope.in("out")),
    }),
    loss: (outputs, inputs, scope) => mse(outputs.y!, inputs.y!, scope),
  };
}

function batchOf(batch: number, time: number, seed: number, lengths?: readonly number[]): Batch {
  const random = createRandom(seed);
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  return {
    sizes: { batch, time },
    inputs: {
      x: numbers(batch * time * inputSize),
      y: numbers(batch * time),
      ...(lengths === undefined ? {} : { lengths }),
    },
  };
}

/** Bits, so that NaN and −0 are told apart. */
const bits = (values: Iterable<readonly [string, Float32Array]>) =>
  [...values].map(([name, data]) => [name, [...new Uint32Array(data.slice().buffer)]]);
const trained = (model: Model, batches: readonly Batch[]) => {
  const losses = batches.map((batch) => model.trainStep(batch, 1e-2));
  return { losses, weights: bits(model.weights()) };
};

describe.each(names)("a network of cell %s", (cell) => {
  it.each(["forward", "both"] as const)("has the same bits whatever padding holds (%s)", (direction) => {
    const lengths = [6, 0, 3, 1];
    const clean = batchOf(4, 6, 1, lengths);
    const fill = (values: ArrayLike<number>, features: number, by: number) =>
      Float32Array.from(values, (value, i) =>
        Math.floor(i / features) % 6 < lengths[Math.floor(i / features / 6)]! ? value : by,
      );
    const model = new Model(network({ cell, lengths: true, direction }));
    const [weights, optimizer] = [model.weights(), model.optimizerState()];
    const runs = [0, Number.NaN, Number.POSITIVE_INFINITY, 1e30].map((by) => {
      const batch: Batch = {
        sizes: clean.sizes,
        inputs: { lengths, x: fill(clean.inputs.x!, inputSize, by), y: fill(clean.inputs.y!, 1, by) },
      };
      model.setWeights(weights);
      model.setOptimizerState(optimizer);
      const predicted = bits(Object.entries(model.predict(batch)));
      return { predicted, loss: model.evaluate(batch), ...trained(model, [batch, batch, batch]) };
    });
    expect(runs[0]!.losses.every(({ loss, gradientNorm }) => Number.isFinite(loss) && gradientNorm > 0)).toBe(true);
    for (const run of runs.slice(1)) expect(run).toEqual(runs[0]);
  });

  it("gives permuted outputs for a permuted batch", () => {
    const model = new Model(network({ cell, lengths: true }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 5 }), fc.nat(), (batch, time, seed) => {
        const random = createRandom(seed);
        const order = Array.from({ length: batch }, (_, b) => b).sort(() => random.uniform() - 0.5);
        const lengths = order.map(() => random.integer(time + 1));
        const given = batchOf(batch, time, seed, lengths);
        const move = (values: ArrayLike<number>, perRow: number) =>
          order.flatMap((row) => Array.from(values).slice(row * perRow, (row + 1) * perRow));
        const moved: Batch = {
          sizes: given.sizes,
          inputs: {
            x: move(given.inputs.x!, time * inputSize),
            y: move(given.inputs.y!, time),
            lengths: move(lengths, 1),
          },
        };
        expectClose(
          model.predict(moved).y!,
          move(model.predict(given).y!, time),
          tolerances.float32,
          "y",
          "permuted batch",
        );
      }),
      { numRuns: 8, seed: 3 },
    );
  });

  it("has the same bits of weights after 20 steps with dropout from the same seed, and others from another", () => {
    const batches = Array.from({ length: 20 }, (_, i) => batchOf(3, 4, i));
    const run = (options: ModelOptions) => trained(new Model(network({ cell, rate: 0.3 }), options), batches);
    expect(run({ seed: 4 })).toEqual(run({ seed: 4 }));
    expect(run({ seed: 4, strict: true })).toEqual(run({ seed: 4, strict: true }));
    expect(run({ seed: 5 }).weights).not.toEqual(run({ seed: 4 }).weights);
  });

  it("keeps weights and results when batch or time grow later", () => {
    const [small, large] = [batchOf(2, 3, 1), batchOf(40, 90, 2)];
    const once = new Model(network({ cell }));
    const grown = new Model(network({ cell }));
    once.predict(large);
    expect(bits(Object.entries(grown.predict(small)))).toEqual(bits(Object.entries(once.predict(small))));
    const first = trained(once, [small, large, small]);
    expect(trained(grown, [small, large, small])).toEqual(first);
    expect(bits(Object.entries(grown.predict(small)))).toEqual(bits(Object.entries(once.predict(small))));
  });
});

describe.each([
  { name: "the float64 interpreter", run: reference, tolerance: tolerances.float64 },
  ...backends.map((backend) => ({ ...backend, tolerance: tolerances.float32 })),
])("on $name", ({ run, tolerance }) => {
  it.each(names)("a sequence in two parts with carried state gives what the whole gives: %s", (cell) => {
    const layer = recurrent({ cell: cells[cell]!, hiddenSize, depth: 2 });
    const states = [0, 1].flatMap((l) => cells[cell]!.states.map((state) => `${l}.forward.${state}`));
    const program = programOf((trace) => {
      const initial = Object.fromEntries(
        states.map((name) => [name, trace.input(`initial.${name}`, vectorType(hiddenSize))]),
      );
      const { sequence, final } = layer.run(trace.input("x", sequenceType(inputSize)), scopeIn(trace), initial);
      return { sequence, ...final };
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 6 }), fc.nat(), (batch, time, seed) => {
        const cut = seed % (time + 1);
        const feeds = feedsFor(program, { batch, time }, seed, { seed: [0] });
        const x = Array.from(feeds.x!);
        const rows = (from: number, to: number) =>
          Array.from({ length: batch }, (_, b) =>
            x.slice((b * time + from) * inputSize, (b * time + to) * inputSize),
          ).flat();
        const whole = run(program, feeds, { batch, time });
        const head = run(program, { ...feeds, x: rows(0, cut) }, { batch, time: cut });
        const carried = Object.fromEntries(states.map((name) => [`initial.${name}`, head[name]!]));
        const tail = run(program, { ...feeds, ...carried, x: rows(cut, time) }, { batch, time: time - cut });
        const joined = Array.from({ length: batch }, (_, b) => [
          ...head.sequence!.slice(b * cut * hiddenSize, (b + 1) * cut * hiddenSize),
          ...tail.sequence!.slice(b * (time - cut) * hiddenSize, (b + 1) * (time - cut) * hiddenSize),
        ]).flat();
        expectClose(joined, whole.sequence!, tolerance, "sequence", "chunks");
        for (const name of states) expectClose(tail[name]!, whole[name]!, tolerance, name, "chunks");
      }),
      { numRuns: 5, seed: 9 },
    );
  });
});

describe("strict arithmetic", () => {
  it("differs from the reference by rounding only and says what it uses", () => {
    const model = new Model(network({ cell: "lstm" }), { strict: true });
    expect(model.footprint.kernels).toBe("plain");
  });
});
