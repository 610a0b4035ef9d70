import {
  type Awaitable,
  ConfigError,
  type DemandForecast,
  type ForecastColumn,
  type Forecaster,
} from '@sageserve/core';
import { whenKnown } from '../rolling-forecast.js';

export interface MarginOptions {
  /** Added as a share of the forecast: 0.15 forecasts 15 % more. */
  readonly share?: number;
  /** Added in tokens per second, to both columns in proportion to their part. */
  readonly tokensPerS?: number;
}

/** Adds headroom to every mean and quantile. */
export function withMargin(forecaster: Forecaster, options: MarginOptions): Forecaster {
  const { share = 0, tokensPerS = 0 } = options;
  for (const [name, value] of Object.entries({ share, tokensPerS }))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new ConfigError(name, `must be a number of 0 or more, not ${value}`);
  return {
    name: `${forecaster.name}, with margin`,
    minHistorySteps: forecaster.minHistorySteps,
    forecast: (history, horizonSteps, forecastOptions): Awaitable<DemandForecast> =>
      whenKnown(forecaster.forecast(history, horizonSteps, forecastOptions), (forecast) => {
        const parts = forecast.mean.map((mean, h) => (mean > 0 ? forecast.promptTokensPerS.mean[h] / mean : 1));
        const raise = (column: ForecastColumn, part: (h: number) => number): ForecastColumn => {
          const up = (values: Float64Array): Float64Array =>
            values.map((value, h) => value * (1 + share) + tokensPerS * part(h));
          return {
            mean: up(column.mean),
            quantiles: column.quantiles.map(({ level, values }) => ({ level, values: up(values) })),
          };
        };
        return {
          ...forecast,
          ...raise(forecast, () => 1),
          promptTokensPerS: raise(forecast.promptTokensPerS, (h) => parts[h]),
          outputTokensPerS: raise(forecast.outputTokensPerS, (h) => 1 - parts[h]),
          method:
            `${forecast.method}, ` +
            [share > 0 ? `+${Math.round(100 * share)} %` : '', tokensPerS > 0 ? `+${tokensPerS} tokens/s` : '']
              .filter(Boolean)
              .join(' '),
        };
      }),
  };
}
