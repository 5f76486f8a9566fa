/** Filling missing values, so that arithmetic stays finite while what was observed is recorded beside it. */

/**
 * Replaces NaN in place and returns how many there were. Linear interpolation between the neighbours that are there, the
 * nearest one at the ends; "previous" repeats the value before (at the start the first one) and so never
 * looks ahead. A column that is all NaN stays as it is.
 */
export function fillMissing(values: Float64Array, method: "linear" | "previous"): number {
  let missing = 0;
  let before = -1; // the last position that holds a value
  for (let t = 0; t < values.length; t++) {
    if (Number.isNaN(values[t])) {
      missing++;
      continue;
    }
    if (before < t - 1) fillGap(values, before, t, method);
    before = t;
  }
  if (before >= 0) values.fill(values[before]!, before + 1);
  return missing;
}

/** Fills the positions between `before` (−1: none) and `after`, which hold values. */
function fillGap(values: Float64Array, before: number, after: number, method: "linear" | "previous"): void {
  const end = values[after]!;
  const start = before < 0 ? end : values[before]!;
  for (let t = before + 1; t < after; t++) {
    const share = method === "linear" ? (t - before) / (after - before) : 0;
    values[t] = start + share * (end - start);
  }
}
