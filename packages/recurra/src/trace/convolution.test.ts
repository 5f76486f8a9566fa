import { describe, expect, it } from "vitest";
import { expectClose, tolerances } from "../../../../test/support/close.ts";
import { checkGradients } from "../../../../test/support/differences.ts";
import { feedsFor, programOf, reference } from "../../../../test/support/programs.ts";
import { averagePool2d, type Conv1dOptions, type Conv2dOptions, conv1d, conv2d, maxPool2d } from "./convolution.ts";
import { square, sumAll } from "./operations.ts";
import { sequenceType, type Tensor } from "./tensor.ts";

/** The definition, in loops. x [time][inputs] and weight [outputs][taps · inputs]. */
function slowConv1d(
  x: number[][],
  weight: number[][],
  { kernelSize, dilation = 1, padding }: Conv1dOptions,
): number[][] {
  const ahead = padding === "same" ? Math.floor(kernelSize / 2) : 0;
  return x.map((_, t) =>
    weight.map((row) => {
      let sum = 0;
      for (let tap = 0; tap < kernelSize; tap++) {
        const at = x[t - (kernelSize - 1 - tap - ahead) * dilation];
        at?.forEach((value, i) => {
          sum += value * row[tap * at.length + i]!;
        });
      }
      return sum;
    }),
  );
}

const image = { axes: ["batch"], shape: [5, 4, 2] };
const sizes = { batch: 2, time: 5 };

function rowsOf(data: ArrayLike<number>, width: number): number[][] {
  return Array.from({ length: data.length / width }, (_, row) =>
    Array.from({ length: width }, (_, i) => data[row * width + i]!),
  );
}

describe("conv1d", () => {
  const forms: Conv1dOptions[] = [
    { kernelSize: 1 },
    { kernelSize: 3 },
    { kernelSize: 3, padding: "same" },
    { kernelSize: 4, padding: "same" },
    { kernelSize: 2, dilation: 3 },
    { kernelSize: 3, dilation: 2, padding: "same" },
    { kernelSize: 7 },
  ];
  it.each(forms)("is its definition: $kernelSize taps, dilation $dilation, $padding", (options) => {
    const program = programOf((trace) => ({
      y: conv1d(trace.param("W", [3, options.kernelSize * 2]), trace.input("x", sequenceType(2)), options),
    }));
    const feeds = feedsFor(program, sizes, 3);
    const weight = rowsOf(feeds.W!, options.kernelSize * 2);
    const series = rowsOf(feeds.x!, 10).map((row) => rowsOf(row, 2));
    const expected = series.flatMap((x) => slowConv1d(x, weight, options)).flat();
    expectClose(reference(program, feeds, sizes).y!, expected, tolerances.float64, "convolution in loops");
    checkGradients(
      lossOf((x, w) => conv1d(w, x, options), sequenceType(2), [3, options.kernelSize * 2]),
      feeds,
      sizes,
    );
  });

  it("refuses half a tap", () => {
    expect(() =>
      programOf((trace) => ({
        y: conv1d(trace.param("W", [1, 3]), trace.input("x", sequenceType(2)), { kernelSize: 1.5 }),
      })),
    ).toThrow("conv1d: kernelSize is 1.5, expected 1, 2, 3, ….\nGive a positive whole number.");
  });
});

describe("conv2d", () => {
  const forms: (Conv2dOptions & { rows: number; columns: number })[] = [
    { kernelSize: 1, rows: 5, columns: 4 },
    { kernelSize: 3, rows: 5, columns: 4 },
    { kernelSize: [2, 3], padding: "valid", rows: 4, columns: 2 },
    { kernelSize: 3, stride: 2, rows: 3, columns: 2 },
    { kernelSize: [1, 2], stride: [2, 1], padding: "valid", rows: 3, columns: 3 },
  ];
  it.each(forms)("is its definition: kernel $kernelSize, stride $stride, $padding", ({ rows, columns, ...options }) => {
    const [kr, kc] =
      typeof options.kernelSize === "number" ? [options.kernelSize, options.kernelSize] : options.kernelSize;
    const stride = options.stride ?? 1;
    const [sr, sc] = typeof stride === "number" ? [stride, stride] : stride;
    const [top, left] = options.padding === "valid" ? [0, 0] : [Math.floor((kr - 1) / 2), Math.floor((kc - 1) / 2)];
    const program = programOf((trace) => ({
      y: conv2d(trace.param("W", [3, kr * kc * 2]), trace.input("x", image), options),
    }));
    const feeds = feedsFor(program, sizes, 5);
    const expected: number[] = [];
    for (let b = 0; b < 2; b++)
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < columns; c++)
          for (let out = 0; out < 3; out++) {
            let sum = 0;
            for (let i = 0; i < kr; i++)
              for (let j = 0; j < kc; j++) {
                const [y, x] = [r * sr + i - top, c * sc + j - left];
                if (y < 0 || y >= 5 || x < 0 || x >= 4) continue;
                for (let channel = 0; channel < 2; channel++)
                  sum +=
                    feeds.x![((b * 5 + y) * 4 + x) * 2 + channel]! *
                    feeds.W![out * kr * kc * 2 + (i * kc + j) * 2 + channel]!;
              }
            expected.push(sum);
          }
    expectClose(reference(program, feeds, sizes).y!, expected, tolerances.float64, "convolution in loops");
    checkGradients(
      lossOf((x, w) => conv2d(w, x, options), image, [3, kr * kc * 2]),
      feeds,
      sizes,
    );
  });

  it("refuses rows that are no image, and images smaller than the window", () => {
    const of = (shape: readonly number[]) => () =>
      programOf((trace) => ({ y: maxPool2d(trace.input("x", { axes: ["batch"], shape }), { size: 2 }) }));
    expect(of([8])).toThrow("maxPool2d: x is [batch, 8], expected [.., height, width, channels].");
    expect(of([1, 4, 2])).toThrow("maxPool2d: x is [batch, 1, 4, 2], expected an image of at least 2 × 2.");
  });
});

describe("pooling", () => {
  it("takes the largest and the mean of windows; what does not fill one is left out", () => {
    const program = programOf((trace) => {
      const x = trace.input("x", { axes: ["batch"], shape: [3, 4, 1] });
      return { most: maxPool2d(x, { size: 2 }), mean: averagePool2d(x, { size: [3, 2], stride: 1 }) };
    });
    const x = [1, 5, 2, 0, 3, -1, 7, 8, 9, 9, 9, 9];
    const { most, mean } = reference(program, { x }, { batch: 1 });
    expect([...most!]).toEqual([5, 8]);
    expectClose(mean!, [26 / 6, 31 / 6, 35 / 6], tolerances.float64, "convolution in loops");
  });
});

function lossOf(
  write: (x: Tensor, weight: Tensor) => Tensor,
  type: { axes: string[]; shape: number[] } | ReturnType<typeof sequenceType>,
  weight: number[],
) {
  return programOf((trace) => ({ loss: sumAll(square(write(trace.input("x", type), trace.param("W", weight)))) }));
}
