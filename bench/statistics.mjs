/** Medians and their kin: what a run of unequal timings says. */

export function quantile(numbers, level) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (sorted.length - 1) * level;
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below + (above - below) * (at - Math.floor(at));
}

export const median = (numbers) => quantile(numbers, 0.5);

/** Median, and the quartiles between which half of all timings lie. */
export function summary(milliseconds) {
  return {
    medianMs: median(milliseconds),
    lowerMs: quantile(milliseconds, 0.25),
    upperMs: quantile(milliseconds, 0.75),
    samples: milliseconds.length,
  };
}

/**
 * How many times as long `slow` takes as `fast`: the median over the rounds in which both took their turn, so that a machine that is slower for a
 * while is slower for both.
 */
export function ratioOf(slow, fast) {
  const ratios = slow.rounds.flatMap((ms, round) => {
    const other = fast.rounds[round];
    return ms == null || other == null ? [] : [ms / other];
  });
  return ratios.length === 0 ? slow.medianMs / fast.medianMs : median(ratios);
}

export function geometricMean(numbers) {
  return Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
}
