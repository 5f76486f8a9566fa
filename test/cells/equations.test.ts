/** Every cell against float64 loops written by hand, and its gradient against central differences. */
import { describe, expect, it } from "vitest";
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import { type Loop, loops, type Vector } from "../support/cell-loops.ts";
import { type CellSettings, cellFeeds, cellProgram, names, outputSize, rounded } from "../support/cells.ts";
import { expectClose, tolerances } from "../support/close.ts";
import { checkGradients } from "../support/differences.ts";
import { backends, optimized, reference, type Values } from "../support/programs.ts";

const sizes = { batch: 3, time: 5 };
const lengths = [5, 0, 3];

/** All outputs of a layer of the cell, row by row and step by step. */
function byHand(name: string, loop: Loop, feeds: Values, settings: CellSettings): Record<string, Vector> {
  const cell = cells[name]!;
  const { inputSize, hiddenSize } = settings;
  const size = outputSize(cell, settings);
  const values: Record<string, Vector> = { sequence: [], last: [] };
  const vector = (parameter: string): Vector => Array.from(feeds[`0.forward.${parameter}`]!);
  const times = (parameter: string, v: Vector): Vector => {
    const matrix = vector(parameter);
    return Array.from({ length: matrix.length / v.length }, (_, i) =>
      v.reduce((sum, value, k) => sum + matrix[i * v.length + k]! * value, 0),
    );
  };
  for (let row = 0; row < sizes.batch; row++) {
    let states: Record<string, Vector> = Object.fromEntries(
      cell.states.map((state) => {
        const features = cell.stateSize(state, { inputSize, hiddenSize });
        return [state, Array.from(feeds[`initial.0.forward.${state}`]!).slice(row * features, (row + 1) * features)];
      }),
    );
    let output: Vector = cell.states.includes(cell.output)
      ? states[cell.output]!
      : Array.from({ length: size }, () => 0);
    for (let t = 0; t < sizes.time; t++) {
      if (t >= lengths[row]!) {
        values.sequence!.push(...Array.from({ length: size }, () => 0));
        continue;
      }
      const start = (row * sizes.time + t) * inputSize;
      const next = loop({ vector, times }, Array.from(feeds.x!).slice(start, start + inputSize), states);
      output = next[cell.output]!;
      values.sequence!.push(...output);
      states = Object.fromEntries(cell.states.map((state) => [state, next[state]!]));
    }
    values.last!.push(...output);
    for (const [state, value] of Object.entries(states)) {
      const path = `0.forward.${state}`;
      values[path] = [...(values[path] ?? []), ...value];
    }
  }
  return values;
}

it("has loops for every cell", () => {
  expect(Object.keys(loops).sort()).toEqual([...names].sort());
});

describe.each(names)("the equations of %s", (name) => {
  const cell = cells[name]!;
  // hiddenSize 5 is no multiple of a period or a lane count.
  const settings: CellSettings = { inputSize: 6, hiddenSize: 5, lengths: true };
  const program = cellProgram(cell, settings);
  const feeds = cellFeeds(cell, program, sizes, 3, { lengths });

  it.each([
    { name: "the float64 interpreter", form: program, run: reference, tolerance: tolerances.float64 },
    ...backends.map((backend) => ({ ...backend, form: optimized(program), tolerance: tolerances.float32 })),
  ])("give the hand-written outputs and states on $name", ({ form, run, tolerance }) => {
    const given = run(form, feeds, sizes);
    for (const [what, expected] of Object.entries(byHand(name, loops[name]!, feeds, settings)))
      expectClose(given[what]!, expected, tolerance, what, `hand-written, ${tolerance}`);
  });

  it.skipIf(rounded.has(name))("have the gradient that central differences have", () => {
    checkGradients(program, feeds, sizes, { coordinates: 2, label: `gradient check of ${name}` });
  });

  it("have in float32, through every pass, the gradient of the reference", () => {
    const form = optimized(program);
    const expected = reference(form, feeds, sizes);
    const given = backends[0]!.run(form, feeds, sizes);
    for (const [what, values] of Object.entries(expected)) {
      expect(values.every(Number.isFinite), what).toBe(true);
      expectClose(given[what]!, values, tolerances.float32Gradient, what, "float32");
    }
  });
});
