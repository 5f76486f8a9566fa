/** Programs cut into segments along time against the same programs whole, and models under a memory limit. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../packages/recurra/src/base/random.ts";
import { segmentLength, segmentsOf } from "../packages/recurra/src/base/shapes.ts";
import { gru } from "../packages/recurra/src/cells/gru.ts";
import { lstm } from "../packages/recurra/src/cells/lstm.ts";
import { afterGradient, beforeGradient, runPasses } from "../packages/recurra/src/compile/pipeline.ts";
import type { Program } from "../packages/recurra/src/ir/nodes.ts";
import { verify } from "../packages/recurra/src/ir/verify.ts";
import { dense } from "../packages/recurra/src/layers/dense.ts";
import { dropout } from "../packages/recurra/src/layers/dropout.ts";
import { sequential } from "../packages/recurra/src/layers/layer.ts";
import { mse } from "../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../packages/recurra/src/layers/recurrent.ts";
import { cut } from "../packages/recurra/src/optimize/cut.ts";
import { splitBatch } from "../packages/recurra/src/optimize/split.ts";
import {
  add,
  gather,
  lengthMask,
  less,
  mul,
  positions,
  random,
  sumAxes,
  tanh,
} from "../packages/recurra/src/trace/operations.ts";
import { scan, stepPosition } from "../packages/recurra/src/trace/scan.ts";
import { sequenceType, type Tensor, vectorType } from "../packages/recurra/src/trace/tensor.ts";
import { Model, type ModelOptions } from "../packages/recurra/src/train/model.ts";
import { sgd } from "../packages/recurra/src/train/optimizers/sgd.ts";
import type { Network } from "../packages/recurra/src/train/programs.ts";
import { buildPrograms } from "../packages/recurra/src/train/programs.ts";
import { expectAllClose, expectClose, tolerances } from "./support/close.ts";
import { layerCases } from "./support/layers.ts";
import { backends, feedsFor, programOf, reference, scopeIn, withGradients } from "./support/programs.ts";

/** Time steps and segment lengths: several segments, a shorter last one, one of its own, steps fewer than a segment, none at all. */
const cuts = [
  { time: 6, segment: 3 },
  { time: 7, segment: 3 },
  { time: 5, segment: 1 },
  { time: 1, segment: 4 },
  { time: 3, segment: 8 },
  { time: 0, segment: 2 },
];

function shifted(x: Tensor): Tensor {
  return x.trace.add({ kind: "shift", x: x.id, axis: "time", by: 1 });
}

function optimizedInSegments(program: Program): Program {
  const pieces = cut(runPasses(program, beforeGradient), "time");
  if (pieces === undefined) throw new Error("the program cannot be cut");
  verify(pieces);
  return runPasses(withGradients(pieces), afterGradient, (_pass, after) => verify(after));
}

function expectTheSame(plain: Program): void {
  const whole = withGradients(plain);
  const pieces = optimizedInSegments(plain);
  for (const { time, segment } of cuts) {
    const sizes = { batch: 3, time };
    const given = {
      lengths: [time, Math.max(0, time - 2), Math.min(1, time)],
      seed: [17],
      index: Array.from({ length: 3 * time }, (_, i) => i % 4),
    };
    const feeds = feedsFor(whole, sizes, 1, given);
    const segments = { [segmentsOf("time")]: Math.ceil(time / segment), [segmentLength("time")]: segment };
    const expected = reference(whole, feeds, sizes);
    const found = reference(pieces, feeds, { ...sizes, ...segments });
    expectAllClose(found, expected, tolerances.float64, "segments, float64");
    for (const backend of backends) {
      const computed = backend.run(pieces, feeds, { ...sizes, ...segments });
      // Gradients that nearly cancel are small differences of numbers around 0.1.
      expectAllClose(computed, expected, tolerances.float32Gradient, "segments, float32", 1e-2);
    }
  }
}

describe("a program cut into segments", () => {
  it.each(layerCases)("$what: has the gradients of the whole", ({ program }) => {
    expectTheSame(program(3, 5));
  });

  it("draws the masks of the whole, between layers and within a step", () => {
    expectTheSame(
      programOf((trace) => {
        const scope = scopeIn(trace, {}, true);
        const x = dropout(0.5).apply(trace.input("x", sequenceType(3)), scope);
        const layers = recurrent({ cell: gru, hiddenSize: 5, depth: 2, direction: "both", dropout: 0.5 });
        const y = layers.apply(x, scope);
        const { outputs } = scan({
          initial: { s: trace.input("s", vectorType(10)) },
          sequences: { y },
          step: ({ s }, { y: element }) => {
            const kept = less(0.3, random(scope.seed, 99, vectorType(10)));
            const next = tanh(add(mul(0.5, s), mul(kept, element), mul(0.1, stepPosition(s))));
            return { next: { s: next }, outputs: { s: next } };
          },
        });
        return { loss: mse(outputs.s, trace.input("target", sequenceType(10)), scope) };
      }),
    );
  });

  it("has embeddings, positions, neighbours and sums over time, before and behind recurrences", () => {
    expectTheSame(
      programOf((trace) => {
        const lengths = trace.input("lengths", vectorType(1));
        const scope = scopeIn(trace, { time: lengths });
        const embedded = gather(trace.param("table", [4, 3]), trace.input("index", sequenceType(1)));
        const x = add(embedded, shifted(embedded), mul(0.1, positions(lengths, "time")));
        const first = recurrent({ cell: lstm, hiddenSize: 4 }).run(x, scope.in("first"));
        const mean = sumAxes(mul(first.sequence, lengthMask(lengths)), "time");
        const second = recurrent({ cell: gru, hiddenSize: 4, direction: "backward" });
        const read = second.apply(add(first.sequence, mean, first.last), scope.in("second"));
        const y = dense({ outputSize: 2 }).apply(read, scope.in("dense"));
        return { loss: mse(y, trace.input("y", sequenceType(2)), scope), y, mean };
      }),
    );
  });

  it("is refused where a shift reaches over the border of a segment", () => {
    const program = programOf((trace) => {
      const scope = scopeIn(trace);
      const h = recurrent({ cell: gru, hiddenSize: 2 }).apply(trace.input("x", sequenceType(2)), scope);
      return { loss: mse(shifted(h), trace.input("y", sequenceType(2)), scope) };
    });
    expect(cut(program, "time")).toBeUndefined();
    expect(cut(program, "steps")).toBeUndefined();
  });
});

