/**
 * Training on sequences without end: the batch's rows are streams that go on from chunk to chunk, the states carried over, and
 * gradients reach back only so far (truncated backpropagation through time).
 */
import { DataError, OptionError } from "../base/errors.ts";
import type { Batch, CarriedState } from "./model.ts";

/** One step of training on streams. */
export interface Chunk {
  /** What is trained on; its states are put in by the loop. */
  readonly batch: Batch;
  /** Timesteps between the states at hand and the batch: run through without training. */
  readonly before?: Batch;
  /** From the start of the batch to that of the next, where they overlap. Without it the next begins where this ends. */
  readonly onward?: Batch;
  /** The states begin at 0: of all rows, or of those marked. Default: they are carried on. */
  readonly fresh?: boolean | readonly boolean[];
}

/** Chunks in the order of time. States begin at 0 with the first. */
export interface Continuous {
  readonly count: number;
  chunk(index: number): Chunk;
}

export interface ContinuousOptions {
  /** One long sequence by input: `values` holds `size` numbers for each timestep. All are equally long. */
  readonly sequences: Readonly<Record<string, { readonly values: ArrayLike<number>; readonly size: number }>>;
  /** The sequence is cut into so many parts of equal length, which are the rows; what is left over at its end is not used. */
  readonly batchSize: number;
  /** k₁: timesteps from one step of the optimizer to the next. */
  readonly every: number;
  /** k₂: timesteps that the gradient reaches back at most. Default: k₁. */
  readonly reach?: number;
  /**
   * An input [batch, time, 1] that is fed 1 where a timestep counts in the loss and 0 elsewhere: only the last k₁ of a batch do,
   * so that each counts once. Needed where k₂ is larger than k₁.
   */
  readonly mask?: string;
  /** Where states begin at 0 again: timesteps of the long sequence, at the starts of chunks of the row. Default: nowhere. */
  readonly resetAt?: readonly number[];
}

/**
 * BPTT(k₂; k₁) of Williams and Peng 1990: every k₁ timesteps one step, whose gradient goes back k₂ timesteps and ends there. With
 * k₁ = k₂, the usual case, each timestep is computed once; with k₂ > k₁ batches overlap, and states are moved on by the weights of
 * before the step; with k₂ < k₁ only the last k₂ of every k₁ timesteps are trained on.
 * @throws OptionError or DataError when sequences are too short or counts are none.
 */
export function continuous(options: ContinuousOptions): Continuous {
  const { sequences, batchSize, every, reach = every, mask, resetAt = [] } = options;
  for (const [name, given] of Object.entries({ batchSize, every, reach })) {
    if (Number.isInteger(given) && given >= 1) continue;
    throw new OptionError({
      where: `continuous: ${name}`,
      given: String(given),
      expected: "1, 2, 3, …",
      mend: "count in whole timesteps and rows",
    });
  }
  if (reach > every && mask === undefined) {
    throw new OptionError({
      where: "continuous: mask",
      given: "missing",
      expected: "the name of an input",
      mend: "batches overlap when the reach is longer than what lies between steps: mask the loss, so that nothing counts twice",
    });
  }
  const timesteps = lengthOf(sequences);
  const rowLength = Math.floor(timesteps / batchSize);
  const count = Math.floor(rowLength / every);
  if (count === 0) {
    throw new DataError({
      where: "continuous: the sequence",
      given: `${timesteps} timesteps`,
      expected: `at least ${batchSize * every}, ${every} for each of ${batchSize} rows`,
      mend: "give a longer sequence, fewer rows or shorter chunks",
    });
  }
  const window = (start: number, end: number, counting = end - start): Batch => ({
    sizes: { batch: batchSize, time: end - start },
    inputs: {
      ...Object.fromEntries(
        Object.entries(sequences).map(([name, { values, size }]) => [
          name,
          rows(batchSize, (end - start) * size, (row, i) => values[(row * rowLength + start) * size + i]!),
        ]),
      ),
      ...(mask === undefined
        ? {}
        : { [mask]: rows(batchSize, end - start, (_, t) => (t >= end - start - counting ? 1 : 0)) }),
    },
  });
  const startOf = (index: number) => Math.max(0, (index + 1) * every - reach);
  const resets = new Set(resetAt);
  return {
    count,
    chunk(index) {
      const [start, end] = [startOf(index), (index + 1) * every];
      const from = reach > every ? start : index * every;
      const fresh = Array.from({ length: batchSize }, (_, row) => resets.has(row * rowLength + from));
      const next = startOf(index + 1);
      return {
        batch: window(start, end, Math.min(every, end - start)),
        ...(start > from ? { before: window(from, start) } : {}),
        // While the window still begins at the first timestep its states stay at 0.
        ...(reach > every ? { onward: window(start, next) } : {}),
        ...(fresh.includes(true) ? { fresh } : {}),
      };
    },
  };
}

/** The states with which a chunk begins. */
export function freshStates(state: CarriedState, { fresh, batch }: Chunk): CarriedState {
  if (fresh === undefined || fresh === false) return state;
  if (fresh === true) return {};
  const size = batch.sizes["batch"] ?? 1;
  return Object.fromEntries(
    Object.entries(state).map(([name, values]) => {
      const features = values.length / size;
      return [name, values.map((value, i) => (fresh[Math.floor(i / features)] === true ? 0 : value))];
    }),
  );
}

function rows(count: number, length: number, value: (row: number, i: number) => number): Float32Array {
  return Float32Array.from({ length: count * length }, (_, at) => value(Math.floor(at / length), at % length));
}

function lengthOf(sequences: ContinuousOptions["sequences"]): number {
  const lengths = Object.entries(sequences).map(([name, { values, size }]) => ({ name, length: values.length / size }));
  const first = lengths[0];
  for (const { name, length } of lengths) {
    if (Number.isInteger(length) && length === first?.length) continue;
    throw new DataError({
      where: `continuous: sequence "${name}"`,
      given: `${length} timesteps`,
      expected: `${first?.length}, as many as "${first?.name}"`,
      mend: "give every input the same timesteps",
    });
  }
  return first?.length ?? 0;
}
