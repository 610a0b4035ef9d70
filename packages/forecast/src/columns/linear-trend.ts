import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import { ConfigError, square } from '@sageserve/core';
import type { ColumnMethod } from './method.js';

const FEWEST = 6;

/** A straight line by least squares through the last `window` values, drawn on. */
export function linearTrendMethod(window = 36): ColumnMethod {
  if (!(Number.isInteger(window) && window >= 2 && window <= 1_000_000))
    throw new ConfigError('window', `must be a whole number from 2 to 1000000 steps, not ${window}`);
  return {
    name: `linear-trend-${window}`,
    // Two points make a line, but not a trend.
    minSteps: () => FEWEST,
    fit: () => ({
      parameters: { window },
      rolling(history, origins, horizon) {
        const out = new Float64Array(origins.length * horizon);
        for (const [i, origin] of origins.entries()) {
          const n = Math.min(window, origin);
          if (n === 0) continue;
          const middle = (n - 1) / 2;
          let level = 0;
          let slope = 0;
          let spread = 0;
          for (let k = 0; k < n; k++) {
            const value = history[origin - n + k];
            level += value / n;
            slope += (k - middle) * value;
            spread += square(k - middle);
          }
          if (spread > 0) slope /= spread;
          for (let h = 0; h < horizon; h++) out[i * horizon + h] = level + slope * (n + h - middle);
        }
        return out;
      },
    }),
  };
}

export function createLinearTrendForecaster({
  window,
  ...options
}: { readonly window?: number } & ColumnForecasterOptions = {}): RollingForecaster {
  return createColumnForecaster(linearTrendMethod(window), options);
}
