import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import { ConfigError, MS_PER_HOUR, square } from '@sageserve/core';
import { leastSquares } from '../numeric/least-squares.js';
import { type ArimaModel, type ArimaOrder, fitArima } from './arima.js';
import { type ColumnMethod, type ColumnModel, stepsPerDay, weekdayOf } from './method.js';

/** A cycle, and how many of its sines and cosines are used. */
export interface Cycle {
  /** In steps. */
  readonly period: number;
  readonly harmonics: number;
}

/** A regression on waves. */
export interface HarmonicRegression {
  readonly coefficients: Float64Array;
  readonly sigma2: number;
  /** The regression's value at each step from `from` on; step 0 is the first that was fitted. */
  values(from: number, count: number): Float64Array;
}

/**
 * Least squares on a constant, a line per thousand steps where `trend` is set, and the waves of
 * each cycle: sine then cosine, harmonic by harmonic.
 */
export function fitHarmonics(values: Float64Array, cycles: readonly Cycle[], trend: boolean): HarmonicRegression {
  const columns = 1 + (trend ? 1 : 0) + cycles.reduce((sum, { harmonics }) => sum + 2 * harmonics, 0);
  const row = (t: number, out: Float64Array, at: number): void => {
    let c = at;
    out[c++] = 1;
    if (trend) out[c++] = t / 1_000;
    for (const { period, harmonics } of cycles) {
      for (let k = 1; k <= harmonics; k++) {
        const angle = (2 * Math.PI * k * (t % period)) / period;
        out[c++] = Math.sin(angle);
        out[c++] = Math.cos(angle);
      }
    }
  };
  const n = values.length;
  const x = new Float64Array(n * columns);
  for (let t = 0; t < n; t++) row(t, x, t * columns);
  const coefficients = leastSquares(x, values, columns);
  let sse = 0;
  for (let t = 0; t < n; t++) {
    let fitted = 0;
    for (let c = 0; c < columns; c++) fitted += x[t * columns + c] * coefficients[c];
    sse += square(values[t] - fitted);
  }
  const scratch = new Float64Array(columns);
  return {
    coefficients,
    sigma2: sse / Math.max(1, n - columns),
    values(from, count) {
      const out = new Float64Array(count);
      for (let i = 0; i < count; i++) {
        row(from + i, scratch, 0);
        for (let c = 0; c < columns; c++) out[i] += scratch[c] * coefficients[c];
      }
      return out;
    },
  };
}

export interface HarmonicOptions {
  /** Waves of the day; 6 by default. */
  readonly dailyHarmonics?: number;
  /** Fit the logarithm, for demand whose noise grows with it: the default. */
  readonly logarithm?: boolean;
  /**
   * Days of the week (0 is Sunday) that have a shape of their own, once one has been seen; Saturday
   * and Sunday by default.
   */
  readonly weekend?: readonly number[];
  /** Where the days of the week begin, in hours east of UTC; 0 by default. */
  readonly utcOffsetHours?: number;
  /**
   * Orders of the ARMA model of what the waves leave over; (3, 2) by default, undefined for none.
   */
  readonly errors?: { readonly p: number; readonly q: number } | undefined;
}

const WEEKEND_HARMONICS = 3;
/** Added before the logarithm is taken, as a share of the mean: it keeps empty buckets finite. */
const LOG_OFFSET = 0.005;

/**
 * Dynamic harmonic regression ("Forecasting: Principles and Practice", §10.5): the waves of the
 * day, others for the weekend once it was seen, and an ARMA model of what they leave over, on the
 * logarithm of demand unless told otherwise.
 */
