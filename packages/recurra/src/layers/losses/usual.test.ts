import { describe, expect, it } from "vitest";
import { tolerances } from "../../../../../test/support/close.ts";
import { checkGradients } from "../../../../../test/support/differences.ts";
import {
  backends,
  feedsFor,
  programOf,
  reference,
  scopeIn,
  withGradients,
} from "../../../../../test/support/programs.ts";
import type { AxisSizes } from "../../base/shapes.ts";
import type { Program } from "../../ir/nodes.ts";
import { sequenceType, vectorType } from "../../trace/tensor.ts";
import type { Loss } from "./loss.ts";
import { binaryCrossEntropy, crossEntropy, huber, mae, mse, quantile } from "./usual.ts";

interface LossCase {
  readonly what: string;
  readonly loss: Loss;
  /** Features of prediction and target. */
  readonly features: readonly [number, number];
  readonly target?: (i: number) => number;
  /** The loss of one prediction row and its target row, written a second time. */
  readonly value: (prediction: readonly number[], target: readonly number[]) => number;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const cases: readonly LossCase[] = [
  { what: "mse", loss: mse, features: [3, 3], value: (p, y) => mean(p.map((v, i) => (v - y[i]!) ** 2)) },
  { what: "mae", loss: mae, features: [3, 3], value: (p, y) => mean(p.map((v, i) => Math.abs(v - y[i]!))) },
  {
    what: "huber",
    loss: huber(0.7),
    features: [3, 3],
    value: (p, y) =>
      mean(
        p.map((v, i) => {
          const error = Math.abs(v - y[i]!);
          return error < 0.7 ? error ** 2 / 2 : 0.7 * (error - 0.35);
        }),
      ),
  },
  {
    what: "quantile",
    loss: quantile([0.1, 0.5, 0.9]),
    features: [6, 2],
    value: (p, y) =>
      mean(
        p.map((v, i) => {
          const level = [0.1, 0.5, 0.9][i % 3]!;
          const error = y[Math.floor(i / 3)]! - v;
          return error >= 0 ? level * error : (level - 1) * error;
        }),
      ),
  },
  {
    what: "cross-entropy",
    loss: crossEntropy,
    features: [4, 1],
    target: (i) => i % 4,
    value: (p, y) => Math.log(p.reduce((sum, v) => sum + Math.exp(v), 0)) - p[y[0]!]!,
  },
  {
    what: "binary cross-entropy",
    loss: binaryCrossEntropy,
    features: [3, 3],
    target: (i) => i % 2,
    value: (p, y) =>
      mean(
        p.map((v, i) => -(y[i]! * Math.log(1 / (1 + Math.exp(-v))) + (1 - y[i]!) * Math.log(1 / (1 + Math.exp(v))))),
      ),
  },
];

const sizes: AxisSizes = { batch: 3, time: 4 };
const forms = ["plain", "lengths", "mask", "lengths and mask"] as const;
const rows = cases.flatMap((entry) => forms.map((form) => ({ ...entry, form })));

/** Mask per row of features 1, so that every loss can be masked by row. */
function programFor({ loss, features: [inputs, targets] }: LossCase, form: (typeof forms)[number]): Program {
  return programOf((trace) => {
    const lengths = form.includes("lengths") ? { time: trace.input("lengths", vectorType(1)) } : {};
    const mask = form.includes("mask") ? trace.input("mask", sequenceType(1)) : undefined;
    const shift = trace.param("shift", [1]);
    const x = trace.input("x", sequenceType(inputs));
    const prediction = trace.add({ kind: "add", a: x.id, b: shift.id });
    return { loss: loss(prediction, trace.input("index y", sequenceType(targets)), scopeIn(trace, lengths), mask) };
  });
}

const lengths = [4, 0, 2];
const mask = Float32Array.from({ length: 12 }, (_, i) => (i % 3 === 1 ? 0 : 1));
const counts = (form: string, row: number) =>
  !(form.includes("lengths") && row % 4 >= lengths[Math.floor(row / 4)]!) &&
  !(form.includes("mask") && mask[row] === 0);

function feeds(entry: LossCase & { readonly form: string }, program: Program) {
  const targets = entry.features[1] * 12;
  const y =
    entry.target === undefined ? {} : { "index y": Float32Array.from({ length: targets }, (_, i) => entry.target!(i)) };
  return feedsFor(program, sizes, 3, { lengths, mask, seed: [0], ...y });
}

describe("a loss", () => {
  it.each(rows)("is the mean of what counts: $what, $form", (entry) => {
    const program = programFor(entry, entry.form);
    const given = feeds(entry, program);
    const [inputs, targets] = entry.features;
    const values: number[] = [];
    for (let row = 0; row < 12; row++) {
      if (!counts(entry.form, row)) continue;
      const p = Array.from({ length: inputs }, (_, i) => given.x![row * inputs + i]! + given.shift![0]!);
      values.push(entry.value(p, Array.from(given["index y"]!).slice(row * targets, (row + 1) * targets)));
    }
    expect(Math.abs(reference(program, given, sizes).loss![0]! - mean(values))).toBeLessThan(tolerances.float64);
  });

  it.each(rows)("has the gradient of central differences: $what, $form", (entry) => {
    const program = programFor(entry, entry.form);
    checkGradients(program, feeds(entry, program), sizes);
  });

  it.each(rows.filter(({ form }) => form !== "plain"))(
    "is not touched, nor its gradient, by NaN in targets that do not count: $what, $form",
    (entry) => {
      const program = withGradients(programFor(entry, entry.form), ["x", "shift"]);
      const given = feeds(entry, program);
      const targets = entry.features[1];
      const holes = Float32Array.from(given["index y"]!, (value, i) =>
        counts(entry.form, Math.floor(i / targets)) ? value : Number.NaN,
      );
      for (const backend of [{ run: reference }, ...backends]) {
        const whole = backend.run(program, given, sizes);
        const masked = backend.run(program, { ...given, "index y": holes }, sizes);
        expect(masked).toEqual(whole);
      }
    },
  );

  it.each([-1, 3, 1.5, 2 ** 31, Number.NaN])("is NaN for a class %f of three, unless it does not count", (wrong) => {
    const program = withGradients(
      programOf((trace) => {
        const mask = trace.input("mask", vectorType(1));
        const [x, y] = [trace.input("x", vectorType(3)), trace.input("index", vectorType(1))];
        return { loss: crossEntropy(x, y, scopeIn(trace), mask), p: trace.param("p", [1]) };
      }),
      ["x"],
    );
    for (const backend of [{ run: reference }, ...backends]) {
      const run = (counts: number) =>
        backend.run(
          program,
          { x: [1, 2, 3, 4, 5, 6], index: [2, wrong], mask: [1, counts], seed: [0], p: [0] },
          { batch: 2 },
        );
      expect(run(1).loss![0]).toBeNaN();
      expect(run(0).loss![0]).toBeCloseTo(Math.log(Math.exp(-2) + Math.exp(-1) + 1), 6);
      expect(run(0)["gradient x"]!.every(Number.isFinite)).toBe(true);
    }
  });

  it("does not overflow for logits far from 0", () => {
    for (const [loss, features] of [
      [crossEntropy, 2],
      [binaryCrossEntropy, 1],
    ] as const) {
      const program = withGradients(
        programOf((trace) => ({
          loss: loss(trace.input("x", vectorType(features)), trace.input("index", vectorType(1)), scopeIn(trace)),
          p: trace.param("p", [1]),
        })),
        ["x"],
      );
      for (const backend of [{ run: reference }, ...backends]) {
        const x = features === 2 ? [500, -500, -500, 500] : [1000, -1000];
        const found = backend.run(program, { x, index: [1, 1], seed: [0], p: [0] }, { batch: 2 });
        expect(found.loss![0]).toBe(features === 2 ? 500 : 500);
        expect(found["gradient x"]!.every(Number.isFinite)).toBe(true);
      }
    }
  });

  it("refuses predictions that do not fit", () => {
    const build = (loss: Loss, inputs: number, targets: number) => () =>
      programOf((trace) => ({
        y: loss(trace.input("x", vectorType(inputs)), trace.input("y", vectorType(targets)), scopeIn(trace)),
      }));
    const mend = "\nGive the last layer as many outputs as there are targets.";
    expect(build(mse, 3, 2)).toThrow(`mse: prediction is [batch, 3], expected the target's shape [batch, 2].${mend}`);
    expect(build(quantile([0.1, 0.9]), 3, 2)).toThrow(
      `quantile: prediction is [batch, 3], expected 4 features: 2 levels for each of 2 targets.${mend}`,
    );
    expect(build(crossEntropy, 3, 2)).toThrow(
      `crossEntropy: prediction is [batch, 2], expected one class index per row, [.., 1].${mend}`,
    );
  });
});
