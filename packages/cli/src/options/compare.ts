/** The options of a comparison: those of a forecast, with lists of cells and seeds in the place of one of each. */
import { OptionError, unknownName } from "recurra";
import { cells } from "recurra/cells";
import type { CompareOptions } from "recurra/tasks";
import { forecastGroups, parseForecastOptions } from "./forecast.ts";
import { names, type Parse, seed } from "./values.ts";

/** Texts as they were given. */
export interface CompareFlags {
  readonly cells?: string;
  readonly seeds?: string;
}

const defaults = { cells: "rnn,gru,lstm", seeds: "1,2,3" } as const;

export const compareRows = [
  { flags: "--cells <NAMES>", help: `cells to train, between commas (default: ${defaults.cells})` },
  { flags: "--seeds <LIST>", help: `each cell is trained once with each (default: ${defaults.seeds})` },
] as const;

/** What is offered beside them; `--cell` and `--seed` have no place. */
export const compareGroups: typeof forecastGroups = Object.fromEntries(
  Object.entries(forecastGroups).map(([heading, fields]) => [
    heading,
    fields.filter((field) => field !== "cell" && field !== "seed"),
  ]),
);

/** @throws OptionError naming the flag. */
export function parseCompareOptions(
  given: Parameters<typeof parseForecastOptions>[0],
  flags: CompareFlags,
): CompareOptions {
  return {
    ...parseForecastOptions(given),
    cells: cellNames("--cells", flags.cells ?? defaults.cells),
    seeds: seeds("--seeds", flags.seeds ?? defaults.seeds),
  };
}

const cellNames: Parse<readonly string[]> = (flag, given) =>
  names(flag, given).map((name) => {
    if (Object.hasOwn(cells, name)) return name;
    throw unknownName(flag, name, Object.keys(cells));
  });

const seeds: Parse<readonly number[]> = (flag, given) => {
  const all = given.split(",").map((text) => seed(flag, text));
  const twice = all.find((one, k) => all.indexOf(one) !== k);
  if (twice === undefined) return all;
  throw new OptionError({
    where: flag,
    given,
    expected: `each seed once, not ${twice} again`,
    mend: "the same seed repeats the run exactly and would tell nothing new",
  });
};
