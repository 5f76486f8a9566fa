/** Windows as batches of the forecasting network: one row per window and target column, and the way back to original units. */
import { copyColumn, windowOffset, windowScale } from "../../data/gather.ts";
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
  /** Numbers of a step of the past: the target, what else is known of the past, and what is known of all time. */
  readonly #perStep: number;
  /** Of each window and target column, NaN until it is asked for: every epoch asks again. */
  readonly #offsets: Float64Array;
  readonly #scales: Float64Array;
  /** The last one; the next of as many rows is the same views of the buffers. */
  #batch: Batch | undefined;
  #capacity = 0;
  #buffers = makeBuffers(0, 0, 0, 0, 0, 0);

  /** `withFuture`: whether the windows' targets are known; without them batches serve prediction only. */
  constructor(prepared: PreparedSet, windows: Windows, settings: Settings, features: FeatureCounts, withFuture = true) {
    this.windows = windows;
    this.#prepared = prepared;
    this.#settings = settings;
    this.#features = features;
    this.#perStep = 1 + features.past + features.known;
    this.#withFuture = withFuture;
    this.#offsets = new Float64Array(windows.count * features.targets);
    this.#scales = new Float64Array(windows.count * features.targets).fill(Number.NaN);
  }

  get count(): number {
    return this.windows.count;
  }

  batch(picks: Int32Array): Batch {
    const { targets } = this.#features;
    this.#reserve(picks.length);
    for (let i = 0; i < picks.length; i++)
      for (let column = 0; column < targets; column++) this.#fillRow(i, column, picks[i]!);
    if (this.#batch?.sizes["batch"] !== picks.length * targets) this.#batch = this.#batchOf(picks.length * targets);
    return this.#batch;
  }

  #batchOf(rows: number): Batch {
    const { past, horizon, segment, outputSegment, masked } = this.#settings;
    const { known, static: constant } = this.#features;
    const buffers = this.#buffers;
    return {
      sizes: { batch: rows, time: past / segment, steps: horizon / outputSegment },
      inputs: {
        past: buffers.past.subarray(0, rows * past * this.#perStep),
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
    const inNetworkScale = (value + this.#naive(slot, step)) * scale[slot]! + offset[slot]!;
    const series = this.windows.series[picks[i]!]!;
    return toOriginalScale(inNetworkScale, this.#prepared.scales[series]!, column, this.#settings.scale);
  }

  /** What the network's output is added to, in the window's own scale. */
  #naive(row: number, step: number): number {
    const { past, season, residual } = this.#settings;
    if (residual === "none") return 0;
    const at = (position: number) => this.#buffers.past[(row * past + position) * this.#perStep]!;
    if (residual === "lastValue") return at(past - 1);
    const seasonal = (length: number) => at(past - length + (step % length));
    return residual === "seasonalNaive" ? seasonal(season) : (seasonal(season) + seasonal(7 * season)) / 2;
  }

  #fillRow(i: number, column: number, pick: number): void {
    const series = this.windows.series[pick]!;
    const origin = this.windows.origin[pick]!;
    const { past, horizon, masked } = this.#settings;
    const { targets, known, static: constant } = this.#features;
    const pastFeatures = this.#features.past - (masked ? 1 : 0);
    const { observed } = this.#prepared.set.series[series]!;
    const buffers = this.#buffers;
    const row = i * targets + column;
    buffers.channel[row] = column;
    this.#fillTarget(row, column, pick, series, origin);
    const knownMatrix = this.#prepared.known[series]!;
    if (this.#perStep > 1) {
      const pastMatrix = this.#prepared.past[series]!;
      for (let step = 0; step < past; step++) {
        const t = origin - past + step;
        let to = (row * past + step) * this.#perStep + 1;
        for (let k = 0; k < pastFeatures; k++) buffers.past[to++] = pastMatrix[t * pastFeatures + k]!;
        if (masked) buffers.past[to++] = observed === undefined ? 0 : 1 - observed[t * targets + column]!;
        for (let k = 0; k < known; k++) buffers.past[to++] = knownMatrix[t * known + k]!;
      }
    }
    for (let k = 0; k < constant; k++) buffers.constant[row * constant + k] = this.#prepared.constant[series]![k]!;
    for (let k = 0; k < horizon * known; k++)
      buffers.known[row * horizon * known + k] = knownMatrix[origin * known + k]!;
    if (!masked || !this.#withFuture) return;
    for (let step = 0; step < horizon; step++)
      buffers.mask[row * horizon + step] = observed === undefined ? 1 : observed[(origin + step) * targets + column]!;
  }

  /** Past and future of the target, normalised by its past. */
  #fillTarget(row: number, column: number, pick: number, series: number, origin: number): void {
    const { past, horizon, window, season, residual } = this.#settings;
    const { targets } = this.#features;
    const { offset, scale, past: inputs, target } = this.#buffers;
    const from = { matrix: this.#prepared.values[series]!, columns: targets, column };
    const known = pick * targets + column;
    if (Number.isNaN(this.#scales[known])) {
      this.#offsets[known] = windowOffset(from, origin, past, window, season);
      this.#scales[known] = windowScale(from, origin, past, window, this.#offsets[known]!);
    }
    const subtracted = this.#offsets[known]!;
    const divisor = this.#scales[known]!;
    offset[row] = subtracted;
    scale[row] = divisor;
    copyColumn(from, origin - past, past, subtracted, divisor, inputs, row * past * this.#perStep, this.#perStep);
    if (!this.#withFuture) return;
    copyColumn(from, origin, horizon, subtracted, divisor, target, row * horizon, 1);
    if (residual === "none") return;
    for (let step = 0; step < horizon; step++) target[row * horizon + step]! -= this.#naive(row, step);
  }

  #reserve(windows: number): void {
    if (windows <= this.#capacity) return;
    const { past, horizon } = this.#settings;
    const { targets, known, static: constant } = this.#features;
    this.#batch = undefined;
    this.#capacity = windows;
    this.#buffers = makeBuffers(windows * targets, past, horizon, this.#perStep, known, constant);
  }
}

function makeBuffers(rows: number, past: number, horizon: number, perStep: number, known: number, constant: number) {
  return {
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
