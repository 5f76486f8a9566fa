/** Outputs and gradients of PyTorch (scripts/golden-pytorch.py), with several steps, rows, layers and unequal lengths. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { AxisSizes } from "../packages/recurra/src/base/shapes.ts";
import { gru } from "../packages/recurra/src/cells/gru.ts";
import { lstm } from "../packages/recurra/src/cells/lstm.ts";
import { rnn, rnnRelu } from "../packages/recurra/src/cells/rnn.ts";
import type { Program } from "../packages/recurra/src/ir/nodes.ts";
import type { Loss } from "../packages/recurra/src/layers/losses/loss.ts";
import { binaryCrossEntropy, crossEntropy, huber, mae, mse } from "../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../packages/recurra/src/layers/recurrent.ts";
import { add, matmul, mul, square, sub, sumAll } from "../packages/recurra/src/trace/operations.ts";
import { sequenceType, vectorType } from "../packages/recurra/src/trace/tensor.ts";
import { Model } from "../packages/recurra/src/train/model.ts";
import { adam, adamW, amsGrad } from "../packages/recurra/src/train/optimizers/adam.ts";
import { adadelta, adagrad, rmsProp } from "../packages/recurra/src/train/optimizers/adaptive.ts";
import type { Optimizer } from "../packages/recurra/src/train/optimizers/optimizer.ts";
import { averagedSgd, sgd } from "../packages/recurra/src/train/optimizers/sgd.ts";
import type { Network } from "../packages/recurra/src/train/programs.ts";
import { plateau } from "../packages/recurra/src/train/schedules.ts";
import { expectClose, tolerances } from "./support/close.ts";
import { backends, programOf, reference, scopeIn, type Values, withGradients } from "./support/programs.ts";

type Named = Readonly<Record<string, readonly number[]>>;

interface RecurrentCase {
  readonly cell: "tanh" | "relu" | "gru" | "lstm";
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly batch: number;
  readonly time: number;
  readonly lengths: readonly number[];
  readonly x: readonly number[];
  readonly v: readonly number[];
  readonly initial: Named;
  readonly weights: Named;
  readonly loss: number;
  readonly output: readonly number[];
  readonly final: Named;
  readonly gradients: { readonly x: readonly number[]; readonly initial: Named; readonly weights: Named };
}

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`golden/pytorch-${name}.json`, import.meta.url), "utf8")) as T; // Written by the script.
}

const cells = { tanh: rnn, relu: rnnRelu, gru, lstm };
/** Our blocks in the order in which PyTorch stacks its gates. */
const gateOrder = { tanh: ["h"], relu: ["h"], gru: ["r", "z", "h"], lstm: ["i", "f", "g", "o"] };

const engines = [{ name: "the float64 reference", run: reference }, ...backends];

describe.each(["tanh", "relu", "gru", "lstm"] as const)("a recurrent layer of cell %s", (name) => {
  const { cases } = golden<{ cases: readonly RecurrentCase[] }>(name);
  it.each(
    cases.flatMap((peer) =>
      engines.map((engine) => ({
        peer,
        engine,
        layers: peer.layers,
        way: peer.bidirectional ? "two directions" : "one direction",
      })),
    ),
  )("has PyTorch's outputs, states and gradients: $layers deep, $way, on $engine.name", ({ peer, engine }) => {
    const program = withGradients(layerProgram(peer));
    const given = engine.run(program, feedsOf(peer), { batch: peer.batch, time: peer.time });
    const check = (what: string, expected: ArrayLike<number>, label: string) =>
      expectClose(given[what]!, expected, tolerances.golden, what, label);
    check("loss", [peer.loss], "value");
    check("sequence", peer.output, "value");
    check("gradient x", peer.gradients.x, "gradient");
    for (const path of paths(peer)) {
      for (const state of cells[peer.cell].states) {
        check(`${path.ours}.${state}`, part(peer.final[state]!, peer, path.index), "value");
        check(
          `gradient initial.${path.ours}.${state}`,
          part(peer.gradients.initial[state]!, peer, path.index),
          "gradient",
        );
      }
    }
    for (const [parameter, expected] of Object.entries(gradientsOf(peer)))
      check(`gradient ${parameter}`, expected, "gradient");
  });
});

