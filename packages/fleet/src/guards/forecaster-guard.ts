import { answered, type DemandForecast, type DemandSeries, type Forecaster } from '@sageserve/core';
import { levelsOf } from '@sageserve/forecast';
import { blamed, breach, call, type Guard, requireMethod } from './breach.js';

/** What is forecast beyond this is no demand. */
const MOST_DEMAND = 1e15;
/** Sums of floating-point numbers may differ by so much. */
const ROUNDING = 1e-9;
const FORECAST =
  'forecast() returns, or promises, what comes after the history in its own steps: as many finite values of 0 or ' +
  'more as were asked for, in each column and at each quantile that was asked for, which do not cross.';
export const guardForecaster: Guard<Forecaster> = (forecaster, about) => {
  requireMethod(forecaster, 'forecast', about);
  const { minHistorySteps } = forecaster;
  if (!(Number.isInteger(minHistorySteps) && minHistorySteps >= 0))
    throw breach(about, `has ${answered(minHistorySteps)} for minHistorySteps`, 'It is a whole number of 0 or more.');
  return {
    name: forecaster.name,
    minHistorySteps,
    async forecast(history, horizonSteps, options) {
      let forecast: DemandForecast;
      const quantileLevels = levelsOf(options);
      try {
        // What it writes into a history would be seen by others.
        forecast = await forecaster.forecast(copyOf(history), horizonSteps, { ...options, quantileLevels });
      } catch (cause) {
        options?.signal?.throwIfAborted();
        throw blamed(cause, about, 'forecast', FORECAST);
      }
      const broken = call(about, 'forecast', FORECAST, () =>
        forecastBreach(forecast, history, horizonSteps, quantileLevels),
      );
      if (broken !== undefined) throw breach(about, broken, FORECAST);
      return forecast;
    },
  };
};

function copyOf(history: DemandSeries): DemandSeries {
  const { promptTokensPerS, outputTokensPerS, requestsPerS } = history;
  return {
    ...history,
    key: { ...history.key },
    promptTokensPerS: promptTokensPerS.slice(),
    outputTokensPerS: outputTokensPerS.slice(),
    requestsPerS: requestsPerS.slice(),
  };
}

function forecastBreach(
  forecast: DemandForecast | null | undefined,
  { startMs, stepMs, promptTokensPerS }: DemandSeries,
  horizonSteps: number,
  levels: readonly number[],
): string | undefined {
  if (typeof forecast !== 'object' || forecast === null) return `answered with ${answered(forecast)}`;
  if (typeof forecast.method !== 'string') return 'answered without method';
  if (forecast.stepMs !== stepMs)
    return `answered with ${answered(forecast.stepMs)} for stepMs, where the history has ${stepMs}`;
  const endMs = startMs + promptTokensPerS.length * stepMs;
  if (!(Math.abs(forecast.startMs - endMs) < stepMs / 2))
    return `answered with ${answered(forecast.startMs)} for startMs, where the history ends at ${endMs}`;
  for (const [name, column] of [
    ['', forecast],
    ['promptTokensPerS.', forecast.promptTokensPerS],
    ['outputTokensPerS.', forecast.outputTokensPerS],
  ] as const) {
    if (!(column?.mean instanceof Float64Array)) return `answered without ${name}mean, a Float64Array`;
    if (!Array.isArray(column.quantiles)) return `answered without ${name}quantiles`;
    const missing = levels.find((level, k) => column.quantiles[k]?.level !== level);
    if (missing !== undefined)
      return `answered without ${name}quantile ${missing}, or not in the order of the levels that were asked for`;
    for (const [label, values] of [
      ['mean', column.mean] as const,
      ...column.quantiles.map(({ level, values: of }) => [`quantile ${level}`, of] as const),
    ]) {
      const steps = (values as Partial<Float64Array> | undefined)?.length;
      if (!(values instanceof Float64Array) || steps !== horizonSteps)
        return `answered with ${steps ?? 'no'} steps in ${name}${label}, not ${horizonSteps}`;
      const odd = values.find((value) => !(value >= 0 && value <= MOST_DEMAND));
      if (odd !== undefined) return `answered with ${odd} in ${name}${label}`;
    }
    const quantiles: DemandForecast['quantiles'] = column.quantiles;
    for (const [k, { level, values }] of quantiles.entries()) {
      const below = k === 0 ? undefined : quantiles[k - 1]!;
      const at = below?.values.findIndex((value: number, t: number) => value > values[t]! * (1 + ROUNDING)) ?? -1;
      if (at !== -1) return `answered with a ${name}quantile ${level} below quantile ${below!.level} in step ${at}`;
    }
  }
  return undefined;
}
