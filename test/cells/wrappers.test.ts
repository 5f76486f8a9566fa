/** What a wrapper makes of a cell: zoneout, dropped recurrent weights, skipped steps, a reservoir that training leaves alone. */
import { describe, expect, it } from "vitest";
import { recurrentDropout } from "../../packages/recurra/src/cells/recurrent-dropout.ts";
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import { skipping, updateBudget } from "../../packages/recurra/src/cells/skip.ts";
import { weightDrop } from "../../packages/recurra/src/cells/weight-drop.ts";
import { zoneout } from "../../packages/recurra/src/cells/zoneout.ts";
import { dense } from "../../packages/recurra/src/layers/dense.ts";
import { mse } from "../../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../../packages/recurra/src/layers/recurrent.ts";
import type { Cell } from "../../packages/recurra/src/trace/cell.ts";
import { add } from "../../packages/recurra/src/trace/operations.ts";
import { sequenceType } from "../../packages/recurra/src/trace/tensor.ts";
import { Model } from "../../packages/recurra/src/train/model.ts";
import { defineNetwork } from "../../packages/recurra/src/train/network.ts";
import { cellFeeds, cellProgram } from "../support/cells.ts";
import { expectClose, tolerances } from "../support/close.ts";
import { checkGradients } from "../support/differences.ts";
import { backends, programOf, reference, scopeIn, type Values, withGradients } from "../support/programs.ts";

const sizes = { batch: 40, time: 30 };
const settings = { inputSize: 3, hiddenSize: 8, training: true };
const run = (cell: Cell, given: Values = {}, training = true) => {
  const program = cellProgram(cell, { ...settings, training });
  return backends.at(-1)!.run(program, cellFeeds(cell, program, sizes, 3, given), sizes);
};
/** Gradient check with masks drawn, and the reference's values and gradients on every backend, for unequal lengths. */
const agrees = (cell: Cell) => {
  const small = { batch: 3, time: 4 };
  const program = cellProgram(cell, { inputSize: 2, hiddenSize: 5, lengths: true, training: true });
  const feeds = cellFeeds(cell, program, small, 3, { lengths: [4, 0, 3] });
  checkGradients(program, feeds, small);
  const differentiated = withGradients(program);
  const expected = reference(differentiated, feeds, small);
  for (const { run: runOn, name } of backends) {
    const given = runOn(differentiated, feeds, small);
    for (const [what, values] of Object.entries(expected))
      expectClose(given[what]!, values, tolerances.float32Gradient, `${name}: ${what}`, cell.name);
  }
};
/** Whether h stays from step t − 1 to t, by unit. */
const kept = (sequence: ArrayLike<number>) => {
  const [units, stay] = [settings.hiddenSize, [] as boolean[]];
  for (let row = 0; row < sizes.batch; row++)
    for (let t = 1; t < sizes.time; t++)
      for (let k = 0; k < units; k++) {
        const at = (row * sizes.time + t) * units + k;
        stay.push(sequence[at] === sequence[at - units]);
      }
  return stay;
};

describe("zoneout", () => {
  const zoned = zoneout(cells["gru"]!, { h: 0.3 });

  it("keeps each unit with its probability while training, from the same seed alike", () => {
    const first = run(zoned).sequence!;
    const stay = kept(first);
    expect(stay.filter(Boolean).length / stay.length).toBeCloseTo(0.3, 1);
    expect([...run(zoned).sequence!]).toEqual([...first]);
    expect([...run(zoned, { seed: [8] }).sequence!]).not.toEqual([...first]);
  });

  it("draws anew at every timestep", () => {
    const stay = kept(run(zoned).sequence!);
    // Of the steps after one that a unit was kept, as many keep it again as of all steps.
    const [steps, units] = [sizes.time - 1, settings.hiddenSize];
    const again = stay.filter((_, i) => Math.floor(i / units) % steps > 0 && stay[i - units]);
    expect(again.filter(Boolean).length / again.length).toBeCloseTo(0.3, 1);
  });

  it("has the gradient that central differences give while training, and every backend's", () => agrees(zoned));

  it("refuses states that are not there, and rates that are no probabilities", () => {
    expect(() => zoneout(cells["gru"]!, { c: 0.5 })).toThrow(
      "zoneout of gru: c is 0.5, expected a rate from 0 to 1 for one of the states h.\n0.05 for h and 0.5 for c are the paper's.",
    );
    expect(() => zoneout(cells["sru"]!, { c: 0.5 })).toThrow(
      "zoneout of sru: output is h, expected one of the states c.\nZone out a cell whose output is a state.",
    );
  });
});

