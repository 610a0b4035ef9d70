import { ConfigError, type DemandForecast, type DemandKey, type DemandSeries, type Forecaster } from '@sageserve/core';
import { bias, coverage, mase, pinballLoss, seasonalNaiveError, wape } from './accuracy.js';
import { checkHorizon } from './assemble.js';
import { stepsPerDay } from './columns/method.js';
import { checkHistory, sliceHistory } from './history.js';
import { strideOf } from './rolling.js';

export interface BacktestOptions {
  /** Steps that each forecast reaches ahead; an hour by default. */
  readonly horizonSteps?: number;
  /** Steps from one origin to the next; an hour by default. */
  readonly everySteps?: number;
  /** First origin, in steps; two days by default. */
  readonly firstStep?: number;
  /** Steps of history that a forecast may see, as of a ring; two weeks by default. */
  readonly historySteps?: number;
  readonly signal?: AbortSignal;
  /** A clock for the time that forecasts take; without it, times are undefined. */
  readonly nowMs?: () => number;
  /** Called after each origin with the share that is done (0–1). May be asynchronous. */
  readonly onProgress?: (done: number) => Promise<void> | undefined;
}

/**
 * Errors over all origins of one series, of buckets or of peaks. Undefined where there is nothing
 * to divide by.
 */
export interface Accuracy {
  readonly wape: number | undefined;
  readonly mase: number | undefined;
  readonly bias: number | undefined;
  /** Pinball loss of the 0.9 quantile ÷ mean actual value. */
  readonly pinball90: number | undefined;
  /** Share of actual values at or under the 0.9 quantile. */
  readonly under90: number | undefined;
  /** Share inside the 0.1 to 0.9 quantiles. */
  readonly inside80: number | undefined;
  /** Share inside the 0.05 to 0.95 quantiles. */
  readonly inside90: number | undefined;
  /** Values that were compared. */
  readonly count: number;
}

/**
 * One forecaster on one series. Columns of tokens per second, prompt and output together, origins ×
 * horizon, flat; NaN where nothing was observed.
 */
export interface BacktestResult {
  readonly method: string;
  readonly key: DemandKey;
  readonly startMs: number;
  readonly stepMs: number;
  readonly horizonSteps: number;
  readonly origins: readonly number[];
  readonly actual: Float64Array;
  readonly mean: Float64Array;
  readonly quantiles: readonly { readonly level: number; readonly values: Float64Array }[];
  /** What answered at each origin, with its fallback. */
  readonly answeredBy: readonly string[];
  readonly buckets: Accuracy;
  /** The largest bucket of each horizon. The point forecast of it is the largest 0.5 quantile. */
  readonly peaks: Accuracy;
  readonly msPerForecast: number | undefined;
}

/** Levels of a backtest. */
export const BACKTEST_LEVELS: readonly number[] = [0.05, 0.1, 0.5, 0.8, 0.9, 0.95];
const DEFAULT_HISTORY_DAYS = 14;

/**
 * Rolling origin: at each origin every forecaster sees what lay before it and nothing else, and its
 * forecast is compared with what came. Calls one forecaster after another, in order of time. Throws
 * `ConfigError` for a series that is too short for a single origin.
 */
export async function backtest(
  series: readonly DemandSeries[],
  forecasters: readonly Forecaster[],
  options: BacktestOptions = {},
): Promise<BacktestResult[]> {
  const results: BacktestResult[] = [];
  const runs = series.length * forecasters.length;
  for (const [s, one] of series.entries()) {
    for (const [f, forecaster] of forecasters.entries()) {
      const before = (s * forecasters.length + f) / runs;
      results.push(await backtestOne(one, forecaster, options, (done) => options.onProgress?.(before + done / runs)));
    }
  }
  return results;
}

