import { describe, expect, it } from "vitest";
import { expectClose, tolerances } from "../../../../test/support/close.ts";
import { backends, feedsFor, programOf, reference, scopeIn, withGradients } from "../../../../test/support/programs.ts";
import { lstm } from "../cells/lstm.ts";
import { rnn } from "../cells/rnn.ts";
import { add, slice, square, sumAll } from "../trace/operations.ts";
import { sequenceType, vectorType } from "../trace/tensor.ts";
import { Model } from "../train/model.ts";
import { defineNetwork } from "../train/network.ts";
import { sgd } from "../train/optimizers/sgd.ts";
import { mse } from "./losses/usual.ts";
import { watchedRecurrent } from "./vanishing.ts";

const [hidden, time] = [3, 5];
const layer = watchedRecurrent({ cell: rnn, hiddenSize: hidden });
const lengths = [5, 3];
const sizes = { batch: 2, time };
const program = withGradients(
  programOf((trace) => {
    const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) }, true);
    const x = trace.input("x", sequenceType(2));
    const watched = layer.run(x, scope);
    // L = Σ h², over every timestep.
    const loss = sumAll(square(watched.sequence));
    return { loss: layer.penalty(loss, x, watched, scope, 2), task: loss, h: watched.sequence };
  }),
  ["0.forward.W.h", "0.forward.R.h", "0.forward.b.h"],
);
const feeds = feedsFor(program, sizes, 6, { lengths, seed: [0] }, 0.7);

/** Ω by hand, with h and ∂L/∂h held as they are at `feeds` while the weights move. */
function byHand(): (weights: Readonly<Record<"W" | "R" | "b", readonly number[]>>) => number {
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  const at = (name: string) => feeds[`0.forward.${name}.h`]!;
  const before = (
    w: Readonly<Record<"W" | "R" | "b", ArrayLike<number>>>,
    x: readonly number[],
    h: readonly number[],
  ) =>
    range(hidden).map(
      (i) =>
        w.b[i]! +
        x.reduce((sum, value, k) => sum + w.W[i * 2 + k]! * value, 0) +
        h.reduce((sum, value, k) => sum + w.R[i * hidden + k]! * value, 0),
    );
  const own = { W: at("W"), R: at("R"), b: at("b") };
  const rows = lengths.map((length, row) => {
    const xs = range(length).map((t) => [
      ...(feeds["x"] as Float32Array).slice((row * time + t) * 2, (row * time + t + 1) * 2),
    ]);
    const h: number[][] = [range(hidden).map(() => 0)];
    for (const x of xs) h.push(before(own, x, h.at(-1)!).map(Math.tanh));
    const g = h.map((state) => state.map((value) => 2 * value));
    for (let t = length - 1; t >= 1; t--) {
      for (const k of range(hidden))
        for (const i of range(hidden)) g[t]![k]! += own.R[i * hidden + k]! * (1 - h[t + 1]![i]! ** 2) * g[t + 1]![i]!;
    }
    return { xs, h, g };
  });
  return (w) => {
    let sum = 0;
    for (const { xs, h, g } of rows) {
      for (let t = 1; t < xs.length; t++) {
        const next = before(w, xs[t]!, h[t]!).map(Math.tanh);
        const passed = range(hidden).map((k) =>
          range(hidden).reduce((total, i) => total + w.R[i * hidden + k]! * (1 - next[i]! ** 2) * g[t + 1]![i]!, 0),
        );
        sum += (Math.hypot(...passed) / Math.hypot(...g[t + 1]!) - 1) ** 2;
      }
    }
    return (2 * sum) / (lengths[0]! + lengths[1]!);
  };
}

describe("the vanishing-gradient penalty", () => {
  it("has the value of loops by hand and the gradient of central differences, ∂L/∂h and h held", () => {
    const omega = byHand();
    const weights = {
      W: [...(feeds["0.forward.W.h"] as Float32Array)],
      R: [...(feeds["0.forward.R.h"] as Float32Array)],
      b: [...(feeds["0.forward.b.h"] as Float32Array)],
    };
    const differences = (kind: "W" | "R" | "b") =>
      weights[kind].map((_, k) => {
        const moved = (by: number) =>
          omega({ ...weights, [kind]: weights[kind].map((value, i) => (i === k ? value + by : value)) });
        return (moved(1e-5) - moved(-1e-5)) / 2e-5;
      });
    for (const { run } of [{ run: reference }, ...backends]) {
      const exact = run === reference;
      const found = run(program, feeds, sizes);
      expectClose(found.loss!, [omega(weights)], exact ? 1e-9 : tolerances.float32Gradient, "Ω");
      for (const kind of ["W", "R", "b"] as const) {
        const tolerance = exact ? tolerances.differences : 10 * tolerances.float32Gradient;
        expectClose(found[`gradient 0.forward.${kind}.h`]!, differences(kind), tolerance, `∂Ω/∂${kind}`);
      }
    }
  });

  it("brings the gradient at the first timestep back, of several states too", () => {
    for (const cell of [rnn, lstm]) {
      const watched = watchedRecurrent({
        cell,
        hiddenSize: 4,
        initialize: { R: { kind: "identity", scale: 0.3 }, "b.f": "zeros" },
      });
      const network = defineNetwork({
        inputs: { x: sequenceType(1), y: sequenceType(1) },
        forward: ({ x }, scope) => ({ ...watched.run(x, scope) }),
        loss(outputs, { x, y }, scope) {
          const task = mse(slice(outputs.sequence, 0, 1), y, scope);
          return add(task, watched.penalty(task, x, outputs, scope, 1));
        },
      });
      const model = new Model(network, { optimizer: sgd() });
      const batch = {
        sizes: { batch: 4, time: 12 },
        inputs: {
          x: Float32Array.from({ length: 48 }, (_, i) => Math.sin(i)),
          y: Float32Array.from({ length: 48 }, (_, i) => 0.3 * Math.cos(2 * i)),
        },
      };
      const penalty = () => model.trainStep(batch, 0.1).loss - model.evaluate(batch);
      const first = penalty();
      for (let step = 0; step < 300; step++) model.trainStep(batch, 0.1);
      expect(first).toBeGreaterThan(0.1);
      expect(penalty()).toBeLessThan(0.5 * first);
    }
  });
});
