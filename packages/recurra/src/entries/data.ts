/** recurra/data: tables, series, splits, scalers, windows and calendar features; vocabularies and padding. */
export {
  type CalendarFeature,
  calendarColumns,
  calendarFeatures,
  calendarMatrix,
  chooseCalendar,
} from "../data/calendar.ts";
export {
  type Categories,
  categoryCount,
  encodeCategories,
  fitCategories,
  fitRoleCategories,
  unknownCategory,
} from "../data/categories.ts";
export {
  gatherTargets,
  type Slot,
  type Source,
  type TargetSlots,
  varianceEpsilon,
  type WindowNormalization,
} from "../data/gather.ts";
export { onlySeries } from "../data/grid.ts";
export {
  addSteps,
  continueTimes,
  formatInterval,
  type Interval,
  inferInterval,
  intervalMs,
  stepsBetween,
} from "../data/interval.ts";
export { tableFromColumns, tableFromRows } from "../data/make-table.ts";
export type { Roles, SeriesOptions } from "../data/roles.ts";
export {
  type FitStretch,
  fitCovariateScaler,
  fitScaler,
  fitTargetScalers,
  type Scaler,
  scale,
  unscale,
} from "../data/scaler.ts";
export { defaultSeason } from "../data/season.ts";
export { readSeries, type Series, type SeriesSet } from "../data/series.ts";
export {
  dropShortSeries,
  type Part,
  type SeriesSplit,
  type Split,
  type SplitOptions,
  type Stretch,
  splitSeries,
} from "../data/split.ts";
export { parseCategories, parseScaler, parseVocabulary } from "../data/stored.ts";
export {
  type Column,
  cellLabel,
  findColumn,
  labelsOf,
  numbersOf,
  rowLabel,
  type Table,
  timesOf,
} from "../data/table.ts";
export { formatTime, parseTime } from "../data/time.ts";
export {
  decodeTokens,
  encodeTokens,
  fitVocabulary,
  type Padded,
  padSequences,
  type Vocabulary,
  type VocabularyOptions,
} from "../data/vocabulary.ts";
export {
  forecastWindows,
  planAllWindows,
  planWindows,
  type WindowOptions,
  type Windows,
} from "../data/windows.ts";
