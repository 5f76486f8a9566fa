/** What layers check of what they are given. */
import { OptionError } from "../base/errors.ts";
import type { Cell } from "../trace/cell.ts";

/** @throws OptionError for a size that is missing or no positive whole number. */
export function checkSizes(layer: string, sizes: Readonly<Record<string, number | undefined>>): void {
  for (const [name, given] of Object.entries(sizes)) {
    if (Number.isInteger(given) && given! >= 1) continue;
    throw new OptionError({
      where: `${layer}: ${name}`,
      given: given === undefined ? "missing" : String(given),
      expected: "1, 2, 3, …",
      mend: "give a positive whole number",
    });
  }
}

/** @throws OptionError for what is no cell, as the name of one. */
export function checkCell(layer: string, cell: Cell): void {
  const given: unknown = cell;
  if (typeof given === "object" && given !== null && "bind" in given) return;
  throw new OptionError({
    where: `${layer}: cell`,
    given: given === undefined ? "missing" : JSON.stringify(given),
    expected: "a cell",
    mend:
      typeof given === "string"
        ? `give the cell itself: import { cells } from "recurra/cells", then cells["${given}"]`
        : 'import one from "recurra/cells", or write your own with defineCell',
  });
}
