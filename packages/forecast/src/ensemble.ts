import {
  type Awaitable,
  ConfigError,
  type DemandForecast,
  type DemandSeries,
  type Forecaster,
  type ForecastOptions,
  isThenable,
  minOf,
  power,
} from '@sageserve/core';
import { checkHorizon, levelsOf } from './assemble.js';
import { checkHistory, TOKEN_COLUMNS } from './history.js';
import {
  asRolling,
  emptyPast,
  hourlyOrigins,
  type PastForecasts,
  PastMemory,
  type RollingForecaster,
  strideOf,
} from './rolling.js';
import { forecastFromRolling, whenKnown } from './rolling-forecast.js';

export interface EnsembleOptions {
  /** `weighted` (default) by the inverse of each member's recent error, `mean`, or `median`. */
  readonly combine?: 'weighted' | 'mean' | 'median';
  /** Hours of past forecasts that weights are taken from; 96 by default. */
  readonly lookbackHours?: number;
  /**
   * The inverse error is raised to this: 0 is the plain mean, large values pick the best; 8 by
   * default.
   */
  readonly power?: number;
}

/**
 * Mean absolute error of each member over its recent forecasts of prompt and output tokens
 * together; undefined without any.
 */
export interface RecentErrors {
  /** By member; NaN for one that could not forecast. */
  readonly meanAbsolute: readonly number[];
  readonly meanActual: number;
  readonly hours: number;
}

/**
 * What every member said at `all`, the sorted union of hourly origins and those asked for, and how
 * far it was off.
 */
export interface MemberForecasts {
  readonly all: readonly number[];
  readonly members: readonly PastForecasts[];
  /**
   * Sum of absolute errors over the horizon, origins × members; NaN where the member had no
   * forecast. Steps that were not observed do not count.
   */
  readonly missed: Float64Array;
  /** Sum of what came over the horizon, and the steps of it that were observed, by origin. */
  readonly came: Float64Array;
  readonly steps: Int32Array;
}

/** A year. */
export const MOST_LOOKBACK_HOURS = 8_784;

/** What the members said at `origins` and in the `lookbackHours` before them. */
export function rollMembers(
  members: readonly RollingForecaster[],
  history: DemandSeries,
  origins: readonly number[],
  lookbackHours: number,
  horizonSteps: number,
): Awaitable<MemberForecasts> {
  const earliest = origins[0] - lookbackHours * strideOf(history.stepMs);
  const grid = hourlyOrigins(history, Number.MAX_SAFE_INTEGER, 1).filter(
    (origin) => origin >= earliest && origin < origins.at(-1)!,
  );
  const all = [...new Set([...grid, ...origins])].sort((a, b) => a - b);
  const found: Awaitable<PastForecasts>[] = members.map((member) => member.rolling(history, all, horizonSteps));
  if (found.some(isThenable))
    return Promise.all(found.map(async (past) => past)).then((done) => scored(done, history, all, horizonSteps));
  return scored(found as PastForecasts[], history, all, horizonSteps);
}

function scored(
  members: readonly PastForecasts[],
  history: DemandSeries,
  all: readonly number[],
  horizonSteps: number,
): MemberForecasts {
  const missed = new Float64Array(all.length * members.length);
  const came = new Float64Array(all.length);
  const steps = new Int32Array(all.length);
  for (const [i, from] of all.entries()) {
    for (let h = 0; h < horizonSteps; h++) {
      const actual = history.promptTokensPerS[from + h] + history.outputTokensPerS[from + h];
      // Not observed, or not yet.
      if (!(actual >= 0)) continue;
      came[i] += actual;
      steps[i]++;
      const k = i * horizonSteps + h;
      for (let m = 0; m < members.length; m++)
        missed[i * members.length + m] += Math.abs(
          actual - members[m].promptTokensPerS.mean[k] - members[m].outputTokensPerS.mean[k],
        );
    }
  }
  return { all, members, missed, came, steps };
}

/**
 * Errors that were known at `origin`, over those forecasts that every able member made and whose
 * horizon was over by then.
 */
export function recentErrors(
  { all, members, missed, came, steps }: MemberForecasts,
  history: DemandSeries,
  origin: number,
  lookbackHours: number,
  horizonSteps: number,
): RecentErrors | undefined {
  const at = all.indexOf(origin);
  const able = members.map((past) => isAble(past, at, horizonSteps));
  const sums = members.map(() => 0);
  let total = 0;
  let count = 0;
  let hours = 0;
  const earliest = origin - lookbackHours * strideOf(history.stepMs);
  for (let i = at - 1; i >= 0 && all[i] >= earliest; i--) {
    if (all[i] + horizonSteps > origin || steps[i] === 0) continue;
    if (able.some((is, m) => is && Number.isNaN(missed[i * members.length + m]))) continue;
    for (let m = 0; m < members.length; m++) sums[m] += missed[i * members.length + m];
    total += came[i];
    count += steps[i];
    hours++;
  }
  if (count === 0) return undefined;
  return { meanAbsolute: sums.map((sum, m) => (able[m] ? sum / count : NaN)), meanActual: total / count, hours };
}

