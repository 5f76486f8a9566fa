/** `recurra/tasks`: whole applications. Forecasting. */
export { loadForecaster, trainForecaster } from "../tasks/forecast/run.ts";
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
  ForecastResult,
  ForecastRow,
  ForecastRun,
  LoadForecaster,
  Part,
  PreparationReport,
  Residual,
  Scores,
  TrainForecaster,
  WindowNormalization,
  WindowView,
} from "../tasks/forecast/types.ts";
