import { describe, expect, it } from "vitest";
import { tableFromColumns } from "../../data/make-table.ts";
import type { SeriesOptions } from "../../data/roles.ts";
import { readSeries } from "../../data/series.ts";
import { splitSeries } from "../../data/split.ts";
import { planWindows } from "../../data/windows.ts";
import { Feeder } from "./feeder.ts";
import { featureCounts, fitPreparation, type PreparedSet, prepare, toOriginalScale } from "./preparation.ts";
import { resolveSettings, type Settings } from "./settings.ts";
import type { ForecastOptions } from "./types.ts";

const hours = (count: number) => Array.from({ length: count }, (_, t) => new Date(Date.UTC(2024, 0, 1, t)));
const shares = { train: 0.5, validation: 0.25, test: 0.25 };

/** Twenty timesteps: horizon 2, past 4, season 2; training ends at timestep 10. */
function ready(columns: Record<string, unknown[]>, more: Partial<ForecastOptions> = {}) {
  const options: ForecastOptions & SeriesOptions = {
    target: "y",
    horizon: 2,
    past: 4,
    season: 2,
    segment: 2,
    window: "none",
    ...more,
  };
  const all = readSeries(tableFromColumns(columns, "data.csv"), options);
  const masked = all.series.some(({ observed }) => observed !== undefined);
  const settings = resolveSettings(options, all.interval, masked);
  const { set, split } = splitSeries(all, shares, settings);
  const { preparation } = fitPreparation(set, split, settings);
  const { prepared, notes } = prepare(set, preparation, settings);
  const features = featureCounts(preparation, settings);
  return { settings, split, preparation, prepared, notes, features };
}

const y = Array.from({ length: 20 }, (_, t) => (t < 10 ? t : 1000 + t * t));

describe("fitPreparation", () => {
  it("sees the training part only", () => {
    const { preparation } = ready({ y, x: y }, { pastCovariates: ["x"] });
    const deviation = Math.sqrt(99 / 12); // of 0 … 9
    expect(preparation.series[0]?.mean).toEqual([4.5]);
    expect(preparation.series[0]?.deviation[0]).toBeCloseTo(deviation, 12);
    expect(preparation.series[0]?.naiveError).toEqual([2]); // |y(t) − y(t − 2)|
    expect(preparation.pastScaler.mean).toEqual([4.5]);
    expect(preparation.pastScaler.deviation[0]).toBeCloseTo(deviation, 12);
  });

  it("knows the categories of the training part, and one for all others", () => {
    const shop = Array.from({ length: 20 }, (_, t) => (t < 10 ? (t % 2 === 0 ? "a" : "b") : "c"));
    const { preparation, features, prepared } = ready({ y, shop }, { pastCovariates: ["shop"], categorical: ["shop"] });
    expect(preparation.pastCategories).toEqual([{ column: "shop", values: ["a", "b"] }]);
    expect(features).toEqual({ targets: 1, past: 3, known: 0, static: 0 });
    const oneHot = (t: number) => Array.from(prepared.past[0]!.subarray(3 * t, 3 * t + 3));
    expect([oneHot(0), oneHot(1), oneHot(12)]).toEqual([
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
    ]);
  });
});

describe("prepare", () => {
  it.each(["standard", "log", "none"] as const)("is undone by toOriginalScale on the %s scale", (scale) => {
    const positive = y.map((value) => value + 1);
    const { prepared, settings } = ready({ y: positive }, { scale });
    const back = Array.from(prepared.values[0]!, (value) =>
      toOriginalScale(value, prepared.scales[0]!, 0, settings.scale),
    );
    for (const [t, value] of back.entries()) expect(value).toBeCloseTo(positive[t]!, 8);
  });

  it("scales a series it does not know by its own history, and says so", () => {
    const { preparation, settings } = ready({ id: y.map(() => "a"), y }, { series: "id" });
    const other = tableFromColumns({ id: y.map(() => "b"), y: y.map((_, t) => (t % 2 === 0 ? 90 : 110)) });
    const { prepared, notes } = prepare(readSeries(other, { target: "y", series: "id" }), preparation, settings);
    expect(notes).toEqual(["not seen in training, scaled by their own history: b"]);
    expect(Array.from(prepared.values[0]!.subarray(0, 3))).toEqual([-1, 1, -1]);
  });

  it("continues the calendar over the horizon, and leaves covariates that are not known as NaN", () => {
    const { prepared, features } = ready({ date: hours(20), y, x: y }, { futureCovariates: ["x"], calendar: ["hour"] });
    const width = features.known;
    const rows = prepared.known[0]!.length / width;
    expect(rows).toBe(22);
    const row = (t: number) => Array.from(prepared.known[0]!.subarray(t * width, (t + 1) * width));
    expect(row(21)[0]).toBeNaN();
    expect(row(21).slice(1).every(Number.isFinite)).toBe(true);
    expect(row(21).slice(1)).not.toEqual(row(20).slice(1));
  });
});

