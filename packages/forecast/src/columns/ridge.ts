import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import { ConfigError, MS_PER_DAY } from '@sageserve/core';
import { leastSquares } from '../numeric/least-squares.js';
import { type ColumnContext, type ColumnMethod, stepsPerDay, weekdayOf } from './method.js';

export interface RidgeOptions {
  /** Penalty as a share of each feature's sum of squares; 0.001 by default. */
  readonly penalty?: number;
}

/** Lags of the newest values. */
const RECENT = [1, 2, 3, 6];
const DAILY_WAVES = 3;

/**
 * One ridge regression for each step ahead on the newest values, the same time on earlier days and
 * a week ago, how these days stood at the time of the forecast, and the calendar (time of day,
 * weekend). Direct: no forecast is fed back.
 */
export function ridgeMethod(options: RidgeOptions): ColumnMethod {
  const { penalty = 1e-3 } = options;
  if (!(penalty >= 0 && Number.isFinite(penalty)))
    throw new ConfigError('penalty', `must be a number of 0 or more, not ${penalty}`);
  return {
    name: 'ridge',
    minSteps: (stepMs) => 3 * stepsPerDay(stepMs),
    fit(values, context) {
      const features = featuresOf(values.length, context, stepsPerDay(context.stepMs));
      const byStep = new Map<number, Float64Array | undefined>();
      // One regression a step ahead, fitted when a forecast first reaches so far.
      const coefficients = (h: number): Float64Array | undefined => {
        if (!byStep.has(h)) byStep.set(h, regress(values, features, h, penalty));
        return byStep.get(h);
      };
      const scratch = new Float64Array(features.count);
      return {
        parameters: { penalty, features: features.count },
        rolling(history, origins, horizon) {
          const out = new Float64Array(origins.length * horizon);
          for (const [i, origin] of origins.entries()) {
            for (let h = 0; h < horizon; h++) {
              const beta = origin >= features.reach ? coefficients(h) : undefined;
              if (beta === undefined) {
                out[i * horizon + h] = origin > 0 ? history[origin - 1] : 0;
                continue;
              }
              features.write(history, origin, h, scratch, 0);
              for (let c = 0; c < beta.length; c++) out[i * horizon + h] += beta[c] * scratch[c];
            }
          }
          return out;
        },
      };
    },
  };
}

interface Features {
  readonly count: number;
  /** Values that must lie before an origin. */
  readonly reach: number;
  write(values: Float64Array, origin: number, h: number, out: Float64Array, at: number): void;
}

function featuresOf(length: number, { startMs, stepMs }: ColumnContext, day: number): Features {
  const week = 7 * day;
  const days = [1, 2];
  // A week's lag needs a second week to be learnt from.
  const weekly = length >= week + 3 * day;
  const lags = [...days.map((d) => d * day), ...(weekly ? [week] : [])];
  const count = 1 + RECENT.length + 1 + 3 * lags.length + 2 * DAILY_WAVES + 1;
  return {
    count,
    reach: lags.at(-1)! + RECENT.at(-1)!,
    write(values, origin, h, out, at) {
      let c = at;
      out[c++] = 1;
      for (const lag of RECENT) out[c++] = values[origin - lag];
      let hour = 0;
      for (let k = 1; k <= 6; k++) hour += values[origin - k] / 6;
      out[c++] = hour;
      for (const lag of lags) {
        // A horizon beyond a season looks as many seasons back as it takes.
        const seasons = Math.floor(h / lag);
        const target = origin + h - lag * (1 + seasons);
        out[c++] = values[target];
        out[c++] = (values[Math.max(0, target - 1)] + values[target] + values[Math.min(origin - 1, target + 1)]) / 3;
        out[c++] = values[origin - 1 - lag];
      }
      const ms = startMs + (origin + h) * stepMs;
      const angle = (2 * Math.PI * (ms % MS_PER_DAY)) / MS_PER_DAY;
      for (let k = 1; k <= DAILY_WAVES; k++) {
        out[c++] = Math.sin(k * angle);
        out[c++] = Math.cos(k * angle);
      }
      const weekday = weekdayOf(ms);
      out[c] = weekday === 0 || weekday === 6 ? 1 : 0;
    },
  };
}

function regress(values: Float64Array, features: Features, h: number, penalty: number): Float64Array | undefined {
  const first = features.reach;
  const rows = values.length - h - first;
  if (rows < features.count) return undefined;
  const x = new Float64Array(rows * features.count);
  for (let r = 0; r < rows; r++) features.write(values, first + r, h, x, r * features.count);
  return leastSquares(x, values.subarray(first + h), features.count, penalty);
}

export function createRidgeForecaster(options: RidgeOptions & ColumnForecasterOptions = {}): RollingForecaster {
  return createColumnForecaster(ridgeMethod(options), options);
}
