/** The fully connected layer. */
import type { Initializer, InitializerName } from "../init/initializers.ts";
import { add, matmul } from "../trace/operations.ts";
import type { Tensor } from "../trace/tensor.ts";
import { checkSizes } from "./checks.ts";
import type { Layer } from "./layer.ts";

export interface DenseOptions {
  readonly outputSize: number;
  /** Applied to W·x + b. Default: none. */
  readonly activation?: (x: Tensor) => Tensor;
  /** Default true. */
  readonly bias?: boolean;
  /** Of the weight. Default Xavier uniform. */
  readonly initialize?: Initializer | InitializerName;
}

/** y = f(W·x + b) for every row: x [.., inputSize] to y [.., outputSize]; a sequence is transformed step by step. @throws OptionError for an outputSize that is no positive whole number. */
export function dense({
  outputSize,
  activation = (x) => x,
  bias = true,
  initialize = "xavierUniform",
}: DenseOptions): Layer {
  checkSizes("dense", { outputSize });
  return {
    name: "dense",
    apply(x, scope) {
      const product = matmul(scope.param("W", [outputSize, x.size], initialize), x);
      return scope.made("dense", activation(bias ? add(product, scope.param("b", [outputSize], "zeros")) : product));
    },
  };
}
