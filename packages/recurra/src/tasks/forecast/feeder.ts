/** Windows as batches of the forecasting network: one row per window and target column, and the way back to original units. */
import { copyColumn, windowOffset, windowScale } from "../../data/gather.ts";
import type { Windows } from "../../data/windows.ts";
import type { Samples } from "../../train/feed.ts";
import type { Batch } from "../../train/model.ts";
import type { FeatureCounts } from "./network.ts";
import { type PreparedSet, toOriginalScale } from "./preparation.ts";
import type { Settings } from "./settings.ts";

/** Numbers of all rows of a batch, `perRow` of each. */
interface Part {
  readonly buffer: Float32Array;
  readonly perRow: number;
}

interface Buffers
  extends Readonly<Record<"past" | "channel" | "constant" | "known" | "target" | "mask", Float32Array>> {
  readonly offset: Float64Array;
  readonly scale: Float64Array;
  /** Those of the inputs that have any numbers. */
  readonly parts: readonly Part[];
  /** Numbers of a row in all of them. */
  readonly width: number;
}

/** Bytes that the rows of all windows may take: with past and future of 160 steps those of 100,000 windows. */
const mostKept = 2 ** 26;

/**
 * Buffers are reused: a batch is valid until the next one is made. Every epoch asks for each window again: what a row holds is worked
 * out once where there is room for the rows of all windows, and what it is normalised by in any case.
 */
export class Feeder implements Samples {
  readonly windows: Windows;
  readonly #prepared: PreparedSet;
  readonly #settings: Settings;
  readonly #features: FeatureCounts;
  readonly #withFuture: boolean;
  /** Numbers of a step of the past: the target, what else is known of the past, and what is known of all time. */
  readonly #perStep: number;
  /** Of each window and target column, NaN until it is asked for. */
  readonly #offsets: Float64Array;
  readonly #scales: Float64Array;
  /** Of each window and target column, the numbers of its row in all buffers, one behind the other; undefined without room for them. */
  readonly #kept: Float32Array | undefined;
  /** The last one; the next of as many rows is the same views of the buffers. */
  #batch: Batch | undefined;
  #capacity = 0;
  #buffers: Buffers;

  /** `withFuture`: whether the windows' targets are known; without them batches serve prediction only. */
  constructor(prepared: PreparedSet, windows: Windows, settings: Settings, features: FeatureCounts, withFuture = true) {
    this.windows = windows;
    this.#prepared = prepared;
    this.#settings = settings;
    this.#features = features;
    this.#perStep = 1 + features.past + features.known;
    this.#withFuture = withFuture;
    this.#buffers = this.#makeBuffers(0);
    this.#offsets = new Float64Array(windows.count * features.targets);
    this.#scales = new Float64Array(windows.count * features.targets).fill(Number.NaN);
    const numbers = this.#scales.length * this.#buffers.width;
    if (withFuture && 4 * numbers <= mostKept) this.#kept = new Float32Array(numbers);
  }

  get count(): number {
    return this.windows.count;
  }

  batch(picks: Int32Array): Batch {
    const { targets } = this.#features;
    this.#reserve(picks.length);
    for (let i = 0; i < picks.length; i++)
      for (let column = 0; column < targets; column++) this.#takeRow(i * targets + column, column, picks[i]!);
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

  #takeRow(row: number, column: number, pick: number): void {
    const slot = pick * this.#features.targets + column;
    const isNew = Number.isNaN(this.#scales[slot]);
    if (isNew || this.#kept === undefined) this.#fillRow(row, column, pick);
    if (this.#kept === undefined) return;
    const { parts, width, offset, scale } = this.#buffers;
    let at = slot * width;
    for (const { buffer, perRow } of parts) {
      if (isNew) copy(buffer, row * perRow, this.#kept, at, perRow);
      else copy(this.#kept, at, buffer, row * perRow, perRow);
      at += perRow;
    }
    offset[row] = this.#offsets[slot]!;
    scale[row] = this.#scales[slot]!;
  }

  #fillRow(row: number, column: number, pick: number): void {
    const series = this.windows.series[pick]!;
    const origin = this.windows.origin[pick]!;
    const { past, horizon, masked } = this.#settings;
    const { targets, known, static: constant } = this.#features;
    const pastFeatures = this.#features.past - (masked ? 1 : 0);
    const { observed } = this.#prepared.set.series[series]!;
    const buffers = this.#buffers;
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
    this.#batch = undefined;
    this.#capacity = windows;
    this.#buffers = this.#makeBuffers(windows * this.#features.targets);
  }

  #makeBuffers(rows: number): Buffers {
    const { past, horizon, masked } = this.#settings;
    const { known, static: constant } = this.#features;
    const parts: Part[] = [];
    const part = (perRow: number) => {
      const buffer = new Float32Array(rows * perRow);
      if (perRow > 0) parts.push({ buffer, perRow });
      return buffer;
    };
    return {
      offset: new Float64Array(rows),
      scale: new Float64Array(rows),
      past: part(past * this.#perStep),
      channel: part(1),
      constant: part(constant),
      known: part(horizon * known),
      target: part(horizon),
      mask: part(masked ? horizon : 0),
      parts,
      width: parts.reduce((sum, { perRow }) => sum + perRow, 0),
    };
  }
}

function copy(from: Float32Array, at: number, to: Float32Array, start: number, count: number): void {
  for (let i = 0; i < count; i++) to[start + i] = from[at + i]!;
}
