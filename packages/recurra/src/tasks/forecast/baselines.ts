/** Naive forecasts: what every model has to beat. */

/** The targets of one series, [timesteps, columns] row by row. */
export interface History {
  readonly values: ArrayLike<number>;
  readonly columns: number;
}

/**
 * Last value: every step of the horizon is the value just before the origin. Writes [horizon, columns].
 * `origin` is the first timestep of the forecast, at least 1.
 */
export function lastValueForecast(
  { values, columns }: History,
  origin: number,
  horizon: number,
  into: Float64Array,
): void {
  for (let step = 0; step < horizon; step++) {
    for (let k = 0; k < columns; k++) into[step * columns + k] = values[(origin - 1) * columns + k]!;
  }
}

/**
 * Seasonal naive: each step repeats the latest known value at the same place in the season. Writes [horizon, columns].
 *
 *     ŷ(origin + h) = y(origin + h − season · ⌈(h + 1) / season⌉),   h = 0 … horizon − 1
 *
 * It may look back further than the model's past. Before a whole season is known it is the last value.
 */
export function seasonalNaiveForecast(
  history: History,
  origin: number,
  season: number,
  horizon: number,
  into: Float64Array,
): void {
  if (origin < season) {
    lastValueForecast(history, origin, horizon, into);
    return;
  }
  const { values, columns } = history;
  for (let step = 0; step < horizon; step++) {
    const from = origin - season + (step % season);
    for (let k = 0; k < columns; k++) into[step * columns + k] = values[from * columns + k]!;
  }
}

/**
 * The scale of MASE: mean |y(t) − y(t − season)| of each column over [start, end), both times inside. [columns]
 * Entries with an unobserved end are left out; NaN when there is none, as in a stretch not longer than a season.
 */
export function seasonalNaiveError(
  { values, columns }: History,
  { start, end }: { readonly start: number; readonly end: number },
  season: number,
  observed?: Uint8Array,
): Float64Array {
  return Float64Array.from({ length: columns }, (_, k) => {
    let [sum, count] = [0, 0];
    for (let t = start + season; t < end; t++) {
      const [now, before] = [t * columns + k, (t - season) * columns + k];
      if (observed !== undefined && (observed[now] !== 1 || observed[before] !== 1)) continue;
      sum += Math.abs(values[now]! - values[before]!);
      count++;
    }
    return count === 0 ? Number.NaN : sum / count;
  });
}
