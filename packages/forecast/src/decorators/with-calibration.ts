import {
  type Awaitable,
  ConfigError,
  type DemandForecast,
  type ForecastColumn,
  type Forecaster,
  type ForecastOptions,
} from '@sageserve/core';
import { levelsOf } from '../assemble.js';
import { adaptiveQuantiles, SCORE_FLOOR, scoreOf } from '../conformal.js';
import { TOKEN_COLUMNS } from '../history.js';
import { normalQuantile } from '../numeric/normal.js';
import { asRolling, hourlyOrigins, type PastColumn, type RollingForecaster } from '../rolling.js';
import { whenKnown } from '../rolling-forecast.js';

export interface CalibrationOptions {
  /**
   * What a quantile is to cover: each `bucket` by itself (default), or the `peak`, the largest
   * bucket of the horizon, which is what capacity must carry. For the peak, all steps move
   * together, so that the largest value of a quantile is that quantile of the peak; its 0.5 is the
   * best guess of the peak, which the largest mean is not.
   */
  readonly target?: 'bucket' | 'peak';
  /** Hours of past forecasts that are learnt from; 168 by default. */
  readonly lookbackHours?: number;
  /**
   * Step of the adaptive working level (0–1); 0.05 by default. 0 leaves plain split conformal
   * prediction.
   */
  readonly rate?: number;
  /** Fewest past forecasts before quantiles are touched; 24 by default. */
  readonly fewest?: number;
}

/**
 * Puts quantiles right by past errors (adaptive conformal inference): where the share of actual
 * values under one of a forecaster's own quantiles is off, it is taken from how far its earlier
 * forecasts missed. Means stay. Until there are `fewest` errors its own quantiles stand.
 */
export function withCalibration(forecaster: Forecaster, options: CalibrationOptions = {}): RollingForecaster {
  const { target = 'bucket', lookbackHours = 168, rate = 0.05, fewest = 24 } = options;
  if (target !== 'bucket' && target !== 'peak')
    throw new ConfigError('target', `must be bucket or peak, not ${String(target)}`);
  for (const [name, value] of Object.entries({ lookbackHours, fewest }))
    if (!Number.isInteger(value) || value < 1)
      throw new ConfigError(name, `must be a whole number of 1 or more, not ${value}`);
  if (!(rate >= 0 && rate < 1)) throw new ConfigError('rate', `must be from 0 to under 1, not ${rate}`);
  const inner = asRolling(forecaster);
  return {
    name: `${forecaster.name}, calibrated`,
    minHistorySteps: forecaster.minHistorySteps,
    rolling: (history, origins, horizonSteps) => inner.rolling(history, origins, horizonSteps),
    forecast: (history, horizonSteps, forecastOptions?: ForecastOptions): Awaitable<DemandForecast> => {
      const levels = levelsOf(forecastOptions);
      const now = (): Awaitable<DemandForecast> => forecaster.forecast(history, horizonSteps, forecastOptions);
      const origins = hourlyOrigins(history, lookbackHours, 1);
      if (origins.length < fewest) return now();
      // The past first: all of it at once costs a forecaster less than the newest and then the
      // rest.
      return whenKnown(inner.rolling(history, origins, horizonSteps), (past) =>
        whenKnown(now(), (forecast) => {
          const columns = TOKEN_COLUMNS.map((name): Errors =>
            errorsOf(history[name], past[name], origins, horizonSteps, target),
          );
          const total = history.promptTokensPerS.map((value, t) => value + history.outputTokensPerS[t]);
          const both: PastColumn = {
            mean: past.promptTokensPerS.mean.map((value, i) => value + past.outputTokensPerS.mean[i]),
            deviation: past.promptTokensPerS.deviation.map((value, i) => value + past.outputTokensPerS.deviation[i]),
          };
          const whole = errorsOf(total, both, origins, horizonSteps, target);
          const settings = { levels, rate, window: lookbackHours, fewest };
          const [overall, changed] = calibrate(forecast, whole, settings);
          const [prompt] = calibrate(forecast.promptTokensPerS, columns[0], settings);
          const [output] = calibrate(forecast.outputTokensPerS, columns[1], settings);
          return {
            ...forecast,
            ...overall,
            promptTokensPerS: prompt,
            outputTokensPerS: output,
            method: changed ? `${forecast.method}; quantiles calibrated on ${whole.count} past hours` : forecast.method,
          };
        }),
      );
    },
  };
}

/** Past scores, one list for each step or one for all where the peak is the target. */
interface Errors {
  readonly scores: readonly (readonly number[])[];
  /** Each past error by its own deviation, over all steps; empty where the forecaster has none. */
  readonly standardized: readonly number[];
  readonly floor: number;
  /** The largest error, in tokens per second. */
  readonly worst: number;
  /** Past forecasts behind the scores. */
  readonly count: number;
}

