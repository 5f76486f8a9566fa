import { describe, expect, it } from "vitest";
import type { Command } from "../packages/recurra/src/backends/wasm/plan/plan.ts";
import { createRandom } from "../packages/recurra/src/base/random.ts";
import { makeEntry } from "../packages/recurra/src/compile/entry.ts";
import { gru, lstm } from "../packages/recurra/src/entries/cells.ts";
import { adam, type Batch, defineNetwork, Model, type ModelOptions } from "../packages/recurra/src/entries/train.ts";
import { dense, mse, recurrent, sequenceType, vectorType } from "../packages/recurra/src/index.ts";
import { buildPrograms } from "../packages/recurra/src/train/programs.ts";

const network = (cell = lstm, hiddenSize = 9) =>
  defineNetwork({
    inputs: { x: sequenceType(5), y: vectorType(2) },
    forward: ({ x }, scope) => ({
      y: dense({ outputSize: 2 }).apply(recurrent({ cell, hiddenSize, output: "last" }).apply(x, scope), scope),
    }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  });

const modelOf = (options: ModelOptions = {}) => new Model(network(), { seed: 3, threads: 1, ...options });

function batchOf(batch: number, time: number): Batch {
  const random = createRandom(batch * 100 + time);
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  return { sizes: { batch, time }, inputs: { x: numbers(batch * time * 5), y: numbers(batch * 2) } };
}

/** What a model with these weights gives that has done nothing else before. */
function fresh(weights: ReturnType<Model["weights"]>, batch: Batch) {
  const model = modelOf();
  model.setWeights(weights);
  return { y: model.predict(batch)["y"], loss: model.evaluate(batch) };
}

const [small, large] = [batchOf(3, 4), batchOf(45, 6)];

describe("what follows from weights alone", () => {
  it.each([lstm, gru])("is made before the rows of a call: they pack and copy no weight of $name", (cell) => {
    const { predict, evaluate, train } = buildPrograms(network(cell), { optimizer: adam() });
    for (const [program, lasts] of [
      [predict, true],
      [evaluate, true],
      [train, false],
    ] as const) {
      const { rows, prepared } = makeEntry(program);
      const weights = new Set(Object.values(rows.plan.params));
      const isPack = ({ kind }: Command) => kind === "pack";
      const copiesWeight = (command: Command) =>
        command.kind === "loop" && command.ops.every((op) => op.kind === "load" && weights.has(op.access.buffer));
      expect(rows.plan.commands.some((command) => isPack(command) || copiesWeight(command))).toBe(false);
      expect(prepared?.plan.commands.filter(isPack).length).toBeGreaterThanOrEqual(3);
      expect(prepared?.lasts).toBe(lasts);
    }
  });

  it("counts for the size of shards all the same", () => {
    const rowsOf = (hiddenSize: number) =>
      makeEntry(buildPrograms(network(lstm, hiddenSize), { optimizer: adam() }).train).rowsPerShard;
    expect(rowsOf(512)).toBeGreaterThan(rowsOf(9));
  });

  it("is made again when weights are put in place", () => {
    const [model, other] = [modelOf(), modelOf({ seed: 4 }).weights()];
    const own = model.weights();
    model.predict(small);
    model.setWeights(other);
    expect(model.predict(small)["y"]).toEqual(fresh(other, small).y);
    expect(model.withWeights(own, () => model.predict(small)["y"])).toEqual(fresh(own, small).y);
    expect(model.predict(small)["y"]).toEqual(fresh(other, small).y);
  });

  it.each([false, true])("is made again after a training step, accumulation %s", (accumulation) => {
    const model = modelOf({ accumulation });
    for (let step = 0; step < 3; step++) {
      model.predict(large);
      model.trainStep(accumulation ? [large, small] : large, 0.1);
      expect(model.predict(large)["y"]).toEqual(fresh(model.weights(), large).y);
      expect(model.evaluate(large)).toBe(fresh(model.weights(), large).loss);
    }
  });

  it("is not mixed up between programs, sizes and calls that fail", () => {
    const model = modelOf();
    const expected = fresh(model.weights(), small);
    for (let turn = 0; turn < 2; turn++) {
      expect(model.predict(small)["y"]).toEqual(expected.y);
      expect(model.evaluate(small)).toBe(expected.loss);
      expect(() => model.evaluate({ ...small, inputs: { ...small.inputs, y: [] } })).toThrow('input "y"');
      expect(model.predict(small)["y"]).toEqual(expected.y);
      expect(() => model.evaluate({ ...small, inputs: { ...small.inputs, y: [] } })).toThrow('input "y"');
      expect(model.predict(small)["y"]).toEqual(expected.y);
      model.predict(large);
      expect(model.predict(small)["y"]).toEqual(expected.y);
    }
  });
});
