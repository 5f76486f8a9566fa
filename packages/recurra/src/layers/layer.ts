/** A layer turns a tensor into a tensor and declares its parameters in a scope. It holds no numbers and no state. */
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";

export interface Layer {
  readonly name: string;
  apply(x: Tensor, scope: Scope): Tensor;
}

/** Layers one after the other; the parameters of layer i are named "i.…". */
export function sequential(...layers: readonly Layer[]): Layer {
  return {
    name: "sequential",
    apply: (x, scope) => layers.reduce((value, layer, i) => layer.apply(value, scope.in(`${i}.${layer.name}`)), x),
  };
}
