/** Ways around a layer, through which gradients reach the layers below undiminished. */
import { add, matmul, mul, sigmoid, sub } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import type { Layer } from "./layer.ts";

/** y = layer(x) + x (He et al. 2016); x goes through a matrix where the layer changes the number of features. */
export function residual(layer: Layer): Layer {
  return {
    name: `residual ${layer.name}`,
    apply(x, scope) {
      const y = layer.apply(x, scope.in(layer.name));
      return add(y, fitted(x, y.size, scope));
    },
  };
}

/**
 * y = g ⊙ layer(x) + (1 − g) ⊙ x with g = σ(W x + b) (Srivastava et al. 2015). b begins at −1, so that at first more of x
 * passes than of the layer; x goes through a matrix where the layer changes the number of features.
 */
export function highway(layer: Layer): Layer {
  return {
    name: `highway ${layer.name}`,
    apply(x, scope) {
      const y = layer.apply(x, scope.in(layer.name));
      const W = scope.param("gate.W", [y.size, x.size], "xavierUniform");
      const b = scope.param("gate.b", [y.size], { kind: "constant", value: -1 });
      const gate = sigmoid(add(matmul(W, x), b));
      return add(mul(gate, y), mul(sub(1, gate), fitted(x, y.size, scope)));
    },
  };
}

function fitted(x: Tensor, size: number, scope: Scope): Tensor {
  return x.size === size ? x : matmul(scope.param("around.W", [size, x.size], "xavierUniform"), x);
}
