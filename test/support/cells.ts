/** One layer of a cell with a loss that reads its outputs and final states; and the numbers it is fed with. */
import { createRandom } from "../../packages/recurra/src/base/random.ts";
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import type { Program } from "../../packages/recurra/src/ir/nodes.ts";
import { recurrent } from "../../packages/recurra/src/layers/recurrent.ts";
import type { Cell } from "../../packages/recurra/src/trace/cell.ts";
import { add, mul, sumAll } from "../../packages/recurra/src/trace/operations.ts";
import { sequenceType, vectorType } from "../../packages/recurra/src/trace/tensor.ts";
import { feedsFor, programOf, scopeIn, type Values } from "./programs.ts";

export interface CellSettings {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly depth?: number;
  readonly direction?: "forward" | "backward" | "both";
  readonly lengths?: boolean;
  readonly training?: boolean;
}

export const names = Object.keys(cells);
/** Cells whose forward pass rounds, so that central differences are not what their gradient is. */
export const rounded: ReadonlySet<string> = new Set(["gru-binary-gate", "skip-gru", "skip-lstm"]);

export const statesOf = (cell: Cell, { depth = 1, direction = "forward" }: CellSettings): string[] =>
  Array.from({ length: depth }, (_, layer) =>
    (direction === "both" ? ["forward", "backward"] : [direction]).flatMap((way) =>
      cell.states.map((state) => `${layer}.${way}.${state}`),
    ),
  ).flat();

/** loss = Σ v ⊙ sequence + Σ u ⊙ final states + Σ last; every state starts at an input. */
export function cellProgram(cell: Cell, settings: CellSettings): Program {
  const { inputSize, hiddenSize, depth = 1, direction = "forward", lengths = false, training = false } = settings;
  const width = direction === "both" ? 2 : 1;
  return programOf((trace) => {
    const scope = scopeIn(trace, lengths ? { time: trace.input("lengths", vectorType(1)) } : {}, training);
    // A layer above the first reads what the first puts out.
    const x = trace.input("x", sequenceType(inputSize));
    const outputs = width * outputSize(cell, settings);
    const sizeOf = (name: string) => {
      const [layer, , state] = name.split(".") as [string, string, string];
      return cell.stateSize(state, { inputSize: layer === "0" ? inputSize : outputs, hiddenSize });
    };
    const initial = Object.fromEntries(
      statesOf(cell, settings).map((name) => [name, trace.input(`initial.${name}`, vectorType(sizeOf(name)))]),
    );
    const { sequence, final, last, results } = recurrent({ cell, hiddenSize, depth, direction }).run(x, scope, initial);
    const ends = Object.entries(final).map(([name, state]) =>
      sumAll(mul(state, trace.input(`mask u.${name}`, vectorType(state.size)))),
    );
    const loss = add(sumAll(mul(sequence, trace.input("mask v", sequenceType(sequence.size)))), sumAll(last), ...ends);
    return { loss, sequence, last, ...final, ...results };
  });
}

export function outputSize(cell: Cell, { inputSize, hiddenSize }: CellSettings): number {
  return cell.states.includes(cell.output) ? cell.stateSize(cell.output, { inputSize, hiddenSize }) : hiddenSize;
}

/** Seeded numbers. A counter starts at a whole number, a normaliser above 0, and gru-d's input says what was observed. */
export function cellFeeds(
  cell: Cell,
  program: Program,
  sizes: { batch: number; time: number },
  seed = 3,
  given: Values = {},
): Values {
  const feeds = { ...feedsFor(program, sizes, seed, { seed: [7], ...given }, 0.7) } as Record<string, Float32Array>; // feedsFor makes typed arrays, `given` is replaced below.
  for (const [name, values] of Object.entries(feeds)) {
    if (given[name] !== undefined) continue;
    if (/^initial\..*\.t$/.test(name)) feeds[name] = values.map((_, row) => row);
    if (/^initial\..*\.n$/.test(name) && cell.name === "slstm")
      feeds[name] = values.map((value) => 1 + Math.abs(value));
    if (/^initial\..*\.v$/.test(name)) feeds[name] = values.map((value) => Math.min(0.9, Math.abs(value)));
    if (name === "x" && cell.name === "gru-d")
      feeds[name] = observed(values, values.length / sizes.batch / sizes.time, seed);
  }
  return feeds;
}

function observed(x: Float32Array, size: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return x.map((value, i) => {
    const part = Math.floor(((i % size) * 3) / size);
    return part === 0 ? value : part === 1 ? random.integer(2) : Math.abs(value);
  });
}