/** The inputs of the windows of a part as plain numbers. */
function batchOf(
  prepared: PreparedSet,
  settings: Settings,
  features: ReturnType<typeof featureCounts>,
  split: Parameters<typeof planWindows>[0],
) {
  const windows = planWindows(split, "train", settings);
  const feeder = new Feeder(prepared, windows, settings, features);
  const picks = Int32Array.of(0, 1);
  const batch = feeder.batch(picks);
  const plain = Object.fromEntries(
    Object.entries(batch.inputs).map(([name, values]) => [name, Array.from(values as Float32Array)]),
  );
  return { sizes: batch.sizes, inputs: plain, feeder, picks };
}

describe("Feeder", () => {
  it("gives one row per window and target column: the past with its features, and the future to learn", () => {
    const columns = { y, z: y.map((value) => -value), x: y.map((_, t) => 100 + t) };
    const { prepared, settings, features, split } = ready(columns, {
      target: ["y", "z"],
      pastCovariates: ["x"],
      scale: "none",
    });
    const { sizes, inputs } = batchOf(prepared, settings, features, split);
    expect(sizes).toEqual({ batch: 4, time: 2, steps: 1 });
    expect(inputs["channel"]).toEqual([0, 1, 0, 1]);
    const own = inputs["past"]!.filter((_, i) => i % 2 === 0);
    expect(own.map((value) => value + 0)).toEqual([0, 1, 2, 3, 0, -1, -2, -3, 1, 2, 3, 4, -1, -2, -3, -4]);
    const covariate = inputs["past"]!.filter((_, i) => i % 2 === 1).map(
      (value) => Math.round(value * Math.sqrt(99 / 12) + 4.5) + 0,
    );
    expect(covariate).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4]);
    expect(inputs["target"]).toEqual([4, 5, -4, -5, 5, 6, -5, -6]);
    expect(inputs["mask"]).toBeUndefined();
  });

  it.each(["season", "standard"] as const)(
    "gives windows asked for again the same numbers, normalised by %s",
    (window) => {
      const { prepared, settings, features, split } = ready({ y }, { window });
      const windows = planWindows(split, "train", settings);
      const given = (feeder: Feeder, ...picks: number[]) =>
        Object.values(feeder.batch(Int32Array.from(picks)).inputs).map((values) => Array.from(values));
      const fresh = (...picks: number[]) => given(new Feeder(prepared, windows, settings, features), ...picks);
      const feeder = new Feeder(prepared, windows, settings, features);
      for (const picks of [
        [0, 1],
        [1, 2],
        [2, 0],
        [0, 1],
      ])
        expect(given(feeder, ...picks)).toEqual(fresh(...picks));
    },
  );

  it("marks filled values in the past, and leaves them out of what is learned", () => {
    const gappy = y.map((value, t) => (t === 2 || t === 5 ? null : value));
    const { prepared, settings, features, split } = ready({ y: gappy }, { scale: "none" });
    const { inputs } = batchOf(prepared, settings, features, split);
    const marks = inputs["past"]!.filter((_, i) => i % 2 === 1);
    expect(marks).toEqual([0, 0, 1, 0, 0, 1, 0, 0]);
    expect(inputs["mask"]).toEqual([1, 0, 0, 1]);
  });

  it.each([
    ...(["none", "last", "season", "mean", "standard"] as const).map((window) => ({ window })),
    { residual: "lastValue" },
    { residual: "seasonalNaive" },
    { residual: "seasonalNaive", window: "standard", scale: "log" },
    { residual: "seasonalBlend", past: 14, scale: "none", window: "last" },
  ] as const)("restores what was to be learned to the original values: %j", (choice) => {
    const positive = Array.from({ length: 40 }, (_, t) => 10 + 3 * Math.sin(t) + t / 10);
    const { prepared, settings, features, split } = ready({ y: positive }, { segment: 2, ...choice });
    const { inputs, feeder, picks } = batchOf(prepared, settings, features, split);
    for (let i = 0; i < 2; i++) {
      for (let step = 0; step < 2; step++) {
        const restored = feeder.restore(i, picks, 0, step, inputs["target"]![2 * i + step]!);
        expect(restored).toBeCloseTo(positive[settings.past + i + step]!, 4);
      }
    }
  });
});
