import { dense, dropout, gather, mse, recurrent, type Scope, sequenceType, type Tensor, vectorType } from "recurra";
import { gru, lstm } from "recurra/cells";
import { type Batch, Model, sgd } from "recurra/train";
import { beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../packages/recurra/src/base/random.ts";
import { threadPool } from "../packages/recurra/src/compile/threads.ts";

// More threads than most machines of CI have processors: the pool is made at the first use, so this comes before any model.
process.env["RECURRA_THREADS"] = "4";

const inputSize = 24;

function makeModel(threads: number | undefined, cell = lstm, memoryLimit = 2 ** 31): Model {
  const layer = recurrent({ cell, hiddenSize: 60, depth: 2, dropout: 0.2, output: "last" });
  return new Model(
    {
      inputs: { x: sequenceType(inputSize), y: vectorType(3) },
      variableLengths: ["time"],
      forward: ({ x }, scope) => ({
        y: dense({ outputSize: 3 }).apply(dropout(0.1).apply(layer.apply(x!, scope), scope), scope),
      }),
      loss: ({ y }, inputs, scope) => mse(y!, inputs["y"]!, scope),
    },
    { seed: 7, clipping: { norm: 1 }, memoryLimit, ...(threads === undefined ? {} : { threads }) },
  );
}

function makeBatch(batch: number, time: number): Batch {
  const random = createRandom(batch * 1000 + time);
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  return {
    sizes: { batch, time },
    inputs: {
      x: numbers(batch * time * inputSize),
      y: numbers(batch * 3),
      lengths: Float32Array.from({ length: batch }, (_, b) => 1 + ((b * 7) % time)),
    },
  };
}

const largest = makeBatch(100, 14);

/** Calls a program of the model until `threads` take part in it: workers join each program once they have compiled it. */
async function join(model: Model, threads: number, call = () => void model.predict(largest)): Promise<void> {
  call();
  for (let tries = 0; tries < 500 && model.threadsReady() < threads; tries++) {
    call();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(model.threadsReady()).toBe(threads);
}

function trainSteps(model: Model, steps: number): void {
  for (let step = 0; step < steps; step++)
    model.trainStep(makeBatch([64, 33, 100, 19][step % 4]!, 12 + (step % 3)), 1e-3);
}

describe("threads", () => {
  beforeAll(() => {
    expect(threadPool()?.size).toBe(4);
  });

  it.each([lstm, gru])("gives the same bits of weights for 1, 2 and 4 threads with $name", async (cell) => {
    const models = [1, 2, undefined].map((threads) => makeModel(threads, cell));
    const [begun, fresh] = [models[0]?.weights(), models[0]?.optimizerState()];
    for (const [i, model] of models.entries()) {
      // With the largest batch: a program that is compiled again is joined again. Then all begin alike.
      await join(model, [1, 2, 4][i]!, () => void model.trainStep(largest, 0));
      model.setWeights(begun!);
      model.setOptimizerState(fresh!);
      trainSteps(model, 12);
      expect(model.threadsReady()).toBe([1, 2, 4][i]!);
    }
    const [one, ...others] = models.map((model) => model.weights());
    for (const weights of others) for (const [name, values] of one!) expect(weights.get(name), name).toEqual(values);
  });

  it("gives predictions of large weights the same bits, though one thread alone takes larger shards", async () => {
    const layer = recurrent({ cell: lstm, hiddenSize: 400 });
    const network = {
      inputs: { x: sequenceType(8) },
      forward: ({ x }: { x?: Tensor }, scope: Scope) => ({ h: layer.apply(x!, scope) }),
      loss: ({ h }: { h?: Tensor }, _: unknown, scope: Scope) => mse(h!, h!, scope),
    };
    const [one, four] = [1, undefined].map(
      (threads) => new Model(network, threads === undefined ? {} : { threads }),
    ) as [Model, Model];
    // One shard alone, and four, two of which go side by side.
    for (const rows of [50, 140]) {
      const x = Float32Array.from({ length: rows * 3 * 8 }, (_, i) => Math.sin(i));
      const batch = { sizes: { batch: rows, time: 3 }, inputs: { x } };
      await join(four, 4, () => void four.predict(batch));
      const expected = one.predict(batch)["h"]!;
      // Together and alone: both are tried in the first calls.
      for (let call = 0; call < 6; call++) {
        const h = four.predict(batch)["h"]!;
        expect(h.findIndex((value, i) => value !== expected[i])).toBe(-1);
      }
    }
  });

  it("gives training of large weights the same bits, though shards of one thread go through scans side by side", async () => {
    const layer = recurrent({ cell: lstm, hiddenSize: 400, output: "last", dropout: 0.1, depth: 2 });
    const network = {
      inputs: { x: sequenceType(8), y: vectorType(2) },
      forward: ({ x }: { x?: Tensor }, scope: Scope) => ({
        h: dense({ outputSize: 2 }).apply(layer.apply(x!, scope), scope),
      }),
      loss: ({ h }: { h?: Tensor }, { y }: { y?: Tensor }, scope: Scope) => mse(h!, y!, scope),
    };
    // Two shards alike, two that are not, four. With less memory each thread has one arena.
    const batches = [20, 21, 140].map((rows) => ({
      sizes: { batch: rows, time: 3 },
      inputs: {
        x: Float32Array.from({ length: rows * 3 * 8 }, (_, i) => Math.sin(i)),
        y: Float32Array.from({ length: rows * 2 }, (_, i) => Math.cos(i)),
      },
    }));
    const [one, two] = [1, 2].map((threads) => new Model(network, { seed: 5, threads })) as [Model, Model];
    await join(two, 2, () => void two.trainStep(batches[2]!, 0));
    two.setWeights(one.weights());
    two.setOptimizerState(one.optimizerState());
    const { memoryBytes, kernels } = one.plan({ batch: 140, time: 3 });
    const memoryLimit = memoryBytes - (kernels === "native avx512" ? 2 ** 16 : 0);
    const tight = new Model(network, { seed: 5, threads: 1, memoryLimit });
    for (let step = 0; step < 6; step++) {
      const batch = batches[step % 3]!;
      const expected = one.trainStep(batch, 1e-3);
      expect(two.trainStep(batch, 1e-3)).toEqual(expected);
      expect(tight.trainStep(batch, 1e-3)).toEqual(expected);
    }
    if (kernels === "native avx512") expect(tight.footprint.arenaBytes).toBeLessThan(one.footprint.arenaBytes);
  });

  it("gives embeddings of large tables the same bits, which one thread adds to", async () => {
    const [words, features] = [5000, 64];
    const layer = recurrent({ cell: gru, hiddenSize: 24, output: "last" });
    const network = {
      inputs: { x: sequenceType(1), y: vectorType(24) },
      forward: ({ x }: { x?: Tensor }, scope: Scope) => ({
        h: layer.apply(gather(scope.param("words", [words, features], "xavierUniform"), x!), scope),
      }),
      loss: ({ h }: { h?: Tensor }, { y }: { y?: Tensor }, scope: Scope) => mse(h!, y!, scope),
    };
    const models = [1, 2, undefined].map(
      (threads) =>
        new Model(network, { seed: 3, clipping: { norm: 1 }, ...(threads === undefined ? {} : { threads }) }),
    );
    const x = Float32Array.from({ length: 90 * 4 }, (_, i) => (i * i) % 97);
    const y = Float32Array.from({ length: 90 * 24 }, (_, i) => Math.sin(i));
    const batch = { sizes: { batch: 90, time: 4 }, inputs: { x, y } };
    const begun = models[0]!.weights();
    for (const [i, model] of models.entries()) {
      await join(model, [1, 2, 4][i]!, () => void model.trainStep(batch, 0));
      model.setWeights(begun);
      model.setOptimizerState(models[0]!.optimizerState());
    }
    for (let step = 0; step < 8; step++) {
      const [one, ...others] = models.map((model) => model.trainStep(batch, 1e-2));
      for (const other of others) expect(other).toEqual(one);
    }
    const [one, ...others] = models.map((model) => model.weights());
    for (const weights of others)
      for (const [name, values] of one!) {
        // Only where they differ: so many numbers take minutes to print.
        expect(
          values.findIndex((value, at) => value !== weights.get(name)![at]),
          name,
        ).toBe(-1);
      }
  });

  it("cuts long sequences into the same segments for any number of threads, with the same bits", async () => {
    const [one, four] = [1, undefined].map((threads) => makeModel(threads, lstm, 15_000_000)) as [Model, Model];
    await join(four, 4);
    const long = makeBatch(40, 200);
    for (let step = 0; step < 4; step++) expect(four.trainStep(long, 1e-3)).toEqual(one.trainStep(long, 1e-3));
    expect(one.footprint.segments).toEqual(four.footprint.segments);
    expect(one.footprint.segments).toBeDefined();
    for (const [name, values] of one.weights()) expect(four.weights().get(name), name).toEqual(values);
  });

  it("lets the workers take part in predictions too, with the same bits", async () => {
    const [one, four] = [makeModel(1), makeModel(undefined)];
    await join(four, 4);
    expect(four.predict(largest)["y"]).toEqual(one.predict(largest)["y"]);
  });

  it("keeps results when a larger batch makes it compile again", async () => {
    const [one, four] = [makeModel(1), makeModel(undefined)];
    for (const size of [24, 200, 48, 400, 64]) {
      const batch = makeBatch(size, 9);
      expect(four.trainStep(batch, 1e-3)).toEqual(one.trainStep(batch, 1e-3));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(four.evaluate(batch)).toBe(one.evaluate(batch));
    }
  });

  it("takes the mean step of the parts that are too small to be cut", () => {
    // A batch of 64 is cut into four shards, one of 16 is not: loss and gradient of the whole are the means of the parts.
    const network = {
      inputs: { x: sequenceType(3), y: vectorType(2) },
      forward: ({ x }: Readonly<Record<string, Tensor>>, scope: Scope) => ({
        y: dense({ outputSize: 2 }).apply(
          recurrent({ cell: gru, hiddenSize: 5, output: "last" }).apply(x!, scope),
          scope,
        ),
      }),
      loss: ({ y }: Readonly<Record<string, Tensor>>, inputs: Readonly<Record<string, Tensor>>, scope: Scope) =>
        mse(y!, inputs["y"]!, scope),
    };
    const random = createRandom(5);
    const [x, y] = [64 * 7 * 3, 64 * 2].map((count) => Float32Array.from({ length: count }, () => random.normal()));
    const stepOf = (first: number, rows: number) => {
      const model = new Model(network, { seed: 3, optimizer: sgd(), threads: 1 });
      const inputs = { x: x!.subarray(first * 21, (first + rows) * 21), y: y!.subarray(first * 2, (first + rows) * 2) };
      const { loss } = model.trainStep({ sizes: { batch: rows, time: 7 }, inputs }, 1);
      return [loss, ...[...model.weights().values()].flatMap((values) => [...values])];
    };
    const parts = [0, 16, 32, 48].map((first) => stepOf(first, 16));
    for (const [i, value] of stepOf(0, 64).entries()) {
      expect(Math.abs(value - parts.reduce((sum, part) => sum + part[i]!, 0) / 4), `number ${i}`).toBeLessThan(1e-6);
    }
  });
});
