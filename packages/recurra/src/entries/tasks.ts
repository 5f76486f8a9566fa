/** `recurra/tasks`: whole applications. Forecasting. */
export { type CompareCells, type CompareEvent, type CompareOptions, compareCells } from "../tasks/forecast/compare.ts";
export type {
  Candidate,
  CellRun,
  Choice,
  Comparison,
  FailedRun,
  MeanSpread,
  Measure,
} from "../tasks/forecast/comparison.ts";
export { loadForecaster, planForecast, trainForecaster } from "../tasks/forecast/run.ts";
export type {
  BacktestOrigin,
  BacktestResult,
  CalendarFeature,
  ErrorTable,
  EvaluationResult,
  ForecastEvent,
  Forecaster,
  Forecasters,
  ForecastOptions,
  ForecastPlan,
  ForecastResult,
  ForecastRow,
  ForecastRun,
  LoadForecaster,
  Part,
  PlanForecast,
  PreparationReport,
  Residual,
  Scores,
  TrainForecaster,
  WeightAverage,
  WindowNormalization,
  WindowView,
} from "../tasks/forecast/types.ts";
