import {
  type Awaitable,
  ConfigError,
  type DemandForecast,
  type DemandSeries,
  type Forecaster,
  type ForecastOptions,
  minOf,
} from '@sageserve/core';
import { checkHorizon, levelsOf } from './assemble.js';
import { type ColumnForecasterOptions, createColumnForecaster } from './column-forecaster.js';
import { createArimaForecaster, dailyArimaMethod } from './columns/arima.js';
import { createHoltWintersForecaster, createSimpleSmoothingForecaster } from './columns/exponential-smoothing.js';
import { createHarmonicForecaster } from './columns/harmonic.js';
import { createSeasonalNaiveForecaster } from './columns/seasonal-naive.js';
import { type CalibrationOptions, withCalibration } from './decorators/with-calibration.js';
import { withFallback } from './decorators/with-fallback.js';
import {
  createEnsembleForecaster,
  isAble,
  MOST_LOOKBACK_HOURS,
  recentErrors,
  rollingOver,
  rollMembers,
  type MemberForecasts,
  type RecentErrors,
} from './ensemble.js';
import { checkHistory, TOKEN_COLUMNS } from './history.js';
import { asRolling, type RollingForecaster } from './rolling.js';
import { forecastFromRolling, whenKnown } from './rolling-forecast.js';

export interface AutoOptions extends ColumnForecasterOptions {
  /**
   * What is chosen from, each by itself or all as an ensemble weighted by recent error;
   * {@link defaultMembers} by default.
   */
  readonly members?: readonly Forecaster[];
  /** What is chosen from only by itself; {@link defaultAlternatives} by default. */
  readonly alternatives?: readonly Forecaster[];
  /** Hours of past forecasts that the choice looks back on; 168 by default. */
  readonly lookbackHours?: number;
  /**
   * A single forecaster must be better than the ensemble by this share to be taken in its place;
   * 0.1 by default.
   */
  readonly preference?: number;
  readonly calibration?: CalibrationOptions;
}

/**
 * Three that fail in different ways: level, trend and season followed; yesterday's errors
 * corrected; a smooth shape of weekdays and weekends. Each needs a little over two days.
 */
export function defaultMembers(options: ColumnForecasterOptions = {}): RollingForecaster[] {
  return [
    createHoltWintersForecaster({ ...options, seasonal: 'multiplicative' }),
    createColumnForecaster(dailyArimaMethod(), options),
    createHarmonicForecaster(options),
  ];
}

/** What answers before the second day, and for series without a daily shape. */
export function defaultAlternatives(options: ColumnForecasterOptions = {}): RollingForecaster[] {
  return [
    createSimpleSmoothingForecaster(options),
    createArimaForecaster({ ...options, order: { p: 2, d: 1, q: 1 }, likelihood: 'conditional' }),
    createSeasonalNaiveForecaster(options),
  ];
}

/**
 * Chooses for each series, hour by hour, what forecast it best of late: a member, or the ensemble
 * of all weighted by their errors. The forecast's `method` says what and why. Quantiles are
 * calibrated, and a forecast always comes: with too little history for any member, the last value
 * is named as what answered.
 */
export function createAutoForecaster(options: AutoOptions = {}): Forecaster {
  const { lookbackHours = 168, preference = 0.1, calibration = {}, members, alternatives, ...column } = options;
  if (!(preference >= 0 && preference < 1))
    throw new ConfigError('preference', `must be from 0 to under 1, not ${preference}`);
  if (!Number.isInteger(lookbackHours) || lookbackHours < 1 || lookbackHours > MOST_LOOKBACK_HOURS)
    throw new ConfigError(
      'lookbackHours',
      `must be a whole number from 1 to ${MOST_LOOKBACK_HOURS}, not ${lookbackHours}`,
    );
  const chooser = createChooser(
    (members ?? defaultMembers(column)).map(asRolling),
    (alternatives ?? defaultAlternatives(column)).map(asRolling),
    lookbackHours,
    preference,
  );
  return { ...withFallback(withCalibration(chooser, calibration)), name: 'auto' };
}

function createChooser(
  members: readonly RollingForecaster[],
  alternatives: readonly RollingForecaster[],
  lookbackHours: number,
  preference: number,
): RollingForecaster {
  const ensemble = createEnsembleForecaster(members, { lookbackHours });
  const candidates = [ensemble, ...(members.length === 1 ? [] : members), ...alternatives];

  /** Position of what is taken at an origin; −1 where no candidate can forecast. */
  function choose(
    { members: said }: MemberForecasts,
    at: number,
    errors: RecentErrors | undefined,
    horizonSteps: number,
  ): number {
    if (errors === undefined) return said.findIndex((past) => isAble(past, at, horizonSteps));
    let best = -1;
    for (const [m, error] of errors.meanAbsolute.entries()) {
      if (Number.isNaN(error)) continue;
      // The ensemble comes first among the candidates and is hard to beat by anything but luck.
      if (best === -1 || error < errors.meanAbsolute[best] * (best === 0 ? 1 - preference : 1)) best = m;
    }
    return best;
  }

  const self: RollingForecaster = {
    name: 'auto',
    minHistorySteps: minOf(candidates.map((candidate) => candidate.minHistorySteps)),
    rolling: rollingOver(candidates, lookbackHours, (rolled, at, errors, past, i, horizonSteps) => {
      const chosen = choose(rolled, at, errors, horizonSteps);
      if (chosen === -1) return;
      for (const name of TOKEN_COLUMNS)
        for (const kind of ['mean', 'deviation'] as const)
          past[name][kind].set(
            rolled.members[chosen][name][kind].subarray(at * horizonSteps, (at + 1) * horizonSteps),
            i * horizonSteps,
          );
    }),
    forecast(history, horizonSteps, forecastOptions?: ForecastOptions): Awaitable<DemandForecast> {
      forecastOptions?.signal?.throwIfAborted();
      const levels = levelsOf(forecastOptions);
      checkHorizon(horizonSteps);
      checkHistory(history);
      return whenKnown(explain(history, horizonSteps), (why) =>
        forecastFromRolling(self, history, horizonSteps, levels, why),
      );
    },
  };

  function explain(history: DemandSeries, horizonSteps: number): Awaitable<string> {
    const origin = history.promptTokensPerS.length;
    return whenKnown(rollMembers(candidates, history, [origin], lookbackHours, horizonSteps), (rolled) => {
      const errors = recentErrors(rolled, history, origin, lookbackHours, horizonSteps);
      const chosen = choose(rolled, rolled.all.indexOf(origin), errors, horizonSteps);
      if (errors === undefined) return `auto: ${labelOf(chosen)}, nothing to compare yet`;
      const wape = (m: number): string => `${((100 * errors.meanAbsolute[m]) / (errors.meanActual || 1)).toFixed(1)} %`;
      const others = [...candidates.keys()]
        .filter((m) => m !== chosen && !Number.isNaN(errors.meanAbsolute[m]))
        .sort((a, b) => errors.meanAbsolute[a] - errors.meanAbsolute[b])
        .slice(0, 2)
        .map((m) => `${labelOf(m)} ${wape(m)}`);
      return (
        `auto: ${labelOf(chosen)}, WAPE ${wape(chosen)} over ${errors.hours} ` +
        `h${others.length === 0 ? '' : ` (${others.join(', ')})`}`
      );
    });
  }

  function labelOf(m: number): string {
    return candidates[m] === ensemble && members.length > 1 ? 'weighted ensemble' : (candidates[m]?.name ?? 'none');
  }

  return self;
}
