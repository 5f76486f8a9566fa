/** Every cell against PyTorch's autograd on a transcription of its own (scripts/golden-cells.py): outputs, states, all gradients. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cfcCell } from "../../packages/recurra/src/cells/cfc.ts";
import { lstmProjectedCell } from "../../packages/recurra/src/cells/projection.ts";
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import { recurrent } from "../../packages/recurra/src/layers/recurrent.ts";
import type { Cell } from "../../packages/recurra/src/trace/cell.ts";
import { add, mul, square, sumAll } from "../../packages/recurra/src/trace/operations.ts";
import { sequenceType, vectorType } from "../../packages/recurra/src/trace/tensor.ts";
import { names } from "../support/cells.ts";
import { expectClose, tolerances } from "../support/close.ts";
import { backends, programOf, reference, scopeIn, withGradients } from "../support/programs.ts";

type Named = Readonly<Record<string, readonly number[]>>;
interface Golden {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly batch: number;
  readonly time: number;
  readonly cells: Readonly<
    Record<
      string,
      {
        readonly x: readonly number[];
        readonly v: readonly number[];
        readonly initial: Named;
        readonly weights: Named;
        readonly loss: number;
        readonly output: readonly number[];
        readonly final: Named;
        readonly gradients: { readonly x: readonly number[]; readonly initial: Named; readonly weights: Named };
      }
    >
  >;
}
const golden = JSON.parse(readFileSync(new URL("../golden/pytorch-cells.json", import.meta.url), "utf8")) as Golden; // Written by the script.
const { inputSize, hiddenSize, batch, time } = golden;
const under = (path: string, values: Named) =>
  Object.fromEntries(Object.entries(values).map(([name, numbers]) => [`${path}.${name}`, numbers]));

/** Cells with options: of another size than the built-in one, or not built in. */
const withOptions: Readonly<Record<string, Cell>> = {
  "lstm-projected": lstmProjectedCell({ projectionSize: 3 }),
  "cfc-timed": cfcCell({ timed: true }),
};

it("has a transcription of every cell", () => {
  expect(Object.keys(golden.cells).sort()).toEqual([...new Set([...names, ...Object.keys(withOptions)])].sort());
});

describe.each(Object.keys(golden.cells))("the cell %s", (name) => {
  const peer = golden.cells[name]!;
  const cell = withOptions[name] ?? cells[name]!;
  const program = programOf((trace) => {
    const initial = Object.fromEntries(
      cell.states.map((state) => [
        `0.forward.${state}`,
        trace.input(`initial.0.forward.${state}`, vectorType(peer.initial[state]!.length / batch)),
      ]),
    );
    const layer = recurrent({ cell, hiddenSize });
    const { sequence, final } = layer.run(trace.input("x", sequenceType(inputSize)), scopeIn(trace), initial);
    const halves = Object.values(final).map((state) => mul(0.5, sumAll(square(state))));
    const read = sumAll(mul(trace.input("mask v", sequenceType(sequence.size)), sequence));
    return { loss: add(read, ...halves), sequence, ...final };
  });
  const feeds = {
    x: peer.x,
    "mask v": peer.v,
    seed: [0],
    ...under("initial.0.forward", peer.initial),
    ...under("0.forward", peer.weights),
  };
  const expected = {
    loss: [peer.loss],
    sequence: peer.output,
    ...under("0.forward", peer.final),
    "gradient x": peer.gradients.x,
    ...under("gradient initial.0.forward", peer.gradients.initial),
    ...under("gradient 0.forward", peer.gradients.weights),
  };

  it.each([{ name: "the float64 reference", run: reference }, ...backends])(
    "has PyTorch's outputs, states and gradients on $name",
    ({ run }) => {
      const given = run(withGradients(program), feeds, { batch, time });
      expect(Object.keys(given).sort()).toEqual(Object.keys(expected).sort());
      for (const [what, values] of Object.entries(expected))
        expectClose(
          given[what]!,
          values,
          run !== reference && what.startsWith("gradient") ? tolerances.float32Gradient : tolerances.golden,
          what,
          `golden ${name}`,
        );
    },
  );
});
