import { square } from '@sageserve/core';
import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import {
  type ArimaModel,
  type ArimaOptions,
  type ArimaOrder,
  arimaName,
  difference,
  differencing,
  fitArima,
} from './arima.js';
import { type ColumnMethod, stepsPerDay } from './method.js';
import { decompose, stlWindows } from './stl.js';

export interface AutoArimaOptions extends ArimaOptions {
  /** Steps in a season, or 1 for none; a day by default, once two have been seen. */
  readonly season?: number;
  /** Largest p and q; 3 by default. */
  readonly maxOrder?: number;
}

/** Of KPSS's statistic at 5 % (Kwiatkowski et al. 1992, table 1). */
const KPSS_5_PERCENT = 0.463;
/**
 * A season that explains this much of the detrended series is differenced (Wang, Smith and Hyndman
 * 2006, as used by Hyndman's `nsdiffs`).
 */
const STRONG_SEASON = 0.64;
const MAX_DIFFERENCES = 2;

/**
 * ARIMA whose orders are searched for (Hyndman and Khandakar 2008): differences by the strength of
 * the season and KPSS, the rest stepwise by the corrected Akaike criterion.
 */
export function autoArimaMethod(
  options: AutoArimaOptions = {},
): ColumnMethod & { fit(values: Float64Array, context: { stepMs: number }): ArimaModel } {
  return {
    name: 'auto-arima',
    minSteps: () => 30,
    fit: (values, { stepMs }) =>
      fitArima(values, chooseOrder(values, options.season ?? stepsPerDay(stepMs), options.maxOrder ?? 3), options),
  };
}

/** The orders that {@link autoArimaMethod} takes for a column. */
export function chooseOrder(values: Float64Array, period: number, maxOrder: number): Required<ArimaOrder> {
  const seasonal = period > 1 && values.length >= 2 * period + 30;
  const seasonalD = seasonal && seasonalStrength(values, period) > STRONG_SEASON ? 1 : 0;
  const season = seasonal ? period : 1;
  let d = 0;
  let w = difference(values, differencing(0, seasonalD, season));
  while (d < MAX_DIFFERENCES && kpss(w) > KPSS_5_PERCENT) {
    d++;
    w = difference(values, differencing(d, seasonalD, season));
  }
  const tried = new Map<string, number>();
  const score = (order: Required<ArimaOrder>): number => {
    const id = arimaName(order);
    let aicc = tried.get(id);
    if (aicc === undefined) {
      const model = fitArima(values, order, { likelihood: 'conditional' });
      aicc = Number.isNaN(model.aicc) ? Infinity : model.aicc;
      tried.set(id, aicc);
    }
    return aicc;
  };
  const order = (p: number, q: number, seasonalP: number, seasonalQ: number): Required<ArimaOrder> => ({
    p,
    d,
    q,
    seasonalP,
    seasonalD,
    seasonalQ,
    season,
  });
  const sma = seasonalD;
  const starts = [order(2, 2, 0, sma), order(0, 0, 0, sma), order(1, 0, 0, sma), order(0, 1, 0, sma)].filter(
    ({ p, q }) => p <= maxOrder && q <= maxOrder,
  );
  let best = starts.reduce((a, b) => (score(b) < score(a) ? b : a));
  for (let improved = true; improved;) {
    improved = false;
    for (const [dp, dq, ds] of [
      [1, 0, 0],
      [-1, 0, 0],
      [0, 1, 0],
      [0, -1, 0],
      [1, 1, 0],
      [-1, -1, 0],
      [0, 0, 1],
      [0, 0, -1],
    ]) {
      const next = order(best.p + dp, best.q + dq, 0, best.seasonalQ + ds);
      if (
        next.p < 0 ||
        next.q < 0 ||
        next.p > maxOrder ||
        next.q > maxOrder ||
        next.seasonalQ < 0 ||
        next.seasonalQ > (seasonal ? 1 : 0)
      )
        continue;
      if (score(next) < score(best) - 1e-9) {
        best = next;
        improved = true;
      }
    }
  }
  return best.seasonalD + best.seasonalQ === 0 ? { ...best, season: 1 } : best;
}

/** Share of the detrended variance that the season explains. */
function seasonalStrength(values: Float64Array, period: number): number {
  const windows = stlWindows(period, 11);
  const { seasonal, remainder } = decompose(values, windows, {
    innerIterations: 2,
    trendJump: Math.ceil(windows.trend / 10),
    lowPassJump: Math.ceil(windows.lowPass / 10),
  });
  const both = variance(seasonal.map((s, t) => s + remainder[t]));
  return both > 0 ? Math.max(0, 1 - variance(remainder) / both) : 0;
}

function variance(x: Float64Array): number {
  const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
  return x.reduce((sum, v) => sum + square(v - mean), 0) / x.length;
}

/** Statistic of level stationarity with Bartlett weights; 0 for a constant. */
function kpss(x: Float64Array): number {
  const n = x.length;
  if (n < 3) return 0;
  const mean = x.reduce((sum, v) => sum + v, 0) / n;
  const lags = Math.trunc((3 * Math.sqrt(n)) / 13);
  let partial = 0;
  let numerator = 0;
  let long = 0;
  for (let t = 0; t < n; t++) {
    partial += x[t] - mean;
    numerator += partial * partial;
    long += square(x[t] - mean);
  }
  for (let lag = 1; lag <= lags; lag++) {
    let sum = 0;
    for (let t = lag; t < n; t++) sum += (x[t] - mean) * (x[t - lag] - mean);
    long += 2 * (1 - lag / (lags + 1)) * sum;
  }
  return long > 0 ? numerator / n / long : 0;
}

export function createAutoArimaForecaster(options: AutoArimaOptions & ColumnForecasterOptions = {}): RollingForecaster {
  return createColumnForecaster(autoArimaMethod(options), options);
}
