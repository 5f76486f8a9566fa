/** Convolutional layers: over time, before or between recurrent layers; over images, for each step of a sequence of them. */
import type { Axis } from "../base/shapes.ts";
import type { Initializer, InitializerName } from "../init/initializers.ts";
import {
  averagePool2d,
  type Conv1dOptions,
  type Conv2dOptions,
  conv1d,
  conv2d,
  flattenFeatures,
  maxPool2d,
  type Pool2dOptions,
} from "../trace/convolution.ts";
import { add, lengthMask, relu, select } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import type { Layer } from "./layer.ts";

interface CommonOptions {
  /** Output channels. */
  readonly channels: number;
  /** Applied to the convolution and its bias. Default ReLU. */
  readonly activation?: (x: Tensor) => Tensor;
  /** Default true. */
  readonly bias?: boolean;
  /** Of the weight. Default He normal. */
  readonly initialize?: Initializer | InitializerName;
}

export type ConvolutionOptions = CommonOptions & Conv1dOptions;
export type Convolution2dOptions = CommonOptions & Conv2dOptions;

/**
 * Convolution over time: x [batch, time, features] to [batch, time, channels]. Steps behind a row's true length are read as 0, so
 * that padding never matters.
 */
export function convolution(options: ConvolutionOptions): Layer {
  return {
    name: "convolution",
    apply(x, scope) {
      const size = options.kernelSize * x.size;
      return withWeight(options, size, scope, (weight) => conv1d(weight, unpadded(x, scope, options.axis), options));
    },
  };
}

/** Convolution over images: x [.., height, width, channels] to [.., height′, width′, channels′]. */
export function convolution2d(options: Convolution2dOptions): Layer {
  const { kernelSize: size } = options;
  const taps = typeof size === "number" ? size * size : size[0] * size[1];
  return {
    name: "convolution",
    apply: (x, scope) => withWeight(options, taps * x.size, scope, (weight) => conv2d(weight, x, options)),
  };
}

/** The largest, or the mean, of each window of an image: [.., height, width, channels] to [.., height / size, width / size, channels]. */
export function pooling2d(options: Pool2dOptions & { readonly kind?: "max" | "average" }): Layer {
  const pool = options.kind === "average" ? averagePool2d : maxPool2d;
  return { name: "pooling", apply: (x) => pool(x, options) };
}

/** Images to feature rows: [.., height, width, channels] to [.., height · width · channels]. */
export function flatten(): Layer {
  return { name: "flatten", apply: flattenFeatures };
}

function withWeight(
  { channels, activation = relu, bias = true, initialize = "heNormal" }: CommonOptions,
  inputs: number,
  scope: Scope,
  convolve: (weight: Tensor) => Tensor,
): Tensor {
  const y = convolve(scope.param("W", [channels, inputs], initialize));
  return scope.made("convolution", activation(bias ? add(y, scope.param("b", [channels], "zeros")) : y));
}

function unpadded(x: Tensor, scope: Scope, axis: Axis = "time"): Tensor {
  const lengths = scope.lengths(axis);
  return lengths === undefined ? x : select(lengthMask(lengths, axis), x, 0);
}
