import { describe, expect, it } from "vitest";
import { compare, tolerances } from "../../../../../test/support/close.ts";
import { mse } from "../../layers/losses/usual.ts";
import { matmul } from "../../trace/operations.ts";
import { vectorType } from "../../trace/tensor.ts";
import { Model, type ModelOptions } from "../model.ts";
import type { Network } from "../programs.ts";
import { optimizerNames, parseOptimizer } from "./named.ts";
import { lion } from "./sgd.ts";

const network: Network = {
  inputs: { x: vectorType(2), y: vectorType(1) },
  forward: ({ x }, scope) => ({ y: matmul(scope.param("w", [1, 2], "ones"), x!) }),
  loss: (outputs, { y }, scope) => mse(outputs.y!, y!, scope),
};
const x = [1, 2, -1, 0.5, 0.3, -2];
const y = [3, 1, -2];
const batch = { sizes: { batch: 3 }, inputs: { x, y } };
const rates: Readonly<Record<string, number>> = { adadelta: 1, adagrad: 0.3 };

/** The gradient of the mean square error by hand. */
function gradientAt(w: readonly number[]): number[] {
  const errors = y.map((target, i) => w[0]! * x[2 * i]! + w[1]! * x[2 * i + 1]! - target);
  return [0, 1].map((k) => errors.reduce((sum, error, i) => sum + (2 * error * x[2 * i + k]!) / 3, 0));
}

describe("an optimizer", () => {
  it.each(optimizerNames)("by name makes the loss small: %s", (name) => {
    const model = new Model(network, { optimizer: parseOptimizer(name) });
    const first = model.evaluate(batch);
    for (let step = 0; step < 800; step++) model.trainStep(batch, rates[name] ?? 0.01);
    expect(first).toBeGreaterThan(0.75);
    expect(model.evaluate(batch)).toBeLessThan(0.203); // The least squares: 0.20128.
  });

  it("that is unknown is named with its nearest", () => {
    expect(() => parseOptimizer("adamw" as "adamW")).toThrow('Did you mean "adamW"?');
  });

  it("lion takes the steps of a loop by hand", () => {
    const model = new Model(network, { optimizer: lion({ weightDecay: 0.1 }) });
    let w = [1, 1];
    let mean = [0, 0];
    for (let step = 0; step < 40; step++) {
      const g = gradientAt(w);
      w = w.map((value, i) => value - 0.03 * (Math.sign(0.9 * mean[i]! + 0.1 * g[i]!) + 0.1 * value));
      mean = mean.map((value, i) => 0.99 * value + 0.01 * g[i]!);
      model.trainStep(batch, 0.03);
      expect(compare(model.weights().get("w")!, w).error).toBeLessThan(tolerances.golden);
    }
  });
});

describe("nAdam", () => {
  // PyTorch 1.13 multiplies one factor of the momentum product twice; later versions, and the paper, do not.
  it("takes the steps of a loop by hand", () => {
    const model = new Model(network, { optimizer: parseOptimizer("nAdam") });
    const momentum = (t: number) => 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004));
    let w = [1, 1];
    let [mean, square] = [
      [0, 0],
      [0, 0],
    ];
    let product = 1;
    for (let t = 1; t <= 40; t++) {
      const g = gradientAt(w);
      product *= momentum(t);
      mean = mean.map((value, i) => 0.9 * value + 0.1 * g[i]!);
      square = square.map((value, i) => 0.999 * value + 0.001 * g[i]! ** 2);
      w = w.map((value, i) => {
        const ahead = (momentum(t + 1) * mean[i]!) / (1 - product * momentum(t + 1));
        const own = ((1 - momentum(t)) * g[i]!) / (1 - product);
        return value - (0.03 * (ahead + own)) / (Math.sqrt(square[i]! / (1 - 0.999 ** t)) + 1e-8);
      });
      model.trainStep(batch, 0.03);
      expect(compare(model.weights().get("w")!, w).error).toBeLessThan(tolerances.golden);
    }
  });
});

describe("an average of the weights", () => {
  const trail = (options: ModelOptions, steps: number) => {
    const model = new Model(network, { optimizer: parseOptimizer("sgd"), ...options });
    const weights: number[][] = [];
    for (let step = 0; step < steps; step++) {
      model.trainStep(batch, 0.1);
      weights.push([...model.weights().get("w")!]);
    }
    return { weights, average: [...model.averagedWeights().get("w")!] };
  };

  it("is that of the steps asked for, all with the same share", () => {
    const { weights, average } = trail({ stochasticAverage: { from: 3, every: 2 } }, 8);
    const taken = [weights[2]!, weights[4]!, weights[6]!];
    const expected = [0, 1].map((k) => taken.reduce((sum, w) => sum + w[k]!, 0) / 3);
    expect(compare(average, expected).error).toBeLessThan(tolerances.float32);
  });

  it("is the weight itself before its first step", () => {
    const { weights, average } = trail({ stochasticAverage: { from: 9 } }, 4);
    expect(average).toEqual(weights[3]);
  });

  it("is one of two kinds, from a whole step on", () => {
    expect(() => new Model(network, { stochasticAverage: { from: 1.5 }, averageDecay: 0.9 })).toThrow(
      "model: stochasticAverage is from 1.5 every 1 with averageDecay 0.9, expected steps of 1, 2, 3, … and no averageDecay.",
    );
  });
});

describe("clipping", () => {
  it("by parameter scales the gradient of each parameter alone", () => {
    const two: Network = {
      ...network,
      forward: ({ x: input }, scope) => ({
        y: matmul(scope.param("w", [1, 2], "ones"), matmul(scope.param("v", [2, 2], "identity"), input!)),
      }),
    };
    const moved = (clipping: ModelOptions["clipping"]) => {
      const model = new Model(two, { optimizer: parseOptimizer("sgd"), clipping: clipping ?? {} });
      const before = model.weights();
      model.trainStep(batch, 1);
      return ["w", "v"].map((name) =>
        Math.hypot(
          ...model
            .weights()
            .get(name)!
            .map((value, i) => value - before.get(name)![i]!),
        ),
      );
    };
    const free = moved({});
    expect(Math.min(...free)).toBeGreaterThan(0.5);
    for (const norm of moved({ parameterNorm: 0.25 })) expect(norm).toBeCloseTo(0.25, 5);
    expect(Math.hypot(...moved({ norm: 0.25 }))).toBeCloseTo(0.25, 5);
  });
});
