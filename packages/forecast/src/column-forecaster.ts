import { type DemandForecast, type DemandSeries, type ForecastOptions, MS_PER_DAY, MS_PER_HOUR } from '@sageserve/core';
import { checkHorizon, levelsOf } from './assemble.js';
import type { ColumnMethod, ColumnModel } from './columns/method.js';
import {
  checkHistory,
  fillGaps,
  firstObserved,
  ForecastHistoryError,
  observedSteps,
  TOKEN_COLUMNS,
  type TokenColumn,
} from './history.js';
import { forecastFromRolling } from './rolling-forecast.js';
import { emptyPast, MAX_SERIES, type PastForecasts, PastMemory, type RollingForecaster } from './rolling.js';

export interface ColumnForecasterOptions {
  /**
   * Bucket length that `minHistorySteps` is stated for; 10 minutes by default. Other lengths work
   * too.
   */
  readonly stepMs?: number;
  /**
   * Days that a fit looks back on; 13 by default, so that a ring of two weeks serves a whole day.
   */
  readonly windowDays?: number;
  /**
   * Parameters are estimated this often, and kept in between; by default once a day, and every six
   * hours in a series' first week. Every forecast reads all of the history up to its origin.
   */
  readonly refitEveryMs?: number;
}

const DEFAULT_STEP_MS = 600_000;
/** Share of the buckets that must have been observed. */
const LEAST_OBSERVED = 0.5;
const YOUNG_REFIT_MS = 6 * MS_PER_HOUR;
const YOUNG_DAYS = 7;
/**
 * From this many past forecasts on, as after a start, parameters are estimated for a quarter of
 * them at a time.
 */
const MANY_ORIGINS = 24;
const QUARTERS = 4;
/**
 * Whole days that are left before a window is cut to begin where a refit does, so that a sliding
 * history does not change it every hour.
 */
const ALIGN_FROM_DAYS = 10;
/**
 * Forecasts end here, as multiples of the largest value in the window: a trend that runs away says
 * nothing.
 */
const RUNAWAY = 10;

interface Fitted {
  readonly startIndex: number;
  readonly endIndex: number;
  readonly lastValues: Float64Array;
  readonly scale: number;
  readonly cap: number;
  readonly model: ColumnModel;
}

/**
 * A method for one column as a forecaster of demand: prompt and output tokens are fitted apart.
 * Parameters are estimated at hours that differ from series to series, so that no hour pays for
 * all. Throws `ForecastHistoryError` for too short a history, or one that is not a history.
 */