const inputSize = 3;

function network(hiddenSize: number, rate = 0): Network {
  const layers = sequential(
    recurrent({ cell: lstm, hiddenSize, depth: 2, dropout: rate, direction: "both" }),
    dropout(rate),
    dense({ outputSize: 2 }),
  );
  return {
    inputs: { x: sequenceType(inputSize), y: sequenceType(2) },
    variableLengths: ["time"],
    forward: ({ x }, scope) => ({ y: layers.apply(x!, scope) }),
    loss: ({ y }, inputs, scope) => mse(y!, inputs["y"]!, scope),
  };
}

function batchOf(batch: number, time: number) {
  const random = createRandom(batch + time);
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const lengths = Float32Array.from({ length: batch }, (_, row) => time - (row % time));
  const inputs = { x: numbers(batch * time * inputSize), y: numbers(batch * time * 2), lengths };
  return { sizes: { batch, time }, inputs };
}

function trained(options: ModelOptions, batches: readonly ReturnType<typeof batchOf>[]): Model {
  const model = new Model(network(6, 0.3), { optimizer: sgd({ momentum: 0.9 }), ...options });
  for (const batch of batches) model.trainStep(batch, 0.1);
  return model;
}

describe("a model under a memory limit", () => {
  const batches = [batchOf(30, 65), batchOf(30, 64), batchOf(7, 9)];

  it("takes the steps of one without a limit", () => {
    const free = trained({}, batches);
    const limited = trained({ memoryLimit: 1_300_000 }, batches);
    expect(free.footprint.segments).toBeUndefined();
    expect(free.footprint.arenaBytes).toBeGreaterThan(1_300_000);
    expect(limited.footprint.segments).toEqual({ axis: "time", length: 9 });
    expect(limited.footprint.memoryBytes).toBeLessThan(1_400_000);
    expectAllClose(
      Object.fromEntries(limited.weights()),
      Object.fromEntries(free.weights()),
      tolerances.float32Gradient,
    );
    expect(limited.evaluate(batches[0]!)).toBeCloseTo(free.evaluate(batches[0]!), 5);
    expectClose(limited.predict(batches[1]!)["y"]!, free.predict(batches[1]!)["y"]!, tolerances.float32Gradient, "y");
  });

  it("still cuts the batch into rows, so that threads can share it", () => {
    const { inSegments } = buildPrograms(network(6, 0.3), { optimizer: sgd() });
    const { train, evaluate, predict } = inSegments("time")!;
    for (const program of [train, evaluate, predict]) expect(splitBatch(program)).toBeDefined();
  });

  it("says what to do when nothing fits, and can still be used", () => {
    const model = new Model(network(6), { memoryLimit: 1_300_000 });
    const large = batchOf(30, 2000);
    expect(() => model.trainStep(large, 0.1)).toThrow(
      /^the model's memory is .* MiB for batch 30, time 2000, in segments of \d+ along "time", expected at most 1.2 MiB, the memoryLimit.\nUse a smaller batch or shorter sequences \(a long one in windows: truncated backpropagation through time\), or raise memoryLimit.$/,
    );
    expect(Number.isFinite(model.trainStep(batches[2]!, 0.1).loss)).toBe(true);
  });

  it.each([0, -1, 2 ** 33, Number.NaN])("refuses a limit of %s", (memoryLimit) => {
    expect(() => new Model(network(2), { memoryLimit })).toThrow(/^memoryLimit is .*, expected bytes, above 0/);
  });

  it("trains on 20,000 steps in 6 MiB", () => {
    const layers = sequential(recurrent({ cell: gru, hiddenSize: 8 }), dense({ outputSize: 2 }));
    const model = new Model(
      {
        inputs: { x: sequenceType(inputSize), y: sequenceType(2) },
        forward: ({ x }, scope) => ({ y: layers.apply(x!, scope) }),
        loss: ({ y }, inputs, scope) => mse(y!, inputs["y"]!, scope),
      },
      { memoryLimit: 6 * 2 ** 20 },
    );
    const { sizes, inputs } = batchOf(4, 20_000);
    const y = inputs.x.filter((_, i) => i % inputSize > 0);
    const losses = Array.from({ length: 8 }, () => model.trainStep({ sizes, inputs: { x: inputs.x, y } }, 0.02).loss);
    expect(losses[7]!).toBeLessThan(0.6 * losses[0]!);
    expect(model.footprint.memoryBytes).toBeLessThan(6.5 * 2 ** 20);
    expect(model.footprint.segments).toEqual({ axis: "time", length: 142 });
  });
});
