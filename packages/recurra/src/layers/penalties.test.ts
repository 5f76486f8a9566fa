import { describe, expect, it } from "vitest";
import { expectClose, tolerances } from "../../../../test/support/close.ts";
import { checkGradients } from "../../../../test/support/differences.ts";
import { feedsFor, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { splitBatch } from "../optimize/split.ts";
import { add, matmul } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import { sequenceType, type Tensor, vectorType } from "../trace/tensor.ts";
import { Model } from "../train/model.ts";
import { defineNetwork } from "../train/network.ts";
import { sgd } from "../train/optimizers/sgd.ts";
import { buildPrograms } from "../train/programs.ts";
import { mse } from "./losses/usual.ts";
import { activationPenalty, temporalActivationPenalty, weightPenalty } from "./penalties.ts";

const sizes = { batch: 2, time: 4 };
const penalised = (penalty: (x: Tensor, scope: Scope) => Tensor, training = true) =>
  programOf((trace) => {
    const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) }, training);
    const x = matmul(scope.param("W", [3, 2], "ones"), trace.input("x", sequenceType(2)));
    return { loss: add(penalty(x, scope), 0), h: x };
  });

const cases = [
  {
    what: "of activations",
    penalty: (x: Tensor, scope: Scope) => activationPenalty(x, scope, 2),
    value: (h: (t: number) => readonly number[], length: number) =>
      Array.from({ length }, (_, t) => h(t).reduce((sum, value) => sum + (2 * value ** 2) / 3, 0)),
  },
  {
    what: "of changes in time",
    penalty: (x: Tensor, scope: Scope) => temporalActivationPenalty(x, scope, 2),
    value: (h: (t: number) => readonly number[], length: number) =>
      Array.from({ length }, (_, t) =>
        t === 0 ? 0 : h(t).reduce((sum, value, i) => sum + (2 * (value - h(t - 1)[i]!) ** 2) / 3, 0),
      ),
  },
];

describe("a penalty", () => {
  it.each(cases)("$what is the mean over timesteps that count, and 0 outside training", ({ penalty, value }) => {
    const program = penalised(penalty);
    const feeds = feedsFor(program, sizes, 5, { lengths: [4, 2], seed: [0] });
    const { loss, h } = reference(program, feeds, sizes);
    const row = (b: number) => (t: number) => [...h!.slice((b * 4 + t) * 3, (b * 4 + t + 1) * 3)];
    const terms = [...value(row(0), 4), ...value(row(1), 2)];
    expectClose(loss!, [terms.reduce((sum, term) => sum + term, 0) / 6], tolerances.float64, "penalty");
    expect(reference(penalised(penalty, false), feeds, sizes).loss![0]).toBe(0);
    checkGradients(program, feeds, sizes);
  });

  it("of weights counts what it is asked to, with its gradient", () => {
    const program = penalised((_, scope) => {
      scope.param("b", [3], "zeros");
      return weightPenalty(scope, { l1: 0.5, l2: 3 });
    });
    const feeds = feedsFor(program, sizes, 5, { lengths: [4, 2], seed: [0] });
    const expected = [...(feeds.W as Float32Array)].reduce((sum, w) => sum + 0.5 * Math.abs(w) + 1.5 * w ** 2, 0);
    expectClose(reference(program, feeds, sizes).loss!, [expected], tolerances.float64, "penalty");
    checkGradients(program, feeds, sizes);
  });

  const network = (l2: number) =>
    defineNetwork({
      inputs: { x: vectorType(2), y: vectorType(1) },
      forward: ({ x }, scope) => ({ y: matmul(scope.param("W", [1, 2], "ones"), x) }),
      loss: ({ y: given }, { y }, scope) => add(mse(given, y, scope), weightPenalty(scope, { l2 })),
    });

  it("of weights shrinks them by the rate in each step, and leaves the rows of a batch apart", () => {
    const batch = { sizes: { batch: 2 }, inputs: { x: [1, 2, -1, 0.5], y: [3, 1] } };
    const [free, held] = [0, 0.5].map((l2) => {
      const model = new Model(network(l2), { optimizer: sgd() });
      const { loss } = model.trainStep(batch, 0.1);
      return { loss, w: model.weights().get("W")!, validation: model.evaluate(batch) };
    });
    expect(held!.loss - free!.loss).toBeCloseTo(0.5, 5);
    expect([...held!.w]).toEqual([...free!.w].map((w) => expect.closeTo(w - 0.1 * 0.5, 6)));
    const { train } = buildPrograms(network(0.5), { optimizer: sgd() });
    expect(splitBatch(train)).toBeDefined();
  });
});