function errorsOf(
  actual: Float64Array,
  past: PastColumn,
  origins: readonly number[],
  horizonSteps: number,
  target: 'bucket' | 'peak',
): Errors {
  let sum = 0;
  let seen = 0;
  for (const value of past.mean) {
    if (Number.isNaN(value)) continue;
    sum += value;
    seen++;
  }
  const floor = seen === 0 ? 0 : SCORE_FLOOR * (sum / seen);
  const standardized: number[] = [];
  let worst = 0;
  if (target === 'peak') {
    const scores: number[] = [];
    for (const [i, origin] of origins.entries()) {
      let peak = -Infinity;
      let forecast = -Infinity;
      for (let h = 0; h < horizonSteps; h++) {
        const value = actual[origin + h] ?? NaN;
        const mean = past.mean[i * horizonSteps + h];
        // A peak of which a bucket is missing is not known.
        if (Number.isNaN(value) || Number.isNaN(mean)) {
          peak = NaN;
          break;
        }
        if (value > peak) peak = value;
        if (mean > forecast) forecast = mean;
      }
      if (Number.isNaN(peak)) continue;
      scores.push(scoreOf(peak, forecast, floor));
      worst = Math.max(worst, Math.abs(peak - forecast));
    }
    return {
      scores: Array.from({ length: horizonSteps }, () => scores),
      standardized,
      floor,
      worst,
      count: scores.length,
    };
  }
  const scores = Array.from({ length: horizonSteps }, () => [] as number[]);
  for (const [i, origin] of origins.entries()) {
    for (let h = 0; h < horizonSteps; h++) {
      const value = actual[origin + h] ?? NaN;
      const mean = past.mean[i * horizonSteps + h];
      if (Number.isNaN(value) || Number.isNaN(mean)) continue;
      scores[h].push(scoreOf(value, mean, floor));
      worst = Math.max(worst, Math.abs(value - mean));
      const deviation = past.deviation[i * horizonSteps + h];
      if (deviation > 0) standardized.push((value - mean) / deviation);
    }
  }
  return { scores, standardized, floor, worst, count: scores[0].length };
}

interface Settings {
  readonly levels: readonly number[];
  readonly rate: number;
  readonly window: number;
  readonly fewest: number;
}

/** The column with its quantiles put right, and whether they had to be. */
function calibrate(
  column: ForecastColumn,
  errors: Errors,
  { levels, rate, window, fewest }: Settings,
): [ForecastColumn, boolean] {
  const keep = levels.map((level) => ownQuantileHolds(errors, level));
  // The floor is 0 for a column without demand, such as output tokens where only requests are
  // counted.
  if (errors.floor === 0 || keep.every(Boolean)) return [{ mean: column.mean, quantiles: column.quantiles }, false];
  const horizonSteps = column.mean.length;
  const quantiles = levels.map((level) => ({ level, values: new Float64Array(horizonSteps) }));
  let offsets: readonly number[] = [];
  let changed = false;
  for (let h = 0; h < horizonSteps; h++) {
    const scores = errors.scores[h];
    const enough = scores.length >= fewest;
    changed ||= enough;
    if (enough && scores !== errors.scores[h - 1]) offsets = adaptiveQuantiles(scores, levels, { window, rate });
    for (const [k, { values }] of quantiles.entries()) {
      const mean = column.mean[h];
      // A large share of a small forecast, once it is missed, is a small share of a large one: no
      // error is taken to grow beyond twice the worst that was seen.
      const offset =
        Math.min(WORST, Math.max(-WORST, (offsets[k] * (mean + errors.floor)) / errors.worst)) * errors.worst;
      const value = enough && !keep[k] && errors.worst > 0 ? mean + offset : column.quantiles[k].values[h];
      values[h] = Math.max(k === 0 ? 0 : quantiles[k - 1].values[h], value);
    }
  }
  return [{ mean: column.mean, quantiles }, changed];
}

/**
 * How far a forecaster's own share may be off, in standard errors: little, since a short past would
 * excuse much.
 */
const TOLERANCE = 0.5;

/** Offsets end here, in multiples of the largest past error. */
const WORST = 2;

/** Whether the share of past values under the forecaster's own quantile is close to its level. */
function ownQuantileHolds({ standardized, count }: Errors, level: number): boolean {
  if (standardized.length === 0) return false;
  const z = normalQuantile(level);
  let under = 0;
  for (const score of standardized) if (score <= z) under++;
  // Errors of one forecast come together: only forecasts are counted as independent.
  return Math.abs(under / standardized.length - level) <= TOLERANCE * Math.sqrt((level * (1 - level)) / count);
}
