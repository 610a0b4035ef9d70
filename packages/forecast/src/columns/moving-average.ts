import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import { ConfigError } from '@sageserve/core';
import type { ColumnMethod } from './method.js';

/** The mean of the last `window` values. */
export function movingAverageMethod(window = 6): ColumnMethod {
  if (!(Number.isInteger(window) && window >= 1 && window <= 1_000_000))
    throw new ConfigError('window', `must be a whole number from 1 to 1000000 steps, not ${window}`);
  return {
    name: `moving-average-${window}`,
    minSteps: () => window,
    fit: () => ({
      parameters: { window },
      rolling(history, origins, horizon) {
        const out = new Float64Array(origins.length * horizon);
        for (const [i, origin] of origins.entries()) {
          const from = Math.max(0, origin - window);
          let sum = 0;
          for (let t = from; t < origin; t++) sum += history[t];
          out.fill(origin > from ? sum / (origin - from) : 0, i * horizon, (i + 1) * horizon);
        }
        return out;
      },
    }),
  };
}

export function createMovingAverageForecaster({
  window,
  ...options
}: { readonly window?: number } & ColumnForecasterOptions = {}): RollingForecaster {
  return createColumnForecaster(movingAverageMethod(window), options);
}
