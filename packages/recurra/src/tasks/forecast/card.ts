/** The model card: what the model is, what it was trained on and how well it does, for people. */
import type { ForecastModelFile } from "./record.ts";
import type { ErrorTable, Scores } from "./types.ts";

export function modelCard(file: ForecastModelFile, parameters: number): string {
  const { settings, preparation, record } = file;
  const lines = [
    `# Forecast of ${preparation.targets.join(", ")}, ${settings.horizon} timesteps ahead`,
    "",
    `A ${settings.cell} network of recurra: hidden size ${settings.hiddenSize}, depth ${settings.depth}, ${parameters} parameters. It looks back on`,
    `${settings.past} timesteps in segments of ${settings.segment} and forecasts ${settings.horizon} at once.`,
    "",
    "## Data",
    "",
    `- Source: ${record.source}`,
    `- Series: ${record.report.seriesCount}, ${record.report.timesteps} timesteps in all, season ${record.report.season}`,
    `- Windows: ${record.report.windows.train} for training, ${record.report.windows.validation} for validation, ${record.report.windows.test} for the test`,
    ...record.report.notes.map((note) => `- ${note}`),
    "",
    "## Preparation",
    "",
    `- Scale: ${settings.scale}; each window: ${settings.window}; residual on: ${settings.residual}`,
    `- Calendar: ${settings.calendar.length === 0 ? "none" : settings.calendar.join(", ")}`,
    "",
    "## Training",
    "",
    `- Loss ${settings.loss}${settings.quantiles.length > 0 ? ` and quantiles ${settings.quantiles.join(", ")}` : ""}, Adam at ${settings.learningRate}, batches of ${settings.batchSize} windows, seed ${settings.seed}`,
    `- ${record.epochs.length} epochs (stopped by: ${record.stopped}), best validation loss ${format(record.best.validationLoss)} in epoch ${record.best.epoch}`,
    "",
    ...(record.metrics === undefined
      ? []
      : [
          ...scoreTable("Validation", record.metrics.validation),
          ...scoreTable("Test", record.metrics.test),
          record.verdict,
          "",
        ]),
  ];
  return lines.join("\n");
}

function scoreTable(title: string, scores: Scores): string[] {
  const row = (name: string, { mae, rmse, smape, mase }: ErrorTable) => [name, ...[mae, rmse, smape, mase].map(format)];
  const rows = [
    ["", "MAE", "RMSE", "sMAPE %", "MASE"],
    row("model", scores.model),
    row("seasonal naive", scores.seasonalNaive),
    row("last value", scores.lastValue),
  ];
  const widths = rows[0]!.map((_, k) => Math.max(...rows.map((cells) => cells[k]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, k) => (k === 0 ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!))).join(" | ")} |`;
  const rule = widths.map((width, k) => (k === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [`## ${title}`, "", line(rows[0]!), line(rule), ...rows.slice(1).map(line), ""];
}

/** Four digits, also where the last ones are zeros, so that a column can be compared at a glance. */
function format(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9)) return value.toExponential(2);
  return value.toLocaleString("en-US", { minimumSignificantDigits: value === 0 ? 1 : 4, maximumSignificantDigits: 4 });
}
