/** What is known of a trained model besides its weights: plain data, the content of model.json. */
import type { Split } from "../../data/split.ts";
import type { FeatureCounts } from "./network.ts";
import type { Preparation } from "./preparation.ts";
import type { Settings } from "./settings.ts";
import type { ForecastOptions, PreparationReport, Scores } from "./types.ts";

/** How the model came to be. Plain data. */
export interface ModelRecord {
  readonly source: string;
  readonly report: PreparationReport;
  readonly split: Split;
  readonly epochs: readonly { readonly epoch: number; readonly loss: number; readonly validationLoss: number }[];
  readonly best: { readonly epoch: number; readonly validationLoss: number };
  readonly stopped: string;
  readonly metrics: { readonly validation: Scores; readonly test: Scores } | undefined;
  readonly verdict: string;
}

/** Everything in model.json. */
export interface ForecastModelFile {
  readonly format: "recurra-model";
  readonly version: 1;
  readonly task: "forecast";
  readonly options: ForecastOptions;
  readonly settings: Settings;
  readonly features: FeatureCounts;
  readonly preparation: Preparation;
  readonly record: ModelRecord;
}
