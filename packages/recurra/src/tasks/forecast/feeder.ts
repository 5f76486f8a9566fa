/** Windows as batches of the forecasting network: one row per window and target column, and the way back to original units. */
import { gatherTargets } from "../../data/gather.ts";
import type { Windows } from "../../data/windows.ts";
import type { Samples } from "../../train/feed.ts";
import type { Batch } from "../../train/model.ts";
import type { FeatureCounts } from "./network.ts";
import { type PreparedSet, toOriginalScale } from "./preparation.ts";
import type { Settings } from "./settings.ts";

/** Buffers are reused: a batch is valid until the next one is made. */
export class Feeder implements Samples {
  readonly windows: Windows;
  readonly #prepared: PreparedSet;
  readonly #settings: Settings;
  readonly #features: FeatureCounts;
  readonly #withFuture: boolean;
  #capacity = 0;
  #buffers = makeBuffers(0, 0, 0, 0, 0, 0, 0);

  /** `withFuture`: whether the windows' targets are known; without them batches serve prediction only. */
  constructor(prepared: PreparedSet, windows: Windows, settings: Settings, features: FeatureCounts, withFuture = true) {
    this.windows = windows;
    this.#prepared = prepared;
    this.#settings = settings;
    this.#features = features;
    this.#withFuture = withFuture;
  }

  get count(): number {
    return this.windows.count;
  }

  batch(picks: Int32Array): Batch {
    const { past, horizon, segment, outputSegment, window, season, masked } = this.#settings;
    const { targets, known, static: constant } = this.#features;
    const perStep = 1 + this.#features.past + known;
    const rows = picks.length * targets;
    this.#reserve(picks.length, perStep);
    const buffers = this.#buffers;
    const source = { matrices: this.#prepared.values, columns: targets };
    gatherTargets(
      source,
      this.windows,
      picks,
      window,
      {
        past: { buffer: buffers.gatheredPast, features: targets },
        ...(this.#withFuture ? { future: { buffer: buffers.gatheredFuture, features: targets } } : {}),
        offset: buffers.offset,
        scale: buffers.scale,
      },
      season,
    );
    for (let i = 0; i < picks.length; i++) {
      const series = this.windows.series[picks[i]!]!;
      const origin = this.windows.origin[picks[i]!]!;
      for (let column = 0; column < targets; column++) this.#fillRow(i, column, series, origin);
    }
    return {
      sizes: { batch: rows, time: past / segment, steps: horizon / outputSegment },
      inputs: {
        past: buffers.past.subarray(0, rows * past * perStep),
        channel: buffers.channel.subarray(0, rows),
        static: buffers.constant.subarray(0, rows * constant),
        known: buffers.known.subarray(0, rows * horizon * known),
        target: buffers.target.subarray(0, rows * horizon),
        ...(masked ? { mask: buffers.mask.subarray(0, rows * horizon) } : {}),
      },
    };
  }

  /** A value of the network's output for window `i` of the last batch, in original units. */
  restore(i: number, picks: Int32Array, column: number, step: number, value: number): number {
    const { targets } = this.#features;
    const { offset, scale } = this.#buffers;
    const slot = i * targets + column;
    const inNetworkScale = (value + this.#naive(i, column, step)) * scale[slot]! + offset[slot]!;
    const series = this.windows.series[picks[i]!]!;
    return toOriginalScale(inNetworkScale, this.#prepared.scales[series]!, column, this.#settings.scale);
  }

  /** What the network's output is added to, in the window's own scale. */
  #naive(i: number, column: number, step: number): number {
    const { past, season, residual } = this.#settings;
    if (residual === "none") return 0;
    const { targets } = this.#features;
    const at = (position: number) => this.#buffers.gatheredPast[(i * past + position) * targets + column]!;
    if (residual === "lastValue") return at(past - 1);
    const seasonal = (length: number) => at(past - length + (step % length));
    return residual === "seasonalNaive" ? seasonal(season) : (seasonal(season) + seasonal(7 * season)) / 2;
  }

  #fillRow(i: number, column: number, series: number, origin: number): void {
    const { past, horizon, masked } = this.#settings;
    const { targets, known, static: constant } = this.#features;
    const pastFeatures = this.#features.past - (masked ? 1 : 0);
    const perStep = 1 + this.#features.past + known;
    const { observed } = this.#prepared.set.series[series]!;
    const pastMatrix = this.#prepared.past[series]!;
    const knownMatrix = this.#prepared.known[series]!;
    const buffers = this.#buffers;
    const row = i * targets + column;
    buffers.channel[row] = column;
    let to = row * past * perStep;
    for (let step = 0; step < past; step++) {
      const t = origin - past + step;
      buffers.past[to++] = buffers.gatheredPast[(i * past + step) * targets + column]!;
      for (let k = 0; k < pastFeatures; k++) buffers.past[to++] = pastMatrix[t * pastFeatures + k]!;
      if (masked) buffers.past[to++] = observed === undefined ? 0 : 1 - observed[t * targets + column]!;
      for (let k = 0; k < known; k++) buffers.past[to++] = knownMatrix[t * known + k]!;
    }
    for (let k = 0; k < constant; k++) buffers.constant[row * constant + k] = this.#prepared.constant[series]![k]!;
    for (let step = 0; step < horizon; step++) {
      const slot = row * horizon + step;
      for (let k = 0; k < known; k++) buffers.known[slot * known + k] = knownMatrix[(origin + step) * known + k]!;
      if (!this.#withFuture) continue;
      buffers.target[slot] =
        buffers.gatheredFuture[(i * horizon + step) * targets + column]! - this.#naive(i, column, step);
      if (masked) buffers.mask[slot] = observed === undefined ? 1 : observed[(origin + step) * targets + column]!;
    }
  }

  #reserve(windows: number, perStep: number): void {
    if (windows <= this.#capacity) return;
    const { past, horizon } = this.#settings;
    const { targets, known, static: constant } = this.#features;
    this.#capacity = windows;
    this.#buffers = makeBuffers(windows, targets, past, horizon, perStep, known, constant);
  }
}

function makeBuffers(
  windows: number,
  targets: number,
  past: number,
  horizon: number,
  perStep: number,
  known: number,
  constant: number,
) {
  const rows = windows * targets;
  return {
    gatheredPast: new Float32Array(rows * past),
    gatheredFuture: new Float32Array(rows * horizon),
    offset: new Float64Array(rows),
    scale: new Float64Array(rows),
    past: new Float32Array(rows * past * perStep),
    channel: new Float32Array(rows),
    constant: new Float32Array(rows * constant),
    known: new Float32Array(rows * horizon * known),
    target: new Float32Array(rows * horizon),
    mask: new Float32Array(rows * horizon),
  };
}