function layerProgram({ cell, layers, bidirectional, hiddenSize, inputSize }: RecurrentCase): Program {
  return programOf((trace) => {
    const x = trace.input("x", sequenceType(inputSize));
    const lengths = trace.input("lengths", vectorType(1));
    const scope = scopeIn(trace, { time: lengths });
    const direction = bidirectional ? "both" : "forward";
    const layer = recurrent({ cell: cells[cell], hiddenSize, depth: layers, direction });
    const names = Array.from({ length: layers }, (_, l) =>
      (bidirectional ? ["forward", "backward"] : ["forward"]).flatMap((way) =>
        cells[cell].states.map((state) => `${l}.${way}.${state}`),
      ),
    ).flat();
    const initial = Object.fromEntries(
      names.map((name) => [name, trace.input(`initial.${name}`, vectorType(hiddenSize))]),
    );
    const { sequence, final } = layer.run(x, scope, initial);
    const v = trace.input("mask v", sequenceType(sequence.size));
    const halves = Object.values(final).map((state) => mul(0.5, sumAll(square(state))));
    return { loss: add(sumAll(mul(v, sequence)), ...halves), sequence, ...final };
  });
}

/** Every layer and direction: our path, PyTorch's suffix, and its place in PyTorch's stacked states. */
function paths({ layers, bidirectional }: RecurrentCase) {
  const ways = bidirectional ? (["forward", "backward"] as const) : (["forward"] as const);
  return Array.from({ length: layers }, (_, layer) =>
    ways.map((way, i) => ({
      ours: `${layer}.${way}`,
      theirs: `l${layer}${way === "backward" ? "_reverse" : ""}`,
      index: layer * ways.length + i,
    })),
  ).flat();
}

function part(stacked: readonly number[], { batch, hiddenSize }: RecurrentCase, index: number): readonly number[] {
  return stacked.slice(index * batch * hiddenSize, (index + 1) * batch * hiddenSize);
}

/** Our weights from PyTorch's: gates apart, and the two biases added where ours has one. */
function weightsOf(peer: RecurrentCase, weights: Named, addBiases: boolean): Record<string, readonly number[]> {
  const result: Record<string, readonly number[]> = {};
  for (const { ours, theirs } of paths(peer)) {
    gateOrder[peer.cell].forEach((gate, i) => {
      const rows = (kind: string) => {
        const whole = weights[`${kind}_${theirs}`]!;
        const size = whole.length / gateOrder[peer.cell].length;
        return whole.slice(i * size, (i + 1) * size);
      };
      result[`${ours}.W.${gate}`] = rows("weight_ih");
      result[`${ours}.R.${gate}`] = rows("weight_hh");
      const [input, hidden] = [rows("bias_ih"), rows("bias_hh")];
      if (peer.cell === "gru" && gate === "h") {
        result[`${ours}.b.h`] = input;
        result[`${ours}.rb.h`] = hidden;
      } else result[`${ours}.b.${gate}`] = addBiases ? input.map((value, k) => value + hidden[k]!) : input;
    });
  }
  return result;
}

function gradientsOf(peer: RecurrentCase): Record<string, readonly number[]> {
  return weightsOf(peer, peer.gradients.weights, false);
}

function feedsOf(peer: RecurrentCase): Values {
  const states = Object.fromEntries(
    paths(peer).flatMap(({ ours, index }) =>
      Object.entries(peer.initial).map(([state, all]) => [`initial.${ours}.${state}`, part(all, peer, index)]),
    ),
  );
  return {
    seed: [0],
    x: peer.x,
    "mask v": peer.v,
    lengths: peer.lengths,
    ...states,
    ...weightsOf(peer, peer.weights, true),
  };
}

interface OptimizerFile {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly start: readonly number[];
  readonly trajectories: Readonly<Record<string, readonly (readonly number[])[]>>;
  /** What averagedSgd validates, after each step. */
  readonly averages: readonly (readonly number[])[];
  readonly plateau: { readonly losses: readonly number[]; readonly factors: readonly number[] };
}

