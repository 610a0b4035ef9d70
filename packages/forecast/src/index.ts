export { bias, coverage, mase, pinballLoss, quantile, seasonalNaiveError, smape, wape } from './accuracy.js';
export { checkHorizon, DEFAULT_QUANTILE_LEVELS, levelsOf } from './assemble.js';
export { type AutoOptions, createAutoForecaster, defaultAlternatives, defaultMembers } from './auto.js';
export {
  type Accuracy,
  backtest,
  BACKTEST_LEVELS,
  type BacktestOptions,
  type BacktestResult,
  poolBacktests,
} from './backtest.js';
export { type ColumnForecasterOptions, createColumnForecaster } from './column-forecaster.js';
export { armaLogLikelihood, type ArmaPolynomials } from './numeric/arma.js';
export {
  type ArimaForecasterOptions,
  type ArimaCoefficients,
  arimaMethod,
  type ArimaModel,
  type ArimaOptions,
  type ArimaOrder,
  createArimaForecaster,
  fitArima,
} from './columns/arima.js';
export { autoArimaMethod, type AutoArimaOptions, createAutoArimaForecaster } from './columns/auto-arima.js';
export {
  createHoltWintersForecaster,
  createSimpleSmoothingForecaster,
  fitSmoothing,
  holtWintersMethod,
  type HoltWintersOptions,
  type SmoothingFitOptions,
  type SmoothingForm,
  type SmoothingModel,
  type SmoothingStart,
  type SmoothingWeights,
} from './columns/exponential-smoothing.js';
export {
  createHarmonicForecaster,
  type Cycle,
  fitHarmonics,
  harmonicMethod,
  type HarmonicOptions,
  type HarmonicRegression,
} from './columns/harmonic.js';
export { createLinearTrendForecaster } from './columns/linear-trend.js';
export { type ColumnContext, type ColumnMethod, type ColumnModel, stepsPerDay, weekdayOf } from './columns/method.js';
export { createMovingAverageForecaster } from './columns/moving-average.js';
export {
  createMstlForecaster,
  decomposeSeasons,
  type MstlForecasterOptions,
  type MstlOptions,
  type MultipleDecomposition,
} from './columns/mstl.js';
export { createRidgeForecaster, type RidgeOptions } from './columns/ridge.js';
export { createSeasonalNaiveForecaster, type SeasonalNaiveOptions } from './columns/seasonal-naive.js';
export { decompose, type Decomposition, type StlOptions, type StlWindows, stlWindows } from './columns/stl.js';
export { type CalibrationOptions, withCalibration } from './decorators/with-calibration.js';
export { withFallback } from './decorators/with-fallback.js';
export { type MarginOptions, withMargin } from './decorators/with-margin.js';
export { createEnsembleForecaster, type EnsembleOptions } from './ensemble.js';
export { checkHistory, fillGaps, firstObserved, ForecastHistoryError, observedSteps, sliceHistory } from './history.js';
export { hourlyOrigins, type PastColumn, type PastForecasts, type RollingForecaster } from './rolling.js';
export {
  createWorkerForecaster,
  type WorkerForecaster,
  type WorkerForecasterOptions,
} from './worker/worker-forecaster.js';
