/** Samples from arrays: sequences of equal or unequal lengths, padded batch by batch, and what belongs to a whole sample. */
import { DataError } from "../base/errors.ts";
import type { Axis } from "../base/shapes.ts";
import type { Samples } from "./feed.ts";
import type { Batch } from "./model.ts";
import { lengthsInput } from "./programs.ts";

export interface SampleArrays {
  /** By input: for each sample an array with `size` numbers, default 1, for each step along `axis`, default "time". */
  readonly sequences?: Readonly<
    Record<string, { readonly rows: readonly ArrayLike<number>[]; readonly size?: number; readonly axis?: Axis }>
  >;
  /** By input: `size` numbers, default 1, for each sample. */
  readonly vectors?: Readonly<Record<string, { readonly values: ArrayLike<number>; readonly size?: number }>>;
}

export interface ArraySamples extends Samples {
  /** Steps of each sample along an axis, default "time": what `lengths` of `train` makes batches of like length by. */
  lengths(axis?: Axis): Int32Array;
}

/**
 * Samples for `train` and `meanLoss`. An axis of a batch is as long as the longest of its samples; behind the others stand zeros, and the
 * true lengths are fed beside them, as a network with `variableLengths` asks: "lengths", "lengths.AXIS" for others than time. Where all
 * samples are equally long a network need not have variable lengths.
 *
 *     const data = samplesOf({
 *       sequences: { x: { rows: [[1, 2, 3], [4, 5]] } },
 *       vectors: { y: { values: [0, 1] } },
 *     });
 *
 * @throws DataError when inputs have different numbers of samples, when a row is no whole number of steps, and when two inputs of one axis
 * differ in the length of a sample.
 */
export function samplesOf({ sequences = {}, vectors = {} }: SampleArrays): ArraySamples {
  const rowed = Object.entries(sequences).map(([name, { rows, size = 1, axis = "time" }]) => ({
    ...{ name, rows, size, axis },
    steps: Int32Array.from(rows, (row, sample) => stepsOf(row, size, name, sample)),
  }));
  const whole = Object.entries(vectors).map(([name, { values, size = 1 }]) => ({
    ...{ name, values, size },
    count: stepsOf(values, size, name),
  }));
  const counts = [...rowed.map(({ name, rows }) => ({ name, count: rows.length })), ...whole];
  const count = counts[0]?.count ?? 0;
  for (const other of counts) {
    if (other.count === count) continue;
    throw new DataError({
      where: `samples: "${other.name}"`,
      given: `${other.count} samples`,
      expected: `${count}, as many as "${counts[0]?.name}" has`,
      mend: "give every input all of the samples",
    });
  }
  const lengths = new Map<Axis, { readonly of: string; readonly steps: Int32Array }>();
  for (const { name, axis, steps } of rowed) {
    const known = lengths.get(axis);
    if (known === undefined) lengths.set(axis, { of: name, steps });
    else requireEqual({ name, steps }, known);
  }
  return {
    count,
    lengths: (axis = "time") => lengths.get(axis)?.steps ?? new Int32Array(count),
    batch(indices): Batch {
      const own = [...lengths].map(([axis, { steps }]) => [axis, Array.from(indices, (i) => steps[i]!)] as const);
      const sizes = Object.fromEntries(own.map(([axis, steps]) => [axis, Math.max(0, ...steps)]));
      const padded = rowed.map(({ name, rows, size, axis }) => {
        const width = sizes[axis]! * size;
        const values = new Float32Array(indices.length * width);
        indices.forEach((sample, row) => {
          values.set(rows[sample]!, row * width);
        });
        return [name, values] as const;
      });
      const single = whole.map(({ name, values, size }) => {
        const at = (k: number) => values[indices[Math.floor(k / size)]! * size + (k % size)]!;
        return [name, Float32Array.from({ length: indices.length * size }, (_, k) => at(k))] as const;
      });
      const ends = own.map(([axis, steps]) => [lengthsInput(axis), Float32Array.from(steps)] as const);
      return {
        sizes: { ...sizes, batch: indices.length },
        inputs: Object.fromEntries([...padded, ...single, ...ends]),
      };
    },
  };
}

function stepsOf(values: ArrayLike<number>, size: number, name: string, sample?: number): number {
  const steps = values.length / size;
  if (Number.isInteger(steps)) return steps;
  throw new DataError({
    where: `samples: "${name}"${sample === undefined ? "" : `, sample ${sample}`}`,
    given: `${values.length} numbers`,
    expected: `a multiple of ${size}`,
    mend: "give `size` numbers for each step or sample",
  });
}

function requireEqual(
  given: { readonly name: string; readonly steps: Int32Array },
  known: { readonly of: string; readonly steps: Int32Array },
): void {
  const sample = given.steps.findIndex((steps, i) => steps !== known.steps[i]);
  if (sample < 0) return;
  throw new DataError({
    where: `samples: "${given.name}", sample ${sample}`,
    given: `${given.steps[sample]} steps`,
    expected: `${known.steps[sample]}, as many as "${known.of}" has`,
    mend: "give both inputs the same steps, or an axis each",
  });
}