describe("weightDrop", () => {
  it("drops one set of recurrent weights for all rows and timesteps of a call", () => {
    // With W·x alone dropped weights cannot show: h = R·ones, the same R at every step.
    const program = programOf((trace) => {
      const cell = weightDrop(cells["rnn-relu"]!, 0.5);
      const layer = recurrent({ cell, hiddenSize: 50 });
      return { h: layer.apply(trace.input("x", sequenceType(1)), scopeIn(trace, {}, true)) };
    });
    // R passes unit k on to itself: what is dropped is 0, what is not doubles at each step.
    const R = Float32Array.from({ length: 2500 }, (_, i) => (i % 51 === 0 ? 1 : 0));
    const feeds = {
      seed: [3],
      x: [1, 0, 0, 1, 0, 0],
      "0.forward.W.h": Array(50).fill(1),
      "0.forward.b.h": Array(50).fill(0),
    };
    const h = reference(program, { ...feeds, "0.forward.R.h": R }, { batch: 2, time: 3 }).h!;
    const row = (b: number, t: number) => [...h.slice((b * 3 + t) * 50, (b * 3 + t + 1) * 50)];
    expect(new Set(row(0, 2))).toEqual(new Set([0, 4]));
    expect(row(0, 2).map((value) => value / 2)).toEqual(row(0, 1));
    expect(row(1, 2)).toEqual(row(0, 2));
  });

  it("refuses a rate of 1", () => {
    expect(() => weightDrop(cells["gru"]!, 1)).toThrow(
      "weightDrop of gru: rate is 1, expected at least 0 and below 1.\n0.5 is the paper's.",
    );
  });
});

describe("recurrentDropout", () => {
  const dropped = recurrentDropout(cells["rnn-relu"]!, 0.5);

  it("drops the same units of a row at every timestep, and others of another row", () => {
    // Identity weights: a unit that is dropped forgets at each step, one that is not doubles.
    const program = programOf((trace) => ({
      h: recurrent({ cell: dropped, hiddenSize: 50 }).apply(
        trace.input("x", sequenceType(1)),
        scopeIn(trace, {}, true),
      ),
    }));
    const feeds = {
      seed: [3],
      x: [1, 0, 0, 0, 1, 0, 0, 0],
      "0.forward.W.h": Array(50).fill(1),
      "0.forward.b.h": Array(50).fill(0),
      "0.forward.R.h": Float32Array.from({ length: 2500 }, (_, i) => (i % 51 === 0 ? 1 : 0)),
    };
    const h = reference(program, feeds, { batch: 2, time: 4 }).h!;
    const row = (b: number, t: number) => [...h.slice((b * 4 + t) * 50, (b * 4 + t + 1) * 50)];
    expect(new Set(row(0, 3))).toEqual(new Set([0, 8]));
    expect(row(0, 3).map((value) => value / 4)).toEqual(row(0, 1));
    expect(row(1, 3)).not.toEqual(row(0, 3));
  });

  it("leaves whole what a gate passes on: an update gate of 1 keeps h", () => {
    const cell = recurrentDropout(cells["gru"]!, 0.5);
    const program = cellProgram(cell, settings);
    const feeds = cellFeeds(cell, program, sizes, 3, { "0.forward.b.z": Array(8).fill(1e6) });
    expect(kept(reference(program, feeds, sizes).sequence!).every(Boolean)).toBe(true);
  });

  it("is the same from the same seed, another from another, and off at prediction", () => {
    const cell = recurrentDropout(cells["gru"]!, 0.5);
    const first = [...run(cell).sequence!];
    expect([...run(cell).sequence!]).toEqual(first);
    expect([...run(cell, { seed: [8] }).sequence!]).not.toEqual(first);
    expect([...run(cell, {}, false).sequence!]).toEqual([...run(cells["gru"]!, {}, false).sequence!]);
  });

  it.each([
    "rnn",
    "gru",
    "gru-reset-before",
    "lstm",
    "lstm-layer-norm",
    "antisymmetric",
    "clockwork",
    "lstm-projected",
  ])("of %s has the gradient that central differences give, and every backend's", (name) =>
    agrees(recurrentDropout(cells[name]!, 0.5)),
  );

  it("refuses a rate of 1, and a cell without recurrent products", () => {
    expect(() => recurrentDropout(cells["gru"]!, 1)).toThrow(
      "recurrentDropout of gru: rate is 1, expected at least 0 and below 1.\n0.25 to 0.5 are the paper's.",
    );
    expect(() => run(recurrentDropout(cells["sru"]!, 0.5))).toThrow(
      "recurrentDropout of sru: cell is no product of a matrix R with a vector, expected a cell with products R·h.\nWrap lstm or gru, or use zoneout, which suits any cell whose output is a state.",
    );
  });
});

