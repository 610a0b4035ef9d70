import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import { ConfigError } from '@sageserve/core';
import { minimizeInBox } from '../numeric/minimize.js';
import { type ColumnMethod, type ColumnModel, stepsPerDay } from './method.js';

/** Where a recursion starts: before the first value. */
export interface SmoothingStart {
  readonly level: number;
  readonly trend: number;
  /**
   * One for each step of the season, beginning with that of the first value; empty without a
   * season.
   */
  readonly seasons: ArrayLike<number>;
}

/** The shape of an exponential smoothing. */
export interface SmoothingForm {
  readonly trend: 'none' | 'additive';
  readonly seasonal: 'none' | 'additive' | 'multiplicative';
  /** Steps in a season; 1 without one. */
  readonly season: number;
  /** The trend dies out by an estimated factor a step. */
  readonly damped: boolean;
}

/** Weights of the newest value in level, trend and season, and the damping. */
export interface SmoothingWeights {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
  readonly phi: number;
}

/** An estimated exponential smoothing. */
export interface SmoothingModel extends ColumnModel {
  readonly weights: SmoothingWeights;
  /** Sum of squared one-step errors. */
  readonly sse: number;
}

/** Divisors at or under this share of the level are not divided by. */
const TINY = 1e-9;
const MIN_PHI = 0.8;
const MAX_PHI = 0.995;

/**
 * One pass of Holt-Winters in error-correction form (Hyndman and Athanasopoulos, "Forecasting:
 * Principles and Practice", §8.3): l = α (y - s) + (1 - α)(l + φb), b = β (l - l') + (1 - β) φb, s
 * = γ (y - l' - φb') + (1 - γ) s; multiplicative seasons divide. Returns the sum of squared
 * one-step errors; forecasts of `horizon` steps are written at each origin.
 */
function pass(
  y: Float64Array,
  length: number,
  form: SmoothingForm,
  { alpha, beta, gamma, phi }: SmoothingWeights,
  start: SmoothingStart,
  origins: readonly number[] = [],
  horizon = 0,
  out?: Float64Array,
): number {
  const m = form.season;
  const multiplicative = form.seasonal === 'multiplicative';
  const seasonal = form.seasonal !== 'none';
  const seasons = Float64Array.from({ length: m }, (_, i) => (seasonal ? start.seasons[i] : multiplicative ? 1 : 0));
  let level = start.level;
  let trend = form.trend === 'none' ? 0 : start.trend;
  const floor = TINY * Math.max(Math.abs(start.level), 1e-300);
  let sse = 0;
  let next = 0;
  for (let t = 0, at = 0; ; t++) {
    while (next < origins.length && origins[next] === t) {
      let ahead = 0;
      let factor = 1;
      for (let h = 0; h < horizon; h++) {
        factor *= phi;
        ahead += factor * trend;
        const s = seasons[(t + h) % m];
        out![next * horizon + h] = multiplicative ? (level + ahead) * s : level + ahead + s;
      }
      next++;
    }
    if (t === length) break;
    const s = seasons[at];
    const value = y[t];
    const base = level + phi * trend;
    if (multiplicative) {
      const error = value - base * s;
      sse += error * error;
      const grown = alpha * (s > TINY ? value / s : base) + (1 - alpha) * base;
      seasons[at] = gamma * (base > floor ? value / base : s) + (1 - gamma) * s;
      trend = beta * (grown - level) + (1 - beta) * phi * trend;
      level = grown;
    } else {
      const error = value - base - s;
      sse += error * error;
      const grown = base + alpha * error;
      // The season learns from the error against the old level, as the level and the trend do.
      if (seasonal) seasons[at] = s + gamma * error;
      trend = beta * (grown - level) + (1 - beta) * phi * trend;
      level = grown;
    }
    if (++at === m) at = 0;
  }
  return sse;
}

/**
 * Starting values: two seasons' means give level and trend, and the mean deviation of up to two
 * seasons from them the seasons; without a season, the first values.
 */
function initialStates(y: Float64Array, form: SmoothingForm): SmoothingStart {
  const m = form.season;
  if (form.seasonal === 'none')
    return { level: y[0], trend: form.trend === 'none' || y.length < 2 ? 0 : y[1] - y[0], seasons: [] };
  let first = 0;
  let second = 0;
  for (let i = 0; i < m; i++) {
    first += y[i] / m;
    second += y[m + i] / m;
  }
  const trend = form.trend === 'none' ? 0 : (second - first) / m;
  const slope = (second - first) / m;
  const seasons = new Float64Array(m);
  const middle = (m - 1) / 2;
  for (let i = 0; i < m; i++) {
    for (let cycle = 0; cycle < 2; cycle++) {
      const base = first + slope * (cycle * m + i - middle);
      const value = y[cycle * m + i];
      seasons[i] += (form.seasonal === 'additive' ? value - base : base > 0 ? value / base : 1) / 2;
    }
  }
  return { level: first - slope * (middle + 1), trend, seasons };
}

export interface SmoothingFitOptions {
  /** By default {@link initialStates}. */
  readonly start?: SmoothingStart;
  /** Not estimated but given. */
  readonly weights?: SmoothingWeights;
  /**
   * `quick` searches from one start and stops at a relative change of 1e-6; `thorough`, the
   * default, from two and at 1e-9.
   */
  readonly search?: 'quick' | 'thorough';
}

