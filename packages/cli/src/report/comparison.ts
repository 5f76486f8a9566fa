/** A comparison of cells as people read it: errors beside the naive forecasts, what each cell costs, and the choice. */
import type { Candidate, Comparison, MeanSpread } from "recurra/tasks";
import { alignTable, clock, counted, short, whole } from "./numbers.ts";

export function comparisonText(comparison: Comparison): string {
  const { errors, costs, notes } = comparisonTables(comparison);
  return [alignTable(errors), alignTable(costs), ...notes, "", comparison.verdict, ""].join("\n");
}

export function comparisonMarkdown(comparison: Comparison, target: string): string {
  const { errors, costs, notes } = comparisonTables(comparison);
  const { source, report, failed } = comparison;
  const { train, validation, test } = report.windows;
  return [
    `# Cells compared: ${target} of ${source}`,
    "",
    comparison.verdict,
    "",
    ...markdownTable(errors),
    "",
    ...markdownTable(costs),
    "",
    ...[
      ...notes,
      `windows: ${whole(train)} for training, ${whole(validation)} for validation, ${whole(test)} for the test`,
      ...report.notes,
      ...failed.map(({ cell, seed, message }) => `${cell}, seed ${seed}, failed: ${message.replace(/\s+/g, " ")}`),
    ].map((note) => `- ${note.replace(/^\*/, "\\*")}`),
    "",
  ].join("\n");
}

function markdownTable(rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const [head, ...rest] = rows.map((row) => line(row.map((cell) => cell.replace(mark, " \\*"))));
  return [head!, line(rows[0]!.map((_, k) => (k === 0 ? "---" : "---:"))), ...rest];
}

/** Two tables: a head and rows, the first column of each naming the row. */
interface ComparisonTables {
  readonly errors: readonly (readonly string[])[];
  readonly costs: readonly (readonly string[])[];
  /** What the tables' numbers are. */
  readonly notes: readonly string[];
}

const mark = " *";

function comparisonTables(comparison: Comparison): ComparisonTables {
  const { candidates, baselines, choice, segment } = comparison;
  const chosen = choice?.kind === "cell" ? choice.cell : choice?.forecaster;
  const marked = (key: string, name: string) => `${name}${key === chosen ? mark : ""}`;
  const naive = (
    [
      ["seasonalNaive", "seasonal naive"],
      ["lastValue", "last value"],
    ] as const
  ).map(([key, name]) => {
    const { validation, test } = { validation: baselines.validation[key], test: baselines.test[key] };
    return [marked(key, name), ...[validation.mae, test.mae, test.rmse, test.mase].map(short)];
  });
  return {
    errors: [
      ["", "validation MAE", "test MAE", "test RMSE", "test MASE"],
      ...candidates.map(({ cell, validation, test }) => [
        marked(cell, cell),
        ...[validation.mae, test.mae, test.rmse, test.mase].map(withSpread),
      ]),
      ...naive,
    ],
    costs: [["", "parameters", "memory", "per epoch", "in all", "gradient reach"], ...candidates.map(costRow)],
    notes: [
      seedsInWords(candidates),
      `gradient reach: steps of the recurrence, of ${counted(segment, "timestep")} each, over which the gradient keeps a hundredth of itself, before → after training`,
      ...(chosen === undefined ? [] : ["* chosen, by validation MAE; the test part has no say"]),
    ],
  };
}

function costRow({ cell, parameters, memoryBytes, secondsPerEpoch, seconds, reach }: Candidate): readonly string[] {
  return [
    cell,
    whole(parameters),
    `${(memoryBytes / 2 ** 20).toFixed(1)} MiB`,
    `${Number(secondsPerEpoch.mean.toPrecision(2))} s`,
    clock(seconds.mean),
    `${steps(reach.before)} → ${steps(reach.after)} of ${reach.steps}`,
  ];
}

function withSpread({ mean, spread }: MeanSpread): string {
  if (spread === undefined || Number.isNaN(mean)) return short(mean);
  const decimals = /^-?[\d,]+\.?(\d*)$/.exec(short(mean))?.[1]?.length;
  return `${short(mean)} ± ${decimals === undefined ? short(spread) : spread.toFixed(decimals)}`;
}

function steps({ mean }: MeanSpread): string {
  return String(Math.round(10 * mean) / 10);
}

function seedsInWords(candidates: readonly Candidate[]): string {
  const lists = [...new Set(candidates.map(({ seeds }) => seeds.join(", ")))];
  const same = lists.length === 1 ? candidates[0]!.seeds : undefined;
  if (same === undefined) {
    const each = candidates.map(({ cell, seeds }) => `${cell} ${seeds.join(", ")}`);
    return `means over the seeds that were finished: ${each.join("; ")}`;
  }
  return same.length === 1
    ? `one seed, ${same[0]}`
    : `mean ± standard deviation over ${same.length} seeds: ${same.join(", ")}`;
}
