import {
  type DemandForecast,
  type DemandSeries,
  type Forecaster,
  type ForecastColumn,
  SageServeError,
} from '@sageserve/core';
import { levelsOf } from '@sageserve/forecast';

/**
 * A forecaster that is told the truth: what `truth` says of the time that is asked for. For bounds
 * only; every quantile is the truth too.
 */
export function createForesightForecaster(truth: readonly DemandSeries[]): Forecaster {
  return {
    name: 'foresight',
    minHistorySteps: 0,
    forecast(history, horizonSteps, options): DemandForecast {
      const series = truth.find(
        ({ key }) => key.modelId === history.key.modelId && key.regionId === history.key.regionId,
      );
      const startMs = history.startMs + history.promptTokensPerS.length * history.stepMs;
      if (series !== undefined && series.stepMs !== history.stepMs)
        throw new SageServeError(
          'ERR_FORESIGHT_STEP',
          `the truth is in buckets of ${series.stepMs} ms, not of ${history.stepMs} ms`,
        );
      const first = series === undefined ? 0 : Math.round((startMs - series.startMs) / series.stepMs);
      const cut = (column: Float64Array | undefined): Float64Array =>
        Float64Array.from({ length: horizonSteps }, (_, h) => column?.[first + h] ?? 0);
      const levels = levelsOf(options);
      const column = (mean: Float64Array): ForecastColumn => ({
        mean,
        quantiles: levels.map((level) => ({ level, values: mean })),
      });
      const prompt = cut(series?.promptTokensPerS);
      const output = cut(series?.outputTokensPerS);
      return {
        ...column(prompt.map((tokens, h) => tokens + output[h]!)),
        startMs,
        stepMs: history.stepMs,
        promptTokensPerS: column(prompt),
        outputTokensPerS: column(output),
        method: 'foresight',
      };
    },
  };
}
