import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import { ConfigError, square } from '@sageserve/core';
import { type ColumnMethod, stepsPerDay } from './method.js';

/** What was seen one season ago comes again. A season of 1 is the last value. */
export function seasonalNaiveMethod(name: string, seasonOf: (stepMs: number) => number): ColumnMethod {
  return {
    name,
    minSteps: (stepMs) => checked(seasonOf(stepMs)),
    fit(values, { stepMs }) {
      const season = checked(seasonOf(stepMs));
      let sum = 0;
      for (let t = season; t < values.length; t++) sum += square(values[t] - values[t - season]);
      const rmse = values.length > season ? Math.sqrt(sum / (values.length - season)) : 0;
      return {
        parameters: { season, rmse },
        rolling(history, origins, horizon) {
          const out = new Float64Array(origins.length * horizon);
          for (const [i, origin] of origins.entries()) {
            for (let h = 0; h < horizon; h++) {
              const at = origin - season + (h % season);
              out[i * horizon + h] = at >= 0 ? history[at] : 0;
            }
          }
          return out;
        },
        standardDeviations: (horizon) =>
          Float64Array.from({ length: horizon }, (_, h) => rmse * Math.sqrt(1 + Math.floor(h / season))),
      };
    },
  };
}

function checked(season: number): number {
  if (!(Number.isSafeInteger(season) && season >= 1))
    throw new ConfigError('season', `must be a whole number of steps of 1 or more, not ${season}`);
  return season;
}

export interface SeasonalNaiveOptions extends ColumnForecasterOptions {
  /** `day` (default), `week`, or a number of steps; 1 is the last value. */
  readonly season?: 'day' | 'week' | number;
}

export function createSeasonalNaiveForecaster(options: SeasonalNaiveOptions = {}): RollingForecaster {
  const { season = 'day', ...rest } = options;
  if (season === 'day') return createColumnForecaster(seasonalNaiveMethod('seasonal-naive-day', stepsPerDay), rest);
  if (season === 'week')
    return createColumnForecaster(
      seasonalNaiveMethod('seasonal-naive-week', (stepMs) => 7 * stepsPerDay(stepMs)),
      rest,
    );
  return createColumnForecaster(
    seasonalNaiveMethod(season === 1 ? 'last-value' : `seasonal-naive-${season}`, () => season),
    rest,
  );
}