/** Fits the weights by least squares of the one-step errors. */
export function fitSmoothing(
  values: Float64Array,
  form: SmoothingForm,
  options: SmoothingFitOptions = {},
): SmoothingModel {
  const { start = initialStates(values, form), search = 'thorough' } = options;
  const thorough = search === 'thorough';
  const useTrend = form.trend !== 'none';
  const useSeason = form.seasonal !== 'none';
  const weightsOf = (x: Float64Array): SmoothingWeights => {
    let at = 1;
    const beta = useTrend ? x[at++] : 0;
    const gamma = useSeason ? x[at++] : 0;
    return { alpha: x[0], beta, gamma, phi: form.damped ? x[at] : 1 };
  };
  let { weights } = options;
  if (weights === undefined) {
    const lower = [0];
    const upper = [1];
    const starts = thorough ? [[0.8], [0.3]] : [[0.5]];
    const add = (low: number, high: number, ...at: readonly number[]): void => {
      lower.push(low);
      upper.push(high);
      for (const [i, s] of starts.entries()) s.push(at[i]);
    };
    if (useTrend) add(0, 1, 0.01, 0.05);
    if (useSeason) add(0, 1, 0.05, 0.2);
    if (form.damped) add(MIN_PHI, MAX_PHI, 0.98, 0.95);
    const sse = (x: Float64Array): number => {
      const sum = pass(values, values.length, form, weightsOf(x), start);
      return Number.isFinite(sum) ? sum : Infinity;
    };
    const found = starts.map((s) =>
      minimizeInBox(
        sse,
        Float64Array.from(s),
        Float64Array.from(lower),
        Float64Array.from(upper),
        thorough ? 400 : 120,
        thorough ? 1e-9 : 1e-6,
      ),
    );
    found.sort((a, b) => a.value - b.value);
    weights = weightsOf(found[0].x);
  }
  const chosen = weights;
  const sse = pass(values, values.length, form, chosen, start);
  const sigma2 = sse / values.length;
  const model: SmoothingModel = {
    weights: chosen,
    sse,
    parameters: { ...chosen, sse },
    rolling(history, origins, horizon) {
      const out = new Float64Array(origins.length * horizon);
      pass(history, origins.at(-1) ?? 0, form, chosen, start, origins, horizon, out);
      return out;
    },
  };
  if (form.seasonal === 'multiplicative') return model;
  return {
    ...model,
    // Class 1 of Hyndman, Koehler, Ord and Snyder (2008), §6.3.
    standardDeviations(horizon) {
      const { alpha, beta, gamma, phi } = chosen;
      const sd = new Float64Array(horizon);
      let sum = 1;
      let damping = 0;
      let factor = 1;
      for (let h = 0; h < horizon; h++) {
        sd[h] = Math.sqrt(sigma2 * sum);
        factor *= phi;
        damping += factor;
        const weight =
          alpha + (useTrend ? alpha * beta * damping : 0) + (useSeason && (h + 1) % form.season === 0 ? gamma : 0);
        sum += weight * weight;
      }
      return sd;
    },
  };
}

/** Simple exponential smoothing: the level alone. */
export function simpleSmoothingMethod(): ColumnMethod {
  const form: SmoothingForm = { trend: 'none', seasonal: 'none', season: 1, damped: false };
  return { name: 'ses', minSteps: () => 2, fit: (values) => fitSmoothing(values, form, { search: 'quick' }) };
}

export interface HoltWintersOptions {
  /** Additive by default. */
  readonly seasonal?: 'none' | 'additive' | 'multiplicative';
  readonly damped?: boolean;
  /** Steps in a season; a day by default. */
  readonly season?: number;
}

/**
 * Holt-Winters exponential smoothing with an additive trend, damped or not, and a season that is
 * added, multiplied or absent.
 */
export function holtWintersMethod(options: HoltWintersOptions): ColumnMethod {
  const { seasonal = 'additive', damped = false, season } = options;
  if (season !== undefined && !(Number.isInteger(season) && season >= 2 && season <= 100_000))
    throw new ConfigError('season', `must be a whole number from 2 to 100000 steps, not ${season}`);
  const steps = (stepMs: number): number => (seasonal === 'none' ? 1 : (season ?? stepsPerDay(stepMs)));
  return {
    name: `holt-winters-${seasonal}${damped ? '-damped' : ''}`,
    minSteps: (stepMs) => (seasonal === 'none' ? 5 : steps(stepMs) < 2 ? Infinity : 2 * steps(stepMs) + 3),
    fit: (values, { stepMs }) =>
      fitSmoothing(values, { trend: 'additive', seasonal, season: steps(stepMs), damped }, { search: 'quick' }),
  };
}

export function createSimpleSmoothingForecaster(options: ColumnForecasterOptions = {}): RollingForecaster {
  return createColumnForecaster(simpleSmoothingMethod(), options);
}

export function createHoltWintersForecaster(
  options: HoltWintersOptions & ColumnForecasterOptions = {},
): RollingForecaster {
  return createColumnForecaster(holtWintersMethod(options), options);
}
