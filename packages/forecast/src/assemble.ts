import {
  ConfigError,
  type DemandForecast,
  type DemandSeries,
  type ForecastColumn,
  type ForecastOptions,
} from '@sageserve/core';
import { normalQuantile } from './numeric/normal.js';

export const DEFAULT_QUANTILE_LEVELS: readonly number[] = [0.1, 0.5, 0.8, 0.9, 0.95];

/**
 * The levels that were asked for, in ascending order. Throws `ConfigError` for one that is not
 * between 0 and 1, or is there twice.
 */
export function levelsOf(options: ForecastOptions | undefined): readonly number[] {
  const levels = [...(options?.quantileLevels ?? DEFAULT_QUANTILE_LEVELS)].sort((a, b) => a - b);
  for (const [i, level] of levels.entries()) {
    if (!(level > 0 && level < 1))
      throw new ConfigError('quantileLevels', `holds levels between 0 and 1, not ${level}`);
    if (level === levels[i - 1]) throw new ConfigError('quantileLevels', `holds ${level} twice`);
  }
  return levels;
}

const MOST_STEPS = 1_000_000;

/**
 * Throws `ConfigError` unless `steps` is a whole number of 1 or more, and no more than anybody
 * plans for.
 */
export function checkHorizon(steps: number): void {
  if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS)
    throw new ConfigError('horizonSteps', `must be a whole number from 1 to ${MOST_STEPS}, not ${steps}`);
}

/** Means and deviations of one column. */
export interface Spread {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** A column whose error is taken to be normal; nothing under 0. */
function normalColumn({ mean, deviation }: Spread, levels: readonly number[]): ForecastColumn {
  return {
    mean,
    quantiles: levels.map((level) => {
      const z = normalQuantile(level);
      return { level, values: mean.map((m, h) => Math.max(0, m + z * deviation[h])) };
    }),
  };
}

/**
 * A forecast from both columns, whose errors are taken to come together: the spread of the sum is
 * the sum of spreads.
 */
export function normalForecast(
  history: DemandSeries,
  prompt: Spread,
  output: Spread,
  levels: readonly number[],
  method: string,
): DemandForecast {
  const total: Spread = {
    mean: prompt.mean.map((m, h) => m + output.mean[h]),
    deviation: prompt.deviation.map((d, h) => d + output.deviation[h]),
  };
  return {
    ...timesOf(history),
    ...normalColumn(total, levels),
    promptTokensPerS: normalColumn(prompt, levels),
    outputTokensPerS: normalColumn(output, levels),
    method,
  };
}

/** Where a forecast made at the end of `history` begins. */
function timesOf(history: DemandSeries): { readonly startMs: number; readonly stepMs: number } {
  return { startMs: history.startMs + history.promptTokensPerS.length * history.stepMs, stepMs: history.stepMs };
}
