/** Recurrent layers: a cell scanned over time, stacked, in one direction or both. */
import { lookup, ShapeError } from "../base/errors.ts";
import { type Axis, formatType } from "../base/shapes.ts";
import type { Cell, CellInitializers } from "../trace/cell.ts";
import { add, broadcast, concat, equal, mul, positions, select, sub, sumAxes } from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import { checkCell, checkSizes } from "./checks.ts";
import { dropout as dropoutLayer } from "./dropout.ts";
import type { Layer } from "./layer.ts";

export interface RecurrentOptions {
  readonly cell: Cell;
  readonly hiddenSize: number;
  /** Layers on top of each other. Default 1. */
  readonly depth?: number;
  /** "both" runs two recurrences and merges their outputs. Default "forward". */
  readonly direction?: "forward" | "backward" | "both";
  /**
   * What becomes of the outputs of both directions, of every layer: side by side [.., 2 · hiddenSize], or their sum, mean or product
   * element by element [.., hiddenSize]. `run` gives them apart as well. Default "concat".
   */
  readonly merge?: Merge;
  /**
   * Every timestep [batch, time, hiddenSize], the state after the last true timestep [batch, hiddenSize], or every timestep of all
   * layers side by side, the lowest first [batch, time, depth · hiddenSize], as the readout of a deep reservoir sees them (Gallicchio
   * et al. 2017). With both directions side by side twice the size. Default "sequence".
   */
  readonly output?: "sequence" | "last" | "layers";
  /** How weights begin, by kind ("W", "R", "b", "rb") or by kind and block ("b.f"). Default: the cell's own choice. */
  readonly initialize?: CellInitializers;
  /** Between layers of a stack. Default 0. */
  readonly dropout?: number;
  /** The axis stepped along. Default "time". */
  readonly axis?: Axis;
}

/** States of every layer and direction, by name: "0.forward.h". */
export type States = Readonly<Record<string, Tensor>>;

export type Merge = "concat" | "sum" | "mean" | "product";

export interface RecurrentResult {
  /** [batch, time, hiddenSize], twice that for both directions side by side. */
  readonly sequence: Tensor;
  /** Of the last layer before its directions are merged: forward, then backward, [batch, time, hiddenSize] and [batch, hiddenSize]. */
  readonly directions: readonly Pick<RecurrentResult, "sequence" | "last">[];
  /** The same of each layer, the lowest first. */
  readonly layers: readonly Tensor[];
  /** The last layer's output after the last true timestep (backward: after the first). */
  readonly last: Tensor;
  readonly final: States;
  /** What cells give besides states, of every layer and direction by name, [batch, time, features]: "0.forward.u". */
  readonly results: Readonly<Record<string, Tensor>>;
}

export interface RecurrentLayer extends Layer {
  /** All results; `initial` continues from the `final` states of an earlier run. States that are not given start at 0. */
  run(x: Tensor, scope: Scope, initial?: States): RecurrentResult;
}

/**
 * Lengths of the scope are respected: behind a row's true length its state stays and its outputs are 0.
 * @throws OptionError for what is no cell, sizes that are not positive whole numbers and an unknown merge; ShapeError when x has no time axis.
 */
export function recurrent(options: RecurrentOptions): RecurrentLayer {
  const {
    cell,
    hiddenSize,
    depth = 1,
    direction = "forward",
    merge = "concat",
    output = "sequence",
    dropout = 0,
    axis = "time",
  } = options;
  checkCell("recurrent", cell);
  checkSizes(cell.name, { hiddenSize, depth });
  const directions = direction === "both" ? (["forward", "backward"] as const) : [direction];
  const merged = lookup("merge", merge, merges);
  const run: RecurrentLayer["run"] = (input, scope, initial = {}) => {
    if (!input.type.axes.includes(axis) || input.type.shape.length !== 1) {
      throw new ShapeError({
        where: `${cell.name}: input x`,
        given: formatType(input.type),
        expected: `[batch, ${axis}, features]`,
        mend: 'a recurrent layer steps over a sequence of feature rows; use output "sequence" in the layer below',
      });
    }
    const final: Record<string, Tensor> = {};
    const named: Record<string, Tensor> = {};
    const layers: Tensor[] = [];
    let x = input;
    let apart: RecurrentResult["directions"] = [];
    for (let layer = 0; layer < depth; layer++) {
      if (layer > 0) x = dropoutLayer(dropout).apply(x, scope);
      const results = directions.map((way) =>
        runCell(options, way, x, scope.in(`${layer}.${way}`), `${layer}.${way}`, initial),
      );
      results.forEach((result, i) => {
        for (const state of cell.states) final[`${layer}.${directions[i]}.${state}`] = result.final[state]!;
        for (const name of cell.results) named[`${layer}.${directions[i]}.${name}`] = result.outputs[name]!;
      });
      apart = results.map((result, i) => {
        const sequence = result.outputs[cell.output]!;
        const last = result.final[cell.output] ?? lastOf(sequence, axis, directions[i]!, scope.lengths(axis));
        return { sequence, last };
      });
      x = joined(
        apart.map(({ sequence }) => sequence),
        merged,
      );
      layers.push(x);
    }
    const last = joined(
      apart.map((way) => way.last),
      merged,
    );
    return { sequence: x, directions: apart, layers, last, final, results: named };
  };
  return {
    name: cell.name,
    run,
    apply(x, scope) {
      const result = run(x, scope);
      if (output === "layers") return joined(result.layers, concat);
      return output === "last" ? result.last : result.sequence;
    },
  };
}

function runCell(
  { cell, hiddenSize, axis = "time", initialize }: RecurrentOptions,
  direction: "forward" | "backward",
  x: Tensor,
  scope: Scope,
  path: string,
  given: States,
) {
  const sizes = { inputSize: x.size, hiddenSize };
  const step = cell.bind(scope, sizes, initialize);
  const axes = x.type.axes.filter((other) => other !== axis);
  const zeros = (state: string) => broadcast(x.trace.literal(0), { axes, shape: [cell.stateSize(state, sizes)] });
  const initial = Object.fromEntries(cell.states.map((state) => [state, given[`${path}.${state}`] ?? zeros(state)]));
  const result = scan({
    axis,
    direction,
    lengths: scope.lengths(axis),
    initial,
    sequences: { x },
    step: (state, { x: element }) => {
      const next = step(element, state);
      const read = [...new Set([cell.output, ...cell.results])];
      return { next, outputs: Object.fromEntries(read.map((name) => [name, next[name]!])) };
    },
  });
  scope.made(cell.name, result.outputs[cell.output]!, { axis, direction, states: cell.states });
  return result;
}

/** The element after the last true timestep of an output that is no state; 0 for an empty sequence. */
function lastOf(sequence: Tensor, axis: Axis, direction: "forward" | "backward", lengths: Tensor | undefined): Tensor {
  const count = () => lengths ?? sumAxes(broadcast(sequence.trace.literal(1), { axes: [axis], shape: [1] }), axis);
  const end = direction === "backward" ? 0 : sub(count(), 1);
  return sumAxes(select(equal(positions(sequence, axis), end), sequence, 0), axis);
}

const merges: Readonly<Record<Merge, (...parts: readonly [Tensor, ...Tensor[]]) => Tensor>> = {
  concat,
  sum: add,
  mean: (...parts) => mul(add(...parts), 1 / parts.length),
  product: mul,
};

function joined(
  [first, ...rest]: readonly Tensor[],
  how: (...parts: readonly [Tensor, ...Tensor[]]) => Tensor,
): Tensor {
  return rest.length === 0 ? first! : how(first!, ...rest); // There is a layer, and it has a direction.
}
