/** Recurrent layers with a loss, for every cell, direction and way to be read. */
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import type { Program } from "../../packages/recurra/src/ir/nodes.ts";
import { dense } from "../../packages/recurra/src/layers/dense.ts";
import { mse } from "../../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../../packages/recurra/src/layers/recurrent.ts";
import { lengthMask, mul, select, sumAll } from "../../packages/recurra/src/trace/operations.ts";
import { sequenceType, vectorType } from "../../packages/recurra/src/trace/tensor.ts";
import { programOf, scopeIn } from "./programs.ts";

export interface LayerCase {
  readonly what: string;
  readonly program: (inputSize: number, hiddenSize: number) => Program;
}

export interface LayerOptions {
  readonly cell: string;
  readonly depth: number;
  readonly direction: "forward" | "backward" | "both";
  readonly output: "sequence" | "last";
  readonly lengths: boolean;
}

/** x through the layer and a dense layer to a squared error against y; every state of the first layer starts at an input. */
export function layerProgram(options: LayerOptions, inputSize: number, hiddenSize: number): Program {
  return programOf((trace) => {
    const lengths = options.lengths ? { time: trace.input("lengths", vectorType(1)) } : undefined;
    const scope = scopeIn(trace, lengths);
    const fed = trace.input("x", sequenceType(inputSize));
    const x = lengths === undefined ? fed : select(lengthMask(lengths.time), fed, 0);
    const cell = cells[options.cell]!;
    const ways = options.direction === "both" ? ["forward", "backward"] : [options.direction];
    const initial = Object.fromEntries(
      ways.flatMap((way) =>
        cell.states.map((state) => [
          `0.${way}.${state}`,
          trace.input(`initial.${way}.${state}`, vectorType(cell.stateSize(state, { inputSize, hiddenSize }))),
        ]),
      ),
    );
    const { depth, direction } = options;
    const result = recurrent({ cell, hiddenSize, depth, direction }).run(x, scope.in("layer"), initial);
    const read = options.output === "last" ? result.last : result.sequence;
    const y = dense({ outputSize: 2 }).apply(read, scope.in("dense"));
    const error = mse(y, trace.input("y", options.output === "last" ? vectorType(2) : sequenceType(2)), scope);
    const ends = Object.values(result.final).map((state) => mul(0.1, sumAll(state)));
    const loss = ends.reduce((sum, end) => sum.trace.add({ kind: "add", a: sum.id, b: end.id }), error);
    return { loss, y, ...result.final };
  });
}

const forms: readonly Omit<LayerOptions, "cell">[] = [
  { depth: 1, direction: "forward", output: "sequence", lengths: false },
  { depth: 1, direction: "backward", output: "last", lengths: true },
  { depth: 2, direction: "both", output: "sequence", lengths: true },
  { depth: 2, direction: "forward", output: "last", lengths: false },
];

/** The cells with which everything around a cell is tested; test/cells tests each cell by itself. */
export const mainCells = ["rnn", "rnn-relu", "gru", "gru-reset-before", "lstm", "sru"] as const;

export const layerCases: readonly LayerCase[] = mainCells.flatMap((cell) =>
  forms.map((form) => ({
    what: `${cell}, ${form.depth} deep, ${form.direction}, reads ${form.output}${form.lengths ? ", unequal lengths" : ""}`,
    program: (inputSize: number, hiddenSize: number) => layerProgram({ ...form, cell }, inputSize, hiddenSize),
  })),
);
