import { type Awaitable, type DemandForecast, type DemandSeries, isThenable, square } from '@sageserve/core';
import { normalForecast, type Spread } from './assemble.js';
import { ForecastHistoryError, TOKEN_COLUMNS, type TokenColumn } from './history.js';
import { hourlyOrigins, type PastForecasts, type RollingForecaster } from './rolling.js';

/**
 * Past errors from which the spread of a method without a formula is taken, and the fewest that
 * will do.
 */
const SPREAD_ORIGINS = 48;
const FEWEST_ERRORS = 4;

/**
 * `then(value)` now where the value is here, later where it is promised: what is synchronous stays
 * so.
 */
export function whenKnown<T, R>(value: Awaitable<T>, then: (value: T) => Awaitable<R>): Awaitable<R> {
  return isThenable(value) ? value.then(then) : then(value);
}

/**
 * The forecast that a rolling forecaster makes at the end of a history: quantiles of a normal
 * error, whose deviation is the method's own or that of its past errors.
 */
export function forecastFromRolling(
  forecaster: Pick<RollingForecaster, 'name' | 'rolling'>,
  history: DemandSeries,
  horizonSteps: number,
  levels: readonly number[],
  method: string,
): Awaitable<DemandForecast> {
  return whenKnown(forecaster.rolling(history, [history.promptTokensPerS.length], horizonSteps), (now) => {
    for (const name of TOKEN_COLUMNS)
      if (now[name].mean.includes(NaN))
        throw new ForecastHistoryError(
          `${forecaster.name} can't forecast ${history.key.modelId} in ${history.key.regionId} from what was observed`,
        );
    const finish = (past: PastForecasts | undefined, origins: readonly number[]): DemandForecast => {
      const [prompt, output] = TOKEN_COLUMNS.map((name): Spread => {
        const { mean, deviation } = now[name];
        if (past === undefined || !deviation.includes(NaN)) return { mean, deviation };
        return { mean, deviation: empiricalDeviation(history, name, origins, past[name].mean, horizonSteps) };
      });
      return normalForecast(history, prompt, output, levels, method);
    };
    if (TOKEN_COLUMNS.every((name) => !now[name].deviation.includes(NaN))) return finish(undefined, []);
    const origins = hourlyOrigins(history, SPREAD_ORIGINS, 1);
    return whenKnown(forecaster.rolling(history, origins, horizonSteps), (past) => finish(past, origins));
  });
}

/**
 * Root mean square of past errors at each step; of the changes from bucket to bucket where there
 * are too few.
 */
function empiricalDeviation(
  history: DemandSeries,
  name: TokenColumn,
  origins: readonly number[],
  means: Float64Array,
  horizonSteps: number,
): Float64Array {
  const column = history[name];
  const deviation = new Float64Array(horizonSteps);
  let changes = 0;
  let count = 0;
  let level = 0;
  let seen = 0;
  for (let t = 0; t < column.length; t++) {
    if (Number.isNaN(column[t])) continue;
    level += column[t];
    seen++;
    if (t > 0 && !Number.isNaN(column[t - 1])) {
      changes += square(column[t] - column[t - 1]);
      count++;
    }
  }
  // With less than two changes nothing is known of the spread: it is taken to be as large as the
  // level.
  const step = count >= 2 ? Math.sqrt(changes / count) : seen > 0 ? level / seen : 0;
  for (let h = 0; h < horizonSteps; h++) {
    let sum = 0;
    let errors = 0;
    for (const [i, origin] of origins.entries()) {
      const error = (column[origin + h] ?? NaN) - means[i * horizonSteps + h];
      if (Number.isNaN(error)) continue;
      sum += error * error;
      errors++;
    }
    deviation[h] = errors >= FEWEST_ERRORS ? Math.sqrt(sum / errors) : step * Math.sqrt(h + 1);
  }
  return deviation;
}
