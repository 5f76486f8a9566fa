/** Losses and their gradients against PyTorch's (scripts/golden-pytorch-losses.py), in float64 and on every backend. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ctc } from "../packages/recurra/src/layers/losses/ctc.ts";
import { logGamma } from "../packages/recurra/src/layers/losses/gamma.ts";
import { gaussian, negativeBinomial, poisson, studentT } from "../packages/recurra/src/layers/losses/likelihoods.ts";
import type { Loss } from "../packages/recurra/src/layers/losses/loss.ts";
import { mixtureDensity } from "../packages/recurra/src/layers/losses/mixture.ts";
import { cosineDistance, cosinePairs, triplet } from "../packages/recurra/src/layers/losses/similarity.ts";
import { weightedCrossEntropy } from "../packages/recurra/src/layers/losses/weighted.ts";
import { add, sub, sumAll } from "../packages/recurra/src/trace/operations.ts";
import { sequenceType, type Tensor, vectorType } from "../packages/recurra/src/trace/tensor.ts";
import { expectClose, tolerances } from "./support/close.ts";
import { backends, programOf, reference, scopeIn, withGradients } from "./support/programs.ts";

interface Case {
  readonly features: number;
  readonly targets: number;
  readonly prediction: readonly number[];
  readonly target: readonly number[];
  readonly value: number;
  readonly gradient: readonly number[];
}

interface LossFile {
  readonly rows: number;
  readonly classWeights: readonly number[];
  readonly others: readonly number[];
  readonly labels: readonly number[];
  readonly cases: Readonly<Record<string, Case>>;
  readonly ctc: {
    readonly batch: number;
    readonly time: number;
    readonly classes: number;
    readonly most: number;
    readonly lengths: readonly number[];
    readonly labels: readonly number[];
    readonly labelLengths: readonly number[];
    readonly logits: readonly number[];
    readonly value: number;
    readonly impossible: number;
    readonly gradient: readonly number[];
  };
  readonly logGamma: {
    readonly x: readonly number[];
    readonly value: readonly number[];
    readonly digamma: readonly number[];
  };
}

const file = JSON.parse(readFileSync(new URL("golden/pytorch-more-losses.json", import.meta.url), "utf8")) as LossFile; // Written by the script.
const engines = [{ name: "the float64 reference", run: reference }, ...backends];
const { classWeights } = file;

type Extra = Readonly<Record<"others" | "labels", Tensor>>;
const losses: Readonly<Record<string, Loss>> = {
  smoothed: weightedCrossEntropy({ labelSmoothing: 0.1 }),
  classWeights: weightedCrossEntropy({ classWeights }),
  both: weightedCrossEntropy({ classWeights, labelSmoothing: 0.2 }),
  gaussian,
  studentT,
  poisson,
  negativeBinomial,
  mixtureDensity: mixtureDensity(3),
  cosineDistance,
};
const withMore: Readonly<Record<string, (extra: Extra) => Loss>> = {
  cosinePairs: (extra) => (p, y, scope) => cosinePairs(0.1)(p, y, extra.labels, scope),
  triplet: (extra) => (p, y, scope) => triplet(0.7)(p, y, extra.others, scope),
};

describe("a loss", () => {
  it("is held for every case in the file", () => {
    expect([...Object.keys(losses), ...Object.keys(withMore)].sort()).toEqual(Object.keys(file.cases).sort());
  });

  describe.each(engines)("on $name", (engine) => {
    it.each(Object.entries(file.cases))("has PyTorch's value and gradient: %s", (name, given) => {
      const program = withGradients(
        programOf((trace) => {
          const extra = {
            others: trace.input("index others", vectorType(4)),
            labels: trace.input("index labels", vectorType(1)),
          };
          const prediction = trace.input("prediction", vectorType(given.features));
          const target = trace.input("index", vectorType(given.targets));
          // A parameter, so that the backend's memory can be filled with NaN before the run.
          const moved = sub(prediction, trace.param("shift", [1]));
          const loss = losses[name] ?? withMore[name]!(extra);
          return { loss: loss(moved, target, scopeIn(trace)) };
        }),
        ["prediction"],
      );
      const feeds = {
        prediction: given.prediction,
        index: given.target,
        "index others": file.others,
        "index labels": file.labels,
        seed: [0],
        shift: [0],
      };
      const found = engine.run(program, feeds, { batch: file.rows });
      expectClose(found.loss!, [given.value], tolerances.golden, "loss", "loss");
      expectClose(found["gradient prediction"]!, given.gradient, tolerances.golden, "gradient", "loss gradient");
    });

    it("has PyTorch's CTC: repeats, no labels, lengths on both axes; what is impossible is left out and counted", () => {
      const { batch, time, classes, most } = file.ctc;
      const program = withGradients(
        programOf((trace) => {
          const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) });
          const logits = sub(trace.input("logits", sequenceType(classes)), trace.param("shift", [1]));
          const targets = trace.input("index labels", vectorType(most));
          const result = ctc(logits, targets, trace.input("index lengths", vectorType(1)), scope);
          return { loss: result.loss, impossible: result.impossible };
        }),
        ["logits"],
      );
      const run = (labels: readonly number[], logits: readonly number[]) =>
        engine.run(
          program,
          {
            logits,
            lengths: file.ctc.lengths,
            "index labels": labels,
            "index lengths": file.ctc.labelLengths,
            seed: [0],
            shift: [0],
          },
          { batch, time },
        );
      const found = run(file.ctc.labels, file.ctc.logits);
      expect(found.impossible![0]).toBe(file.ctc.impossible);
      expect(file.ctc.impossible).toBe(2);
      expectClose(found.loss!, [file.ctc.value], tolerances.golden, "loss", "ctc");
      expectClose(found["gradient logits"]!, file.ctc.gradient, tolerances.golden, "gradient", "ctc gradient");
      // What lies behind the lengths, of labels and of timesteps, has no say.
      const labels = file.ctc.labels.map((label, i) =>
        i % most < file.ctc.labelLengths[Math.floor(i / most)]! ? label : Number.NaN,
      );
      const logits = file.ctc.logits.map((logit, i) => {
        const row = Math.floor(i / classes);
        return row % time < file.ctc.lengths[Math.floor(row / time)]! ? logit : 50;
      });
      expect(run(labels, logits)).toEqual(found);
      expect(
        run(
          file.ctc.labels.map((label) => (label === 3 ? 9 : label)),
          file.ctc.logits,
        ).loss![0],
      ).toBeNaN();
    });

    it("takes log Γ and its derivative from a thousandth to ten thousand", () => {
      const program = withGradients(
        programOf((trace) => {
          const x = add(trace.input("x", vectorType(1)), trace.param("shift", [1]));
          return { value: logGamma(x), loss: sumAll(logGamma(x)) };
        }),
        ["x"],
      );
      const { x, value, digamma } = file.logGamma;
      x.forEach((at, i) => {
        const found = engine.run(program, { x: [at], shift: [0] }, { batch: 1 });
        const tolerance = engine.run === reference ? 1e-8 : 1e-6;
        expectClose(found.value!, [value[i]!], tolerance, `log Γ(${at})`, "log Γ", 1);
        expectClose(found["gradient x"]!, [digamma[i]!], 10 * tolerance, `ψ(${at})`, "ψ", 1);
      });
    });
  });
});
