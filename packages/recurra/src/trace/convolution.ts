/**
 * Convolution as one matrix product: the taps of a position are laid side by side, and the kernel is a weight of the rows they
 * make. Weights lie tap by tap: PyTorch's [outputs, inputs, taps] is [outputs, taps · inputs] here, the oldest or upper left
 * tap first.
 */
import { OptionError, ShapeError } from "../base/errors.ts";
import { type Axis, formatType } from "../base/shapes.ts";
import { concat, matmul, maximum, mul, reshape } from "./operations.ts";
import type { Tensor } from "./tensor.ts";

/** x a number of steps later (earlier where `by` is negative) along an axis: y[t] = x[t − by], 0 where there is no such step. */
export function shift(x: Tensor, by: number, axis: Axis = "time"): Tensor {
  return by === 0 ? x : x.trace.add({ kind: "shift", x: x.id, axis, by });
}

export interface Conv1dOptions {
  /** Number of taps. */
  readonly kernelSize: number;
  /** Steps between two taps. Default 1. */
  readonly dilation?: number;
  /** "causal" reads this step and those before it; "same" as many before as behind (one less before for an even kernel). Default "causal". */
  readonly padding?: "causal" | "same";
  /** Default "time". */
  readonly axis?: Axis;
}

/**
 * Convolution over an axis, with zeros outside: x [.., time, inputs] and weight [outputs, kernelSize · inputs] give
 * [.., time, outputs]. What lies behind a row's true length is read like any other step: set it to 0 before.
 */
export function conv1d(weight: Tensor, x: Tensor, options: Conv1dOptions): Tensor {
  const { kernelSize, dilation = 1, padding = "causal", axis = "time" } = options;
  requireWhole("conv1d", { kernelSize, dilation });
  const ahead = padding === "causal" ? 0 : Math.floor(kernelSize / 2);
  const taps = Array.from({ length: kernelSize }, (_, tap) =>
    shift(x, (kernelSize - 1 - tap - ahead) * dilation, axis),
  );
  return matmul(weight, concat(...taps));
}

export interface Conv2dOptions {
  /** Rows and columns of the kernel; one number for both. */
  readonly kernelSize: number | readonly [number, number];
  /** Positions between two windows. Default 1. */
  readonly stride?: number | readonly [number, number];
  /** "same" surrounds the image with zeros, so that stride 1 keeps its size; "valid" does not. Default "same". */
  readonly padding?: "same" | "valid";
}

/**
 * Convolution over images whose channels lie innermost: x [.., height, width, inputs] and weight
 * [outputs, kernel rows · kernel columns · inputs] give [.., height′, width′, outputs].
 * @throws ShapeError when x is no image or smaller than the kernel.
 */
export function conv2d(weight: Tensor, x: Tensor, options: Conv2dOptions): Tensor {
  const kernel = pair(options.kernelSize);
  const taps = windows("conv2d", x, kernel, pair(options.stride ?? 1), options.padding ?? "same");
  const y = matmul(weight, concat(...taps));
  y.trace.notation.set(y.id, { call: { name: "∗", of: [weight, x] } });
  return y;
}

export interface Pool2dOptions {
  readonly size: number | readonly [number, number];
  /** Default: the size, so that windows do not overlap. */
  readonly stride?: number | readonly [number, number];
}

/** The largest value of each window: [.., height, width, channels] gives [.., ⌊height / 2⌋, ⌊width / 2⌋, channels] for size 2. */
export function maxPool2d(x: Tensor, { size, stride = size }: Pool2dOptions): Tensor {
  return windows("maxPool2d", x, pair(size), pair(stride), "valid").reduce((top, tap) => maximum(top, tap));
}

/** The mean of each window. */
export function averagePool2d(x: Tensor, { size, stride = size }: Pool2dOptions): Tensor {
  const taps = windows("averagePool2d", x, pair(size), pair(stride), "valid");
  return mul(
    1 / taps.length,
    taps.reduce((sum, tap) => sum.trace.add({ kind: "add", a: sum.id, b: tap.id })),
  );
}

/** All features in one dimension: [.., height, width, channels] gives [.., height · width · channels]. */
export function flattenFeatures(x: Tensor): Tensor {
  return reshape(
    x,
    x.type.shape.reduce((count, size) => count * size, 1),
  );
}

/** For each tap of a window, its value at every position of the window: strided views of one padded image. */
function windows(
  where: string,
  x: Tensor,
  kernel: readonly [number, number],
  stride: readonly [number, number],
  padding: "same" | "valid",
): Tensor[] {
  requireWhole(where, { "kernel size": Math.min(...kernel), stride: Math.min(...stride) });
  if (x.type.shape.length !== 3) {
    throw new ShapeError({
      where: `${where}: x`,
      given: formatType(x.type),
      expected: "[.., height, width, channels]",
      mend: "reshape the features to an image whose channels lie innermost",
    });
  }
  let image = x;
  for (const dim of [0, 1] as const) {
    if (padding === "valid" || kernel[dim] === 1) continue;
    const before = Math.floor((kernel[dim] - 1) / 2);
    image = image.trace.add({ kind: "pad", x: image.id, dim, before, after: kernel[dim] - 1 - before });
  }
  const [height, width] = image.type.shape as [number, number, number]; // Checked above.
  const counts = ([height, width] as const).map((size, dim) => Math.floor((size - kernel[dim]!) / stride[dim]!) + 1);
  if (counts.some((count) => count < 1)) {
    throw new ShapeError({
      where: `${where}: x`,
      given: formatType(x.type),
      expected: `an image of at least ${kernel.join(" × ")}`,
      mend: "use a smaller window",
    });
  }
  const along = (tensor: Tensor, dim: 0 | 1, start: number) =>
    tensor.trace.add({ kind: "slice", x: tensor.id, dim, start, size: counts[dim]!, stride: stride[dim] });
  return Array.from({ length: kernel[0] * kernel[1] }, (_, tap) =>
    along(along(image, 0, Math.floor(tap / kernel[1])), 1, tap % kernel[1]),
  );
}

function pair(size: number | readonly [number, number]): readonly [number, number] {
  return typeof size === "number" ? [size, size] : size;
}

function requireWhole(where: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, given] of Object.entries(sizes)) {
    if (Number.isInteger(given) && given >= 1) continue;
    throw new OptionError({
      where: `${where}: ${name}`,
      given: String(given),
      expected: "1, 2, 3, …",
      mend: "give a positive whole number",
    });
  }
}
