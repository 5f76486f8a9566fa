/** The check that all layers make of the sizes they are given. */
import { OptionError } from "../base/errors.ts";

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