describe("an optimizer", () => {
  const file = golden<OptimizerFile>("optimizers");
  const rows: Readonly<Record<string, { readonly optimizer: Optimizer; readonly rate: number }>> = {
    sgd: { optimizer: sgd(), rate: 0.1 },
    momentum: { optimizer: sgd({ momentum: 0.9 }), rate: 0.1 },
    nesterov: { optimizer: sgd({ momentum: 0.9, nesterov: true }), rate: 0.1 },
    adam: { optimizer: adam(), rate: 0.05 },
    adamOwnBetas: { optimizer: adam({ beta1: 0.7, beta2: 0.9, epsilon: 1e-3 }), rate: 0.05 },
    adamW: { optimizer: adamW({ weightDecay: 0.1 }), rate: 0.05 },
    amsGrad: { optimizer: amsGrad({ beta2: 0.5 }), rate: 0.05 },
    rmsProp: { optimizer: rmsProp(), rate: 0.05 },
    rmsPropCentered: { optimizer: rmsProp({ decay: 0.9, momentum: 0.5, centered: true }), rate: 0.05 },
    adagrad: { optimizer: adagrad(), rate: 0.1 },
    adadelta: { optimizer: adadelta(), rate: 1 },
    averagedSgd: { optimizer: averagedSgd({ decay: 0.05, averageFrom: 2 }), rate: 0.1 },
  };

  it("is held for every trajectory in the file", () => {
    expect(Object.keys(rows).sort()).toEqual(Object.keys(file.trajectories).sort());
  });

  it.each(Object.keys(rows))("takes PyTorch's steps: %s", (name) => {
    const { optimizer, rate } = rows[name]!;
    const network: Network = {
      inputs: { x: vectorType(3), y: vectorType(2) },
      forward: ({ x }, scope) => ({ y: matmul(scope.param("w", [2, 3], "zeros"), x!) }),
      loss: (outputs, inputs, scope) => mse(outputs.y!, inputs.y!, scope),
    };
    const model = new Model(network, { optimizer });
    model.setWeights(new Map([["w", Float32Array.from(file.start)]]));
    for (const [step, expected] of file.trajectories[name]!.entries()) {
      model.trainStep({ sizes: { batch: 6 }, inputs: { x: file.x, y: file.y } }, rate);
      expectClose(model.weights().get("w")!, expected, tolerances.golden, `w after step ${step + 1}`, "optimizer");
      const kept = name === "averagedSgd" ? file.averages[step]! : expected;
      expectClose(
        model.averagedWeights().get("w")!,
        kept,
        tolerances.golden,
        `kept after step ${step + 1}`,
        "optimizer",
      );
    }
  });
});

it("the rate on a plateau falls as PyTorch's", () => {
  const { losses, factors } = golden<OptimizerFile>("optimizers").plateau;
  const options = { factor: 0.5, patience: 2, threshold: 0.01, cooldown: 1, least: 0.1 };
  expect(losses.map((_, i) => plateau(losses.slice(0, i + 1), options))).toEqual(factors);
});

interface LossFile {
  readonly rows: number;
  readonly classes: number;
  readonly prediction: readonly number[];
  readonly real: readonly number[];
  readonly bits: readonly number[];
  readonly index: readonly number[];
  readonly cases: Readonly<Record<string, { readonly value: number; readonly gradient: readonly number[] }>>;
}

describe("a loss", () => {
  const file = golden<LossFile>("losses");
  const rows: Readonly<Record<string, { readonly loss: Loss; readonly target: readonly number[] }>> = {
    mse: { loss: mse, target: file.real },
    mae: { loss: mae, target: file.real },
    huber: { loss: huber(), target: file.real },
    huberWide: { loss: huber(2.5), target: file.real },
    crossEntropy: { loss: crossEntropy, target: file.index },
    binaryCrossEntropy: { loss: binaryCrossEntropy, target: file.bits },
  };

  it("is held for every case in the file", () => {
    expect(Object.keys(rows).sort()).toEqual(Object.keys(file.cases).sort());
  });

  describe.each(engines)("on $name", (engine) => {
    it.each(Object.keys(rows))("has PyTorch's value and gradient: %s", (name) => {
      const { loss, target } = rows[name]!;
      const program = withGradients(
        programOf((trace) => {
          const prediction = trace.input("prediction", vectorType(file.classes));
          const scope = scopeIn(trace);
          // A parameter, so that the backend's memory can be filled with NaN before the run.
          const shift = trace.param("shift", [1]);
          return {
            loss: loss(sub(prediction, shift), trace.input("index", vectorType(target.length / file.rows)), scope),
          };
        }),
        ["prediction"],
      );
      const sizes: AxisSizes = { batch: file.rows };
      const given = engine.run(program, { prediction: file.prediction, index: target, seed: [0], shift: [0] }, sizes);
      const { value, gradient } = file.cases[name]!;
      expectClose(given.loss!, [value], tolerances.golden, "loss", "loss");
      expectClose(given["gradient prediction"]!, gradient, tolerances.golden, "gradient", "loss gradient");
    });
  });
});
