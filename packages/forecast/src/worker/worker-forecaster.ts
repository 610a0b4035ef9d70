import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  ConfigError,
  type DemandForecast,
  type DemandSeries,
  type Forecaster,
  type ForecastOptions,
  messageOf,
  SageServeError,
} from '@sageserve/core';
import { ThreadPool, unpackThrown } from '@sageserve/threads';
import type { ForecasterSource, ForecastJob, ForecastReport } from './forecast-job.js';

/** Sources are compiled into one folder, in which the worker lies. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/forecast-worker.js' : './forecast-worker.js',
  import.meta.url,
);

export interface WorkerForecasterOptions {
  /**
   * The module that has the forecaster: a URL, an absolute path or the name of a package, which is
   * looked up from this one (`import.meta.resolve(name)` gives a URL that is looked up from yours).
   * `@sageserve/forecast` unless given.
   */
  readonly module?: string | URL;
  /**
   * What the module calls the function that makes the forecaster, or a promise of one;
   * `createAutoForecaster` unless given.
   */
  readonly factory?: string;
  /** What that function is given. Copied now, so it may hold no functions. */
  readonly options?: unknown;
  /** The forecaster's name; the factory's unless given. */
  readonly name?: string;
  /**
   * Fewest buckets that it can work with, where that is known before the worker runs; 0 unless
   * given: too few are an error of the call then.
   */
  readonly minHistorySteps?: number;
  /**
   * Forecasts at once, each worker with a forecaster of its own; further calls wait for their turn.
   * 1 unless given.
   */
  readonly workers?: number;
}

/** A forecaster in a worker of its own. */
export interface WorkerForecaster extends Forecaster {
  forecast(history: DemandSeries, horizonSteps: number, options?: ForecastOptions): Promise<DemandForecast>;
  /** Ends its workers. Calls under way and later ones reject with `ERR_FORECAST_WORKER`. */
  close(): Promise<void>;
}

/**
 * A forecaster that computes in a worker thread, so that the caller's goes on: the same forecasts,
 * and the same errors as known by `code`. The worker starts with the first call, keeps what the
 * forecaster and its decorators remember between calls, and keeps no process alive. Calls take
 * their turn in order; a history is copied when it is handed over.
 *
 * Where a signal aborts, the call rejects with its reason at once and the worker that computes it
 * is ended, whatever it is doing; the next call has a new one, which remembers nothing. A module
 * that can't be used and a worker that dies are a `SageServeError` (`ERR_FORECAST_WORKER`) of that
 * call, and the next call tries again. Throws `ConfigError` for malformed options.
 */
export function createWorkerForecaster(options: WorkerForecasterOptions = {}): WorkerForecaster {
  const { factory = 'createAutoForecaster', name = factory, minHistorySteps = 0, workers = 1 } = options;
  for (const [field, value] of Object.entries({ factory, name }))
    if (typeof value !== 'string' || value === '')
      throw new ConfigError(field, `must be a name, not ${JSON.stringify(value)}`);
  if (!(Number.isInteger(minHistorySteps) && minHistorySteps >= 0))
    throw new ConfigError('minHistorySteps', `must be a whole number of 0 or more, not ${minHistorySteps}`);
  if (!(Number.isInteger(workers) && workers >= 1))
    throw new ConfigError('workers', `must be a whole number of 1 or more, not ${workers}`);
  const source: ForecasterSource = {
    module: moduleOf(options.module ?? '@sageserve/forecast'),
    factory,
    options: copyOf(options.options),
  };
  const failed = (why: string, cause?: unknown): SageServeError =>
    new SageServeError('ERR_FORECAST_WORKER', `${name}: ${why}`, { cause });
  const threads = new ThreadPool<ForecastReport>({
    worker: WORKER,
    workerData: source,
    most: workers,
    kept: workers,
  });
  return {
    name,
    minHistorySteps,
    async forecast(history, horizonSteps, forecastOptions) {
      const { signal, ...asked } = forecastOptions ?? {};
      return threads.run<DemandForecast>({
        message: { history: copyHistory(history), horizonSteps, options: asked } satisfies ForecastJob,
        signal,
        failed: (why) => failed(`its worker failed: ${why.message}`, why),
        listen: (call) => ({
          report(report) {
            if ('forecast' in report) call.settle(() => report.forecast, 'kept');
            else if ('thrown' in report)
              call.settle(() => {
                throw unpackThrown(report.thrown);
              }, 'kept');
            else
              call.settle(() => {
                const cause = report.cause === undefined ? undefined : unpackThrown(report.cause);
                throw failed(`${source.module} ${report.unusable}`, cause);
              }, 'ended');
          },
        }),
      });
    },
    close: () => threads.close(failed('it was closed')),
  };
}

function moduleOf(given: string | URL): string {
  if (given instanceof URL) return given.href;
  if (typeof given !== 'string' || given === '' || /^\.{1,2}(\/|\\|$)/.test(given))
    throw new ConfigError('module', `must be a URL, an absolute path or a package, not ${JSON.stringify(given)}`, {
      hint: "new URL('./mine.js', import.meta.url) is the URL of a file beside yours.",
    });
  return isAbsolute(given) ? pathToFileURL(given).href : given;
}

function copyOf(options: unknown): unknown {
  try {
    return structuredClone(options);
  } catch (error) {
    throw new ConfigError('options', `can’t be handed to a worker: ${messageOf(error)}`, { cause: error });
  }
}

/** The series by itself: a part of a longer one is cloned with all of its memory. */
function copyHistory(history: DemandSeries): DemandSeries {
  const { key, startMs, stepMs } = history;
  return {
    key: { modelId: key.modelId, regionId: key.regionId },
    startMs,
    stepMs,
    promptTokensPerS: history.promptTokensPerS.slice(),
    outputTokensPerS: history.outputTokensPerS.slice(),
    requestsPerS: history.requestsPerS.slice(),
  };
}