export function harmonicMethod(options: HarmonicOptions = {}): ColumnMethod {
  const { dailyHarmonics = 6, logarithm = true, weekend = [0, 6], utcOffsetHours = 0 } = options;
  const errors = 'errors' in options ? options.errors : { p: 3, q: 2 };
  if (!Number.isInteger(dailyHarmonics) || dailyHarmonics < 0 || dailyHarmonics > 100)
    throw new ConfigError('dailyHarmonics', `must be a whole number from 0 to 100, not ${dailyHarmonics}`);
  if (!Number.isFinite(utcOffsetHours))
    throw new ConfigError('utcOffsetHours', `must be a number, not ${utcOffsetHours}`);
  for (const day of weekend)
    if (!Number.isInteger(day) || day < 0 || day > 6)
      throw new ConfigError('weekend', `holds days from 0 to 6, not ${day}`);
  return {
    name: `harmonic${logarithm ? '-log' : ''}${errors === undefined ? '' : `-arma(${errors.p},${errors.q})`}`,
    minSteps: (stepMs) =>
      Math.max(2 * stepsPerDay(stepMs), 4 * (Math.min(dailyHarmonics, stepsPerDay(stepMs) >> 1) + 1) + 8),
    fit(values, { startMs, stepMs }): ColumnModel {
      const day = stepsPerDay(stepMs);
      const n = values.length;
      const isWeekend = (t: number): boolean =>
        weekend.includes(weekdayOf(startMs + t * stepMs + utcOffsetHours * MS_PER_HOUR));
      let weekendSteps = 0;
      for (let t = 0; t < n; t++) if (isWeekend(t)) weekendSteps++;
      const offset = logarithm ? LOG_OFFSET * (values.reduce((sum, x) => sum + x, 0) / n) || 1 : 0;
      const into = (x: number): number => (logarithm ? Math.log(Math.max(x, 0) + offset) : x);
      const outOf = (x: number): number => (logarithm ? Math.max(0, Math.exp(x) - offset) : x);
      const y = values.map(into);
      const harmonics = Math.min(dailyHarmonics, Math.floor((day - 1) / 2));
      const waves: Waves = {
        day,
        harmonics,
        // A day of the one and two of the other tell them apart.
        weekendHarmonics:
          weekendSteps >= day && n - weekendSteps >= 2 * day ? Math.min(WEEKEND_HARMONICS, harmonics) : -1,
        isWeekend,
      };
      const columns = 1 + 2 * waves.harmonics + (waves.weekendHarmonics < 0 ? 0 : 1 + 2 * waves.weekendHarmonics);
      const x = new Float64Array(n * columns);
      for (let t = 0; t < n; t++) writeWaves(waves, t, x, t * columns);
      const coefficients = leastSquares(x, y, columns);
      const row = new Float64Array(columns);
      const curveAt = (t: number): number => {
        writeWaves(waves, t, row, 0);
        let sum = 0;
        for (let c = 0; c < columns; c++) sum += row[c] * coefficients[c];
        return sum;
      };
      const curve = Float64Array.from({ length: n }, (_, t) => curveAt(t));
      const residuals = y.map((value, t) => value - curve[t]);
      const model: ArimaModel | undefined =
        errors === undefined
          ? undefined
          : fitArima(residuals, orderOf(errors.p, errors.q), { likelihood: 'conditional' });
      return {
        parameters: { coefficients: [...coefficients], ...model?.parameters },
        rolling(history, origins, horizon) {
          const last = origins.at(-1) ?? 0;
          const whole = Float64Array.from({ length: last + horizon }, (_, t) => (t < n ? curve[t] : curveAt(t)));
          const rest = history.subarray(0, last).map((value, t) => into(value) - whole[t]);
          const out =
            model === undefined ? new Float64Array(origins.length * horizon) : model.rolling(rest, origins, horizon);
          for (const [i, origin] of origins.entries())
            for (let h = 0; h < horizon; h++) out[i * horizon + h] = outOf(out[i * horizon + h] + whole[origin + h]);
          return out;
        },
      };
    },
  };
}

function orderOf(p: number, q: number): Required<ArimaOrder> {
  return { p, d: 0, q, seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1 };
}

interface Waves {
  readonly day: number;
  readonly harmonics: number;
  /** −1 where weekends have no shape of their own. */
  readonly weekendHarmonics: number;
  readonly isWeekend: (t: number) => boolean;
}

function writeWaves(
  { day, harmonics, weekendHarmonics, isWeekend }: Waves,
  t: number,
  out: Float64Array,
  at: number,
): void {
  let c = at;
  out[c++] = 1;
  const angle = (2 * Math.PI * (t % day)) / day;
  for (let k = 1; k <= harmonics; k++) {
    out[c++] = Math.sin(k * angle);
    out[c++] = Math.cos(k * angle);
  }
  if (weekendHarmonics < 0) return;
  const own = isWeekend(t) ? 1 : 0;
  out[c++] = own;
  for (let k = 1; k <= weekendHarmonics; k++) {
    out[c++] = own * Math.sin(k * angle);
    out[c++] = own * Math.cos(k * angle);
  }
}

export function createHarmonicForecaster(options: HarmonicOptions & ColumnForecasterOptions = {}): RollingForecaster {
  return createColumnForecaster(harmonicMethod(options), options);
}