export function createColumnForecaster(method: ColumnMethod, options: ColumnForecasterOptions = {}): RollingForecaster {
  const { stepMs = DEFAULT_STEP_MS, windowDays = 13, refitEveryMs } = options;
  const memory = new PastMemory();
  const fits = new Map<string, Fitted>();

  function rolling(history: DemandSeries, origins: readonly number[], horizonSteps: number): PastForecasts {
    checkHorizon(horizonSteps);
    checkHistory(history);
    return memory.recall(history, origins, horizonSteps, (missing) => {
      const past = emptyPast(missing.length, horizonSteps);
      for (const name of TOKEN_COLUMNS) rollColumn(history, name, missing, horizonSteps, past);
      return past;
    }) as PastForecasts;
  }

  function rollColumn(
    history: DemandSeries,
    name: TokenColumn,
    origins: readonly number[],
    horizonSteps: number,
    past: PastForecasts,
  ): void {
    const first = firstObserved(history);
    const values = fillGaps(history[name], history.stepMs);
    const base = Math.round(history.startMs / history.stepMs);
    const stepsOf = (ms: number): number => Math.max(1, Math.round(ms / history.stepMs));
    const day = stepsOf(MS_PER_DAY);
    const many = origins.length > MANY_ORIGINS;
    const quarter = Math.ceil((origins.at(-1)! - origins[0]) / QUARTERS);
    const window = Math.round((windowDays * MS_PER_DAY) / history.stepMs);
    const fewest = method.minSteps(history.stepMs);
    const phase = phaseOf(history, day);
    const { mean, deviation } = past[name];
    // Origins that share a fit are forecast in one pass.
    for (let i = 0; i < origins.length;) {
      const fit = fitFor(origins[i]);
      let until = i + 1;
      if (fit === undefined) {
        i = until;
        continue;
      }
      while (until < origins.length && boundaryOf(origins[until]) === fit.endIndex) until++;
      const start = fit.startIndex - base;
      const group = origins.slice(i, until);
      const scaled = values.subarray(start, group.at(-1)).map((x) => x / fit.scale);
      const found = fit.model.rolling(
        scaled,
        group.map((origin) => origin - start),
        horizonSteps,
      );
      const spread = fit.model.standardDeviations?.(horizonSteps);
      for (let k = 0; k < found.length; k++) {
        const value = found[k] * fit.scale;
        mean[i * horizonSteps + k] = Number.isNaN(value) ? NaN : Math.min(fit.cap, Math.max(0, value));
        if (spread !== undefined) deviation[i * horizonSteps + k] = spread[k % horizonSteps] * fit.scale;
      }
      i = until;
    }

    /** End of the fit that serves an origin, in buckets of the series' clock. */
    function boundaryOf(origin: number): number {
      const at = base + origin;
      if (many && origin !== origins.at(-1)) {
        const coarse = Math.max(first + fewest, origins[0] + Math.floor((origin - origins[0]) / quarter) * quarter);
        return base + Math.min(coarse, origin);
      }
      const every = stepsOf(refitEveryMs ?? (origin - first < YOUNG_DAYS * day ? YOUNG_REFIT_MS : MS_PER_DAY));
      const boundary = at - modulo(at - phase, every);
      return boundary - base - first >= Math.max(fewest, 2 * every) ? boundary : at;
    }

    function fitFor(origin: number): Fitted | undefined {
      const endIndex = boundaryOf(origin);
      const end = endIndex - base;
      let start = Math.max(first, end - window);
      const aligned = start + modulo(phase - base - start, day);
      if (end - aligned >= Math.max(fewest, ALIGN_FROM_DAYS * day)) start = aligned;
      if (end - start < fewest) return undefined;
      const id = `${history.key.modelId}\n${history.key.regionId}\n${history.stepMs}\n${name}`;
      const known = fits.get(id);
      const lastValues = values.subarray(Math.max(start, end - 2 * day), end);
      if (known?.endIndex === endIndex && known.startIndex === base + start && sameValues(known.lastValues, lastValues))
        return known;
      const fitted = fitColumn(method, history, values, start, end, lastValues.slice());
      fits.delete(id);
      fits.set(id, fitted);
      if (fits.size > TOKEN_COLUMNS.length * MAX_SERIES) fits.delete(fits.keys().next().value!);
      return fitted;
    }
  }

  function forecast(history: DemandSeries, horizonSteps: number, forecastOptions?: ForecastOptions): DemandForecast {
    forecastOptions?.signal?.throwIfAborted();
    const levels = levelsOf(forecastOptions);
    checkHorizon(horizonSteps);
    checkHistory(history);
    const fewest = method.minSteps(history.stepMs);
    const who = `${history.key.modelId} in ${history.key.regionId}`;
    const length = history.promptTokensPerS.length - firstObserved(history);
    if (length < fewest)
      throw new ForecastHistoryError(
        `${method.name} needs ${fewest} buckets, and ${who} has ${length}`,
        'withFallback() names a simpler method for the time until then; createAutoForecaster() does so by itself.',
      );
    const observed = observedSteps(history);
    if (observed < LEAST_OBSERVED * length)
      throw new ForecastHistoryError(`${who} has more gaps than buckets: ${observed} of ${length} were observed`);
    return forecastFromRolling(self, history, horizonSteps, levels, method.name) as DemandForecast;
  }

  const self: RollingForecaster = { name: method.name, minHistorySteps: method.minSteps(stepMs), forecast, rolling };
  return self;
}

/** Fits a method to a column from `start` to before `end`, scaled to a mean of one. */
function fitColumn(
  method: ColumnMethod,
  { startMs, stepMs }: DemandSeries,
  values: Float64Array,
  start: number,
  end: number,
  lastValues: Float64Array,
): Fitted {
  const base = Math.round(startMs / stepMs);
  const column = values.subarray(start, end);
  let sum = 0;
  let largest = 0;
  for (const x of column) {
    sum += x;
    if (x > largest) largest = x;
  }
  const scale = sum > 0 ? sum / column.length : 1;
  return {
    startIndex: base + start,
    endIndex: base + end,
    lastValues,
    scale,
    cap: sum > 0 ? RUNAWAY * largest : Infinity,
    model: method.fit(
      column.map((x) => x / scale),
      { startMs: (base + start) * stepMs, stepMs },
    ),
  };
}

/** A bucket of the refit interval that belongs to a series, from its name (FNV-1a). */
function phaseOf(history: DemandSeries, every: number): number {
  let hash = 0x811c9dc5;
  for (const char of `${history.key.modelId}\n${history.key.regionId}`)
    hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  return (hash >>> 0) % every;
}

function modulo(a: number, n: number): number {
  return ((a % n) + n) % n;
}

function sameValues(a: Float64Array, b: Float64Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
