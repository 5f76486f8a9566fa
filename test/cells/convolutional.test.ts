/** Cells over images, against plain float64 loops, central differences and compiled programs. */
import { describe, expect, it } from "vitest";
import { convGru, convLstm } from "../../packages/recurra/src/cells/convolutional.ts";
import { recurrent } from "../../packages/recurra/src/layers/recurrent.ts";
import { mul, square, sumAll } from "../../packages/recurra/src/trace/operations.ts";
import { sequenceType, vectorType } from "../../packages/recurra/src/trace/tensor.ts";
import { compare, expectClose, tolerances } from "../support/close.ts";
import { checkGradients } from "../support/differences.ts";
import { backends, feedsFor, optimized, programOf, reference, scopeIn } from "../support/programs.ts";

const [height, width, channels, hidden] = [3, 4, 2, 3];
const hiddenSize = height * width * hidden;
const options = { height, width, kernelSize: 3 };
const sizes = { batch: 2, time: 3 };

const program = (cell: ReturnType<typeof convLstm>) =>
  programOf((trace) => {
    const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) });
    const { sequence } = recurrent({ cell, hiddenSize }).run(
      trace.input("x", sequenceType(height * width * channels)),
      scope.in("c"),
    );
    return { loss: sumAll(mul(square(sequence), trace.input("mask", sequence.type))), sequence };
  });

type Vector = readonly number[];
type Weight = (name: string) => Vector;

/** W∗x: channels innermost, zeros around the image. */
function convolve(weight: Vector, image: Vector, inputs: number): number[] {
  const out: number[] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let o = 0; o < hidden; o++) {
        let sum = 0;
        for (let i = -1; i <= 1; i++)
          for (let j = -1; j <= 1; j++) {
            if (y + i < 0 || y + i >= height || x + j < 0 || x + j >= width) continue;
            for (let c = 0; c < inputs; c++)
              sum +=
                image[((y + i) * width + x + j) * inputs + c]! * weight[((o * 3 + i + 1) * 3 + j + 1) * inputs + c]!;
          }
        out.push(sum);
      }
  return out;
}

const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const affine = (w: Weight, block: string, x: Vector, h: Vector) => {
  const fromX = convolve(w(`W.${block}`), x, channels);
  const fromH = convolve(w(`R.${block}`), h, hidden);
  return fromX.map((value, k) => value + fromH[k]! + w(`b.${block}`)[k % hidden]!);
};

const steps: Record<string, (w: Weight, x: Vector, state: Vector[]) => Vector[]> = {
  "conv-lstm": (w, x, [h, c]) => {
    const gate = (block: string, state: Vector) =>
      affine(w, block, x, h!).map((value, k) => sigmoid(value + w(`p.${block}`)[k]! * state[k]!));
    const [i, f] = [gate("i", c!), gate("f", c!)];
    const g = affine(w, "g", x, h!).map(Math.tanh);
    const next = c!.map((value, k) => f[k]! * value + i[k]! * g[k]!);
    return [gate("o", next).map((o, k) => o * Math.tanh(next[k]!)), next];
  },
  "conv-gru": (w, x, [h]) => {
    const [z, r] = [affine(w, "z", x, h!).map(sigmoid), affine(w, "r", x, h!).map(sigmoid)];
    const reset = h!.map((value, k) => r[k]! * value);
    const candidate = affine(w, "h", x, reset).map(Math.tanh);
    return [h!.map((value, k) => (1 - z[k]!) * value + z[k]! * candidate[k]!)];
  },
};

describe.each([convLstm(options), convGru(options)])("$name", (cell) => {
  const made = program(cell);
  const feeds = feedsFor(made, sizes, 3, { lengths: [3, 2], seed: [1] }, 0.5);

  it("agrees with plain loops", () => {
    const weight: Weight = (name) => Array.from(feeds[`c.0.forward.${name}`]!);
    const size = height * width * channels;
    const expected: number[] = [];
    for (let b = 0; b < 2; b++) {
      let state: Vector[] = cell.states.map(() => new Array<number>(hiddenSize).fill(0));
      for (let t = 0; t < 3; t++) {
        const x = Array.from({ length: size }, (_, i) => feeds.x![(b * 3 + t) * size + i]!);
        if (t < [3, 2][b]!) state = steps[cell.name]!(weight, x, state);
        expected.push(...(t < [3, 2][b]! ? state[0]! : new Array<number>(hiddenSize).fill(0)));
      }
    }
    expectClose(reference(made, feeds, sizes).sequence!, expected, tolerances.float64, "convolutional loops");
  });

  it("has the gradient that central differences give, and the same values when compiled", () => {
    checkGradients(made, feeds, sizes, { coordinates: 2, directions: 1 });
    const compiled = optimized(made);
    const expected = reference(compiled, feeds, sizes);
    for (const backend of backends) {
      const computed = backend.run(compiled, feeds, sizes);
      for (const name of Object.keys(expected))
        expect(compare(computed[name]!, expected[name]!).error, name).toBeLessThan(tolerances.float32Gradient);
    }
  });
});

describe("cells over images", () => {
  it("refuse rows that are no whole images", () => {
    expect(() =>
      programOf((trace) => ({
        y: recurrent({ cell: convGru(options), hiddenSize: 13 }).apply(
          trace.input("x", sequenceType(24)),
          scopeIn(trace),
        ),
      })),
    ).toThrow(
      "conv-gru: hiddenSize is 13, expected a multiple of 3 · 4, the size of an image.\nGive rows of height · width · channels numbers.",
    );
  });
});
