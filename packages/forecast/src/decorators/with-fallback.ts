import {
  type Awaitable,
  type DemandForecast,
  type DemandSeries,
  type Forecaster,
  type ForecastOptions,
  isThenable,
  messageOf,
  PolicyContractError,
  square,
} from '@sageserve/core';
import { checkHorizon, levelsOf, normalForecast, type Spread } from '../assemble.js';
import { LARGEST, TOKEN_COLUMNS } from '../history.js';

/**
 * A forecast always comes: from the first of the forecasters that has enough history, does not
 * throw and answers with finite numbers; else the last value that was observed, else nothing. The
 * forecast's `method` names what answered and what did not, and why. Buckets that are negative or
 * infinite count as not observed.
 */
export function withFallback(forecaster: Forecaster, ...fallbacks: readonly Forecaster[]): Forecaster {
  const chain = [forecaster, ...fallbacks];
  return {
    name: forecaster.name,
    minHistorySteps: 0,
    forecast(given, horizonSteps, options?: ForecastOptions): Awaitable<DemandForecast> {
      const levels = levelsOf(options);
      checkHorizon(horizonSteps);
      const [history, repaired] = repair(given);
      const failures: string[] =
        repaired > 0 ? [`${repaired} buckets were negative or infinite and count as not observed`] : [];
      const attempt = (k: number): Awaitable<DemandForecast> => {
        const candidate = chain[k];
        if (candidate === undefined) return lastValue(history, horizonSteps, levels, failures);
        const failed = (error: unknown): Awaitable<DemandForecast> => {
          // A broken contract is for whoever wrote the forecaster to mend, not to be covered up.
          if (options?.signal?.aborted === true || error instanceof PolicyContractError) throw error;
          failures.push(`${candidate.name}: ${messageOf(error)}`);
          return attempt(k + 1);
        };
        try {
          const answer = candidate.forecast(history, horizonSteps, options);
          const accept = (forecast: DemandForecast): Awaitable<DemandForecast> =>
            isSound(forecast, horizonSteps, levels)
              ? named(forecast, failures)
              : failed(
                  new Error('answered with numbers that are not finite, or without a quantile that was asked for'),
                );
          return isThenable(answer) ? answer.then(accept, failed) : accept(answer);
        } catch (error) {
          return failed(error);
        }
      };
      return attempt(0);
    },
  };
}

function named(forecast: DemandForecast, failures: readonly string[]): DemandForecast {
  return failures.length === 0
    ? forecast
    : { ...forecast, method: `${forecast.method} (fallback: ${failures.join('; ')})` };
}

function isSound(forecast: DemandForecast, horizonSteps: number, levels: readonly number[]): boolean {
  return [forecast, ...TOKEN_COLUMNS.map((name) => forecast[name])].every(
    ({ mean, quantiles }) =>
      levels.every((level, k) => quantiles[k]?.level === level) &&
      [mean, ...quantiles.map((q) => q.values)].every(
        (values) => values.length === horizonSteps && values.every((x) => Number.isFinite(x) && x >= 0),
      ),
  );
}

function repair(history: DemandSeries): [DemandSeries, number] {
  const wrong = (x: number): boolean => x < 0 || x > LARGEST;
  const clean = (column: Float64Array): Float64Array =>
    column.some(wrong) ? column.map((x) => (wrong(x) ? NaN : x)) : column;
  let count = 0;
  for (const [t, x] of history.promptTokensPerS.entries()) if (wrong(x) || wrong(history.outputTokensPerS[t])) count++;
  return [
    {
      ...history,
      promptTokensPerS: clean(history.promptTokensPerS),
      outputTokensPerS: clean(history.outputTokensPerS),
    },
    count,
  ];
}

/**
 * The last observed value goes on; its spread is that of the observed values around their mean, and
 * as large as the value where only one was seen.
 */
function lastValue(
  history: DemandSeries,
  horizonSteps: number,
  levels: readonly number[],
  failures: readonly string[],
): DemandForecast {
  let observed = 0;
  const spreads = TOKEN_COLUMNS.map((name): Spread => {
    const seen = history[name].filter((x) => x >= 0);
    observed = Math.max(observed, seen.length);
    const last = seen.at(-1) ?? 0;
    const mean = seen.reduce((sum, x) => sum + x / seen.length, 0);
    const deviation =
      seen.length > 1 ? Math.sqrt(seen.reduce((sum, x) => sum + square(x - mean) / (seen.length - 1), 0)) : last;
    return {
      mean: new Float64Array(horizonSteps).fill(last),
      deviation: new Float64Array(horizonSteps).fill(deviation),
    };
  });
  return named(
    normalForecast(history, spreads[0], spreads[1], levels, observed === 0 ? 'nothing observed' : 'last value'),
    failures,
  );
}