describe("a skipping cell", () => {
  const rate = (bias: number) => {
    const program = cellProgram(cells["skip-gru"]!, { ...settings, training: false });
    const feeds = cellFeeds(cells["skip-gru"]!, program, sizes, 3, {
      "0.forward.e": [bias],
      "initial.0.forward.v": Array(sizes.batch).fill(0),
    });
    const { "0.forward.u": used, sequence } = reference(program, feeds, sizes);
    return { used: [...used!], stay: kept(sequence!) };
  };

  it("uses the first step, then as many as its bias asks for, and keeps its state over the others", () => {
    const [eager, lazy] = [rate(6), rate(-2)];
    expect(new Set(eager.used)).toEqual(new Set([1]));
    expect(lazy.used.filter((_, i) => i % sizes.time === 0).every((value) => value === 1)).toBe(true);
    const share = lazy.used.reduce((sum, value) => sum + value, 0) / lazy.used.length;
    expect(share).toBeGreaterThan(0.05);
    expect(share).toBeLessThan(0.5);
    const skipped = lazy.used.filter((value, i) => i % sizes.time > 0 && value === 0).length;
    expect(lazy.stay.filter(Boolean).length).toBe(skipped * settings.hiddenSize);
  });

  it("learns to use fewer steps when they cost", () => {
    const used = [0, 1].map((weight) => {
      const layer = recurrent({ cell: skipping(cells["rnn"]!), hiddenSize: 6 });
      const model = new Model(
        defineNetwork({
          inputs: { x: sequenceType(1), y: sequenceType(1) },
          forward: ({ x }, scope) => {
            const { sequence, results } = layer.run(x, scope.in("rnn"));
            return { y: dense({ outputSize: 1 }).apply(sequence, scope.in("out")), u: results["0.forward.u"]! };
          },
          loss: ({ y, u }, inputs, scope) => add(mse(y, inputs.y, scope), updateBudget(u, weight)),
        }),
      );
      const x = Float32Array.from({ length: 8 * 20 }, (_, i) => Math.sin(i));
      const batch = { sizes: { batch: 8, time: 20 }, inputs: { x, y: x } };
      for (let step = 0; step < 40; step++) model.trainStep(batch, 0.05);
      return model.predict(batch).u!.reduce((sum, value) => sum + value, 0);
    });
    expect(used[1]!).toBeLessThan(0.6 * used[0]!);
  });
});

describe("an echo state network", () => {
  it("keeps its reservoir while the readout is trained", () => {
    const layer = recurrent({ cell: cells["echo-state"]!, hiddenSize: 20 });
    const model = new Model(
      defineNetwork({
        inputs: { x: sequenceType(1), y: sequenceType(1) },
        forward: ({ x }, scope) => ({
          y: dense({ outputSize: 1 }).apply(layer.apply(x, scope.in("rnn")), scope.in("out")),
        }),
        loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
      }),
    );
    const before = model.weights();
    const x = Float32Array.from({ length: 60 }, (_, i) => Math.sin(i));
    model.trainStep({ sizes: { batch: 2, time: 30 }, inputs: { x, y: x } }, 0.1);
    for (const [name, values] of model.weights())
      expect([...values].every((value, i) => value === before.get(name)![i])).toBe(name.startsWith("rnn."));
  });

  it("may stand alone: a network with nothing to train takes steps that change nothing", () => {
    const layer = recurrent({ cell: cells["echo-state"]!, hiddenSize: 20 });
    const model = new Model(
      defineNetwork({
        inputs: { x: sequenceType(1), y: sequenceType(20) },
        forward: ({ x }, scope) => ({ h: layer.apply(x, scope) }),
        loss: ({ h }, { y }, scope) => mse(h, y, scope),
      }),
    );
    const batch = { sizes: { batch: 1, time: 3 }, inputs: { x: [1, 2, 3], y: new Float32Array(60) } };
    const loss = model.evaluate(batch);
    expect(model.trainStep(batch, 0.1)).toMatchObject({ loss, gradientNorm: 0 });
    expect(model.evaluate(batch)).toBe(loss);
  });
});
