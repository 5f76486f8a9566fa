/** A network written down with the names of its inputs and outputs known to the compiler. */
import type { Axis, TensorType } from "../base/shapes.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import type { Network } from "./programs.ts";

/** As in `Network`, but `forward` and `loss` get exactly the names given. */
export interface NetworkDefinition<
  Inputs extends Readonly<Record<string, TensorType>>,
  Outputs extends Readonly<Record<string, Tensor>>,
  State extends Readonly<Record<string, TensorType>> = Readonly<Record<never, TensorType>>,
> {
  /** What a batch holds, targets too. */
  readonly inputs: Inputs;
  /** Axes whose true lengths are fed beside the inputs. Default: none. */
  readonly variableLengths?: readonly Axis[];
  /** States carried from call to call: read among the inputs, returned among the outputs. Default: none. */
  readonly state?: State;
  /** Named results. It may read every input, but `predict` needs only what it does read. */
  readonly forward: (inputs: { readonly [K in keyof Inputs | keyof State]: Tensor }, scope: Scope) => Outputs;
  /** One number [1] to make small, from the results of `forward`. */
  readonly loss: (
    outputs: { readonly [K in keyof Outputs]: Tensor },
    inputs: { readonly [K in keyof Inputs | keyof State]: Tensor },
    scope: Scope,
  ) => Tensor;
}

/**
 * A `Network` whose names the compiler checks: it returns what it is given.
 *
 *     const network = defineNetwork({
 *       inputs: { x: sequenceType(1), y: vectorType(1) },
 *       forward: ({ x }, scope) => ({ logit: layers.apply(x, scope) }),
 *       loss: ({ logit }, { y }, scope) => binaryCrossEntropy(logit, y, scope),
 *     });
 */
export function defineNetwork<
  Inputs extends Readonly<Record<string, TensorType>>,
  Outputs extends Readonly<Record<string, Tensor>>,
  State extends Readonly<Record<string, TensorType>> = Readonly<Record<never, TensorType>>,
>(definition: NetworkDefinition<Inputs, Outputs, State>): Network {
  // Who traces a network hands `forward` every input it names, and `loss` what `forward` returned.
  return definition as unknown as Network;
}