/**
 * Writes what is said at the `i`-th origin, which is the `at`-th of all that were rolled, into
 * `past`.
 */
type Combine = (
  rolled: MemberForecasts,
  at: number,
  errors: RecentErrors | undefined,
  past: PastForecasts,
  i: number,
  horizonSteps: number,
) => void;

/**
 * `rolling` of a forecaster that is made of others: at each origin it is told what they said and
 * how wrong they had been by then.
 */
export function rollingOver(
  members: readonly RollingForecaster[],
  lookbackHours: number,
  combine: Combine,
): RollingForecaster['rolling'] {
  const memory = new PastMemory();
  return (history, origins, horizonSteps) => {
    checkHorizon(horizonSteps);
    checkHistory(history);
    if (origins.length === 0) return emptyPast(0, horizonSteps);
    return memory.recall(history, origins, horizonSteps, (missing) =>
      whenKnown(rollMembers(members, history, missing, lookbackHours, horizonSteps), (rolled) => {
        const past = emptyPast(missing.length, horizonSteps);
        for (const [i, origin] of missing.entries())
          combine(
            rolled,
            rolled.all.indexOf(origin),
            recentErrors(rolled, history, origin, lookbackHours, horizonSteps),
            past,
            i,
            horizonSteps,
          );
        return past;
      }),
    );
  };
}

/** Whether a member has a forecast from the `at`-th origin. */
export function isAble(member: PastForecasts, at: number, horizonSteps: number): boolean {
  return !Number.isNaN(member.promptTokensPerS.mean[at * horizonSteps]);
}

/**
 * Several forecasters as one: the mean, the median, or the mean weighted by how well each did
 * lately. Members that lack history are left out until they have it. Throws `ConfigError` without
 * members, `ForecastHistoryError` where no member can forecast.
 */
export function createEnsembleForecaster(
  forecasters: readonly Forecaster[],
  options: EnsembleOptions = {},
): RollingForecaster {
  const { combine = 'weighted', lookbackHours = 96, power: exponent = 8 } = options;
  if (forecasters.length === 0) throw new ConfigError('members', 'needs at least one forecaster');
  if (!['weighted', 'mean', 'median'].includes(combine))
    throw new ConfigError('combine', `must be weighted, mean or median, not ${combine}`);
  if (!Number.isInteger(lookbackHours) || lookbackHours < 1 || lookbackHours > MOST_LOOKBACK_HOURS)
    throw new ConfigError(
      'lookbackHours',
      `must be a whole number from 1 to ${MOST_LOOKBACK_HOURS}, not ${lookbackHours}`,
    );
  if (!(exponent >= 0 && Number.isFinite(exponent)))
    throw new ConfigError('power', `must be a number of 0 or more, not ${exponent}`);
  const members = forecasters.map(asRolling);
  const name = `${combine}(${members.map((m) => m.name).join(', ')})`;

  const weightsOf = (
    { members: said }: MemberForecasts,
    at: number,
    errors: RecentErrors | undefined,
    horizonSteps: number,
  ): number[] => {
    const able = said.map((past) => (isAble(past, at, horizonSteps) ? 1 : 0));
    if (combine !== 'weighted' || errors === undefined) return able;
    const least = minOf(errors.meanAbsolute.filter((e) => !Number.isNaN(e)));
    const tiny = 1e-9 * errors.meanActual + Number.MIN_VALUE;
    return errors.meanAbsolute.map((error, m) =>
      able[m] === 1 ? power((least + tiny) / (error + tiny), exponent) : 0,
    );
  };

  const self: RollingForecaster = {
    name,
    minHistorySteps: minOf(members.map((m) => m.minHistorySteps)),
    rolling: rollingOver(members, lookbackHours, (rolled, at, errors, past, i, horizonSteps) => {
      const weights = weightsOf(rolled, at, errors, horizonSteps);
      for (const column of TOKEN_COLUMNS) {
        for (const kind of ['mean', 'deviation'] as const) {
          for (let h = 0; h < horizonSteps; h++) {
            const said = rolled.members.map((m) => m[column][kind][at * horizonSteps + h]);
            past[column][kind][i * horizonSteps + h] = average(said, weights, combine === 'median');
          }
        }
      }
    }),
    forecast(history, horizonSteps, forecastOptions?: ForecastOptions): Awaitable<DemandForecast> {
      forecastOptions?.signal?.throwIfAborted();
      return forecastFromRolling(self, history, horizonSteps, levelsOf(forecastOptions), name);
    },
  };
  return self;
}

/** NaN where no member with weight has a value. */
function average(values: readonly number[], weights: readonly number[], median: boolean): number {
  if (median) {
    const seen = values.filter((value, m) => weights[m] > 0 && !Number.isNaN(value)).sort((a, b) => a - b);
    return seen.length === 0 ? NaN : (seen[(seen.length - 1) >> 1] + seen[seen.length >> 1]) / 2;
  }
  let sum = 0;
  let weight = 0;
  for (const [m, value] of values.entries()) {
    if (!(weights[m] > 0) || Number.isNaN(value)) continue;
    sum += weights[m] * value;
    weight += weights[m];
  }
  return weight > 0 ? sum / weight : NaN;
}