async function backtestOne(
  series: DemandSeries,
  forecaster: Forecaster,
  options: BacktestOptions,
  progress: (done: number) => Promise<void> | undefined,
): Promise<BacktestResult> {
  checkHistory(series);
  const day = stepsPerDay(series.stepMs);
  const {
    horizonSteps = strideOf(series.stepMs),
    everySteps = strideOf(series.stepMs),
    firstStep = 2 * day,
    historySteps = DEFAULT_HISTORY_DAYS * day,
    nowMs,
  } = options;
  checkHorizon(horizonSteps);
  for (const [name, value] of Object.entries({ everySteps, historySteps }))
    if (!Number.isInteger(value) || value < 1)
      throw new ConfigError(name, `must be a whole number of 1 or more, not ${value}`);
  if (!Number.isInteger(firstStep) || firstStep < 0)
    throw new ConfigError('firstStep', `must be a whole number of 0 or more, not ${firstStep}`);
  const length = series.promptTokensPerS.length;
  const origins: number[] = [];
  for (let origin = firstStep; origin + horizonSteps <= length; origin += everySteps) origins.push(origin);
  if (origins.length === 0)
    throw new ConfigError(
      'firstStep',
      `${series.key.modelId} in ${series.key.regionId} has ${length} buckets, too few for a forecast of ` +
        `${horizonSteps} from ${firstStep} on`,
    );
  const total = series.promptTokensPerS.map((value, t) => value + series.outputTokensPerS[t]);
  const size = origins.length * horizonSteps;
  const actual = new Float64Array(size);
  const mean = new Float64Array(size);
  const quantiles = BACKTEST_LEVELS.map((level) => ({ level, values: new Float64Array(size) }));
  const answeredBy: string[] = [];
  let ms = 0;
  for (const [i, origin] of origins.entries()) {
    options.signal?.throwIfAborted();
    const history = sliceHistory(series, Math.max(0, origin - historySteps), origin);
    const started = nowMs?.() ?? 0;
    const forecast: DemandForecast = await forecaster.forecast(history, horizonSteps, {
      quantileLevels: BACKTEST_LEVELS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    ms += (nowMs?.() ?? 0) - started;
    answeredBy.push(forecast.method);
    actual.set(total.subarray(origin, origin + horizonSteps), i * horizonSteps);
    mean.set(forecast.mean, i * horizonSteps);
    for (const { level, values } of quantiles) {
      const found = forecast.quantiles.find((q) => q.level === level);
      if (found === undefined || found.values.length !== horizonSteps || forecast.mean.length !== horizonSteps)
        throw new ConfigError(
          'forecasters',
          `${forecaster.name} did not answer with ${horizonSteps} steps and the quantile ${level}, as it was asked to`,
        );
      values.set(found.values, i * horizonSteps);
    }
    await progress((i + 1) / origins.length);
  }
  const answered: Answered = { horizonSteps, actual, mean, quantiles };
  // What a naive forecast missed by before the first origin: nothing that is scored.
  const train = total.subarray(0, firstStep);
  return {
    method: forecaster.name,
    key: series.key,
    startMs: series.startMs,
    stepMs: series.stepMs,
    horizonSteps,
    origins,
    actual,
    mean,
    quantiles,
    answeredBy,
    buckets: bucketAccuracy([answered], seasonalNaiveError(train, day)),
    peaks: peakAccuracy([answered], naivePeakError(train, horizonSteps, day)),
    msPerForecast: nowMs === undefined ? undefined : ms / origins.length,
  };
}

/**
 * What yesterday's peak missed by, over horizons one after another; undefined with less than a day.
 */
function naivePeakError(train: Float64Array, horizonSteps: number, day: number): number | undefined {
  const now = hourlyPeaks(train.subarray(day), horizonSteps);
  const before = hourlyPeaks(train.subarray(0, Math.max(0, train.length - day)), horizonSteps);
  return seasonalNaiveError([...before, ...now], before.length);
}

/**
 * One method over all its series: errors of all buckets and all peaks together, so that a series
 * counts by its size. MASE is undefined, since each series has its own denominator.
 */
export function poolBacktests(results: readonly BacktestResult[]): {
  readonly buckets: Accuracy;
  readonly peaks: Accuracy;
} {
  return { buckets: bucketAccuracy(results, undefined), peaks: peakAccuracy(results, undefined) };
}

type Answered = Pick<BacktestResult, 'horizonSteps' | 'actual' | 'mean' | 'quantiles'>;

function bucketAccuracy(answers: readonly Answered[], naiveError: number | undefined): Accuracy {
  const pick = (of: (a: Answered) => Float64Array): Float64Array =>
    Float64Array.from(answers.flatMap((a) => [...of(a).filter((_, k) => !Number.isNaN(a.actual[k]))]));
  return accuracyOf(
    pick((a) => a.actual),
    pick((a) => a.mean),
    BACKTEST_LEVELS.map((_, q) => pick((a) => a.quantiles[q].values)),
    naiveError,
  );
}

/** Horizons in which a bucket was not observed have no known peak and are left out. */
function peakAccuracy(answers: readonly Answered[], naiveError: number | undefined): Accuracy {
  const pick = (of: (a: Answered) => Float64Array): Float64Array =>
    Float64Array.from(
      answers.flatMap((a) => {
        const peaks = hourlyPeaks(a.actual, a.horizonSteps);
        return [...hourlyPeaks(of(a), a.horizonSteps).filter((_, i) => !Number.isNaN(peaks[i]))];
      }),
    );
  const quantiles = BACKTEST_LEVELS.map((_, q) => pick((a) => a.quantiles[q].values));
  return accuracyOf(
    pick((a) => a.actual),
    quantiles[BACKTEST_LEVELS.indexOf(0.5)],
    quantiles,
    naiveError,
  );
}

/** The largest of each horizon; NaN where a bucket of it was not observed. */
function hourlyPeaks(values: Float64Array, steps: number): Float64Array {
  return Float64Array.from({ length: Math.floor(values.length / steps) }, (_, i) =>
    values.subarray(i * steps, (i + 1) * steps).reduce((a, b) => Math.max(a, b)),
  );
}

function accuracyOf(
  actual: Float64Array,
  point: Float64Array,
  quantiles: readonly Float64Array[],
  naiveError: number | undefined,
): Accuracy {
  const at = (level: number): Float64Array => quantiles[BACKTEST_LEVELS.indexOf(level)];
  const level = actual.length === 0 ? 0 : actual.reduce((sum, x) => sum + x, 0) / actual.length;
  const loss = pinballLoss(actual, at(0.9), 0.9);
  return {
    wape: wape(actual, point),
    mase: mase(actual, point, naiveError),
    bias: bias(actual, point),
    pinball90: loss === undefined || level === 0 ? undefined : loss / level,
    under90: coverage(actual, at(0.9)),
    inside80: coverage(actual, at(0.9), at(0.1)),
    inside90: coverage(actual, at(0.95), at(0.05)),
    count: actual.length,
  };
}
