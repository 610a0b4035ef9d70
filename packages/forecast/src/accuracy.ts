import { sortedQuantile } from './numeric/normal.js';

/** Sum of absolute errors ÷ sum of absolute actual values; undefined where nothing was there. */
export function wape(actual: ArrayLike<number>, forecast: ArrayLike<number>): number | undefined {
  let error = 0;
  let total = 0;
  for (let i = 0; i < actual.length; i++) {
    error += Math.abs(actual[i] - forecast[i]);
    total += Math.abs(actual[i]);
  }
  return total > 0 ? error / total : undefined;
}

/** Mean of 2 |a − f| ÷ (|a| + |f|); a term of two zeros counts 0. Undefined without terms. */
export function smape(actual: ArrayLike<number>, forecast: ArrayLike<number>): number | undefined {
  let sum = 0;
  for (let i = 0; i < actual.length; i++) {
    const size = Math.abs(actual[i]) + Math.abs(forecast[i]);
    if (size > 0) sum += (2 * Math.abs(actual[i] - forecast[i])) / size;
  }
  return actual.length > 0 ? sum / actual.length : undefined;
}

/**
 * What a seasonal naive forecast missed by on `train`, on average: the denominator of MASE. Pairs
 * with a NaN do not count. Undefined where it missed nothing.
 */
export function seasonalNaiveError(train: ArrayLike<number>, season: number): number | undefined {
  let sum = 0;
  let pairs = 0;
  for (let t = season; t < train.length; t++) {
    const error = Math.abs(train[t] - train[t - season]);
    if (Number.isNaN(error)) continue;
    sum += error;
    pairs++;
  }
  return sum > 0 ? sum / pairs : undefined;
}

/**
 * Mean absolute scaled error (Hyndman and Koehler 2006): mean absolute error ÷
 * {@link seasonalNaiveError}.
 */
export function mase(
  actual: ArrayLike<number>,
  forecast: ArrayLike<number>,
  naiveError: number | undefined,
): number | undefined {
  if (naiveError === undefined || actual.length === 0) return undefined;
  let sum = 0;
  for (let i = 0; i < actual.length; i++) sum += Math.abs(actual[i] - forecast[i]);
  return sum / actual.length / naiveError;
}

/** Sum of (forecast − actual) ÷ sum of actual values; undefined where nothing was there. */
export function bias(actual: ArrayLike<number>, forecast: ArrayLike<number>): number | undefined {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < actual.length; i++) {
    sum += forecast[i] - actual[i];
    total += actual[i];
  }
  return total === 0 ? undefined : sum / total;
}

/** Mean pinball loss of a quantile: being under costs `level` a unit, being over 1 − `level`. */
export function pinballLoss(actual: ArrayLike<number>, quantile: ArrayLike<number>, level: number): number | undefined {
  let sum = 0;
  for (let i = 0; i < actual.length; i++)
    sum += Math.max(level * (actual[i] - quantile[i]), (1 - level) * (quantile[i] - actual[i]));
  return actual.length > 0 ? sum / actual.length : undefined;
}

/** Share of actual values from `low` to `high`; without `low`, of those at or under `high`. */
export function coverage(
  actual: ArrayLike<number>,
  high: ArrayLike<number>,
  low?: ArrayLike<number>,
): number | undefined {
  let inside = 0;
  for (let i = 0; i < actual.length; i++)
    if (actual[i] <= high[i] && (low === undefined || actual[i] >= low[i])) inside++;
  return actual.length > 0 ? inside / actual.length : undefined;
}

/** Quantile with linear interpolation between order statistics; undefined without values. */
export function quantile(values: ArrayLike<number>, level: number): number | undefined {
  return values.length === 0 ? undefined : sortedQuantile(Float64Array.from(values).sort(), level);
}
