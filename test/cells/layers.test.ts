/** Every cell in layers: stacked, in both directions, with unequal lengths, and cut in two parts with the state carried over. */
import { describe, expect, it } from "vitest";
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import { type CellSettings, cellFeeds, cellProgram, names, statesOf } from "../support/cells.ts";
import { expectClose, tolerances } from "../support/close.ts";
import { backends, reference, type Values } from "../support/programs.ts";

const sizes = { batch: 3, time: 5 };
const lengths = [5, 2, 0];
// 6 features, in any direction, can be values, observations and gaps.
const [inputSize, hiddenSize] = [6, 6];
const engines = [
  { name: "the float64 interpreter", run: reference, tolerance: tolerances.float64 },
  { ...backends.at(-1)!, tolerance: tolerances.float32 },
];

/** Some rows and steps of [batch, time, features]. */
const part = (values: ArrayLike<number>, row: number, from: number, to: number) => {
  const features = values.length / sizes.batch / sizes.time;
  return Array.from(values).slice((row * sizes.time + from) * features, (row * sizes.time + to) * features);
};

describe.each(names)("a layer of %s", (name) => {
  const cell = cells[name]!;

  it.each(engines)(
    "gives padded rows what each gives alone: 2 deep, both directions, on $name",
    ({ run, tolerance }) => {
      const settings: CellSettings = { inputSize, hiddenSize, depth: 2, direction: "both" };
      const padded = cellProgram(cell, { ...settings, lengths: true });
      const feeds = cellFeeds(cell, padded, sizes, 4, { lengths });
      const together = run(padded, feeds, sizes);
      const alone = cellProgram(cell, settings);
      lengths.forEach((time, row) => {
        const own: Values = Object.fromEntries(
          Object.entries(feeds).map(([input, values]) => {
            if (input === "x" || input === "mask v") return [input, part(values, row, 0, time)];
            const perRow = values.length / sizes.batch;
            const hasRows = input.startsWith("initial.") || input.startsWith("mask u.");
            return [input, hasRows ? Array.from(values).slice(row * perRow, (row + 1) * perRow) : values];
          }),
        );
        const expected = run(alone, own, { batch: 1, time });
        expectClose(part(together.sequence!, row, 0, time), expected.sequence!, tolerance, `sequence of row ${row}`);
        expect(part(together.sequence!, row, time, sizes.time).every((value) => value === 0)).toBe(true);
        for (const what of ["last", ...statesOf(cell, settings)]) {
          const size = expected[what]!.length;
          expectClose(together[what]!.slice(row * size, (row + 1) * size), expected[what]!, tolerance, what);
        }
      });
    },
  );

  it.each(engines)("gives in two parts with carried states what it gives whole, on $name", ({ run, tolerance }) => {
    const settings: CellSettings = { inputSize, hiddenSize, depth: 2 };
    const program = cellProgram(cell, settings);
    const feeds = cellFeeds(cell, program, sizes, 5);
    const whole = run(program, feeds, sizes);
    const cut = (from: number, to: number, states: Values) => {
      const own = Object.fromEntries(
        ["x", "mask v"].map((input) => [input, [0, 1, 2].flatMap((row) => part(feeds[input]!, row, from, to))]),
      );
      return run(program, { ...feeds, ...own, ...states }, { batch: sizes.batch, time: to - from });
    };
    const states = statesOf(cell, settings);
    const head = cut(0, 2, {});
    const tail = cut(2, sizes.time, Object.fromEntries(states.map((state) => [`initial.${state}`, head[state]!])));
    const rows = [0, 1, 2].flatMap((row) => part(whole.sequence!, row, 2, sizes.time));
    expectClose(tail.sequence!, rows, tolerance, "sequence");
    for (const what of ["last", ...states]) expectClose(tail[what]!, whole[what]!, tolerance, what);
  });
});
