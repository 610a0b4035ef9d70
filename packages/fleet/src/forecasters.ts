import { ConfigError, DEFAULT_DEMAND_STEP_MS, type Forecaster, MissingDependencyError } from '@sageserve/core';
import {
  createArimaForecaster,
  createAutoArimaForecaster,
  createAutoForecaster,
  createEnsembleForecaster,
  createHarmonicForecaster,
  createHoltWintersForecaster,
  createLinearTrendForecaster,
  createMovingAverageForecaster,
  createMstlForecaster,
  createRidgeForecaster,
  createSeasonalNaiveForecaster,
  createSimpleSmoothingForecaster,
  defaultMembers,
  stepsPerDay,
} from '@sageserve/forecast';
import { numbers, type PolicyOptions } from './policy-options.js';

type Make = (options: PolicyOptions) => Forecaster;

/**
 * Bucket length that a forecaster's season is made for; 10 minutes unless an option says otherwise.
 */
function withStep<T>(options: PolicyOptions, make: (stepMs: number) => T): T {
  return make(typeof options['stepMs'] === 'number' ? options['stepMs'] : DEFAULT_DEMAND_STEP_MS);
}

/** Names → forecasters. `stepMs` is an option of every one. */
export const FORECASTERS: Readonly<Record<string, Make>> = {
  auto: (o) => {
    const { target, ...rest } = o;
    if (target !== undefined && target !== 'bucket' && target !== 'peak')
      throw new ConfigError('target', 'must be bucket or peak');
    return createAutoForecaster({
      ...numbers(rest, ['stepMs', 'lookbackHours', 'preference']),
      calibration: target === undefined ? {} : { target },
    });
  },
  'last-value': (o) => createSeasonalNaiveForecaster({ ...numbers(o, ['stepMs']), season: 1 }),
  'seasonal-naive-day': (o) => createSeasonalNaiveForecaster({ ...numbers(o, ['stepMs']), season: 'day' }),
  'seasonal-naive-week': (o) => createSeasonalNaiveForecaster({ ...numbers(o, ['stepMs']), season: 'week' }),
  'moving-average': (o) => createMovingAverageForecaster(numbers(o, ['stepMs', 'window'])),
  'linear-trend': (o) => createLinearTrendForecaster(numbers(o, ['stepMs', 'window'])),
  ses: (o) => createSimpleSmoothingForecaster(numbers(o, ['stepMs'])),
  'holt-winters': (o) => createHoltWintersForecaster({ ...numbers(o, ['stepMs', 'season']), seasonal: 'additive' }),
  'holt-winters-multiplicative': (o) =>
    createHoltWintersForecaster({ ...numbers(o, ['stepMs', 'season']), seasonal: 'multiplicative' }),
  'holt-winters-damped': (o) =>
    createHoltWintersForecaster({ ...numbers(o, ['stepMs', 'season']), seasonal: 'multiplicative', damped: true }),
  arima: (o) => {
    const { p = 3, d = 1, q = 2, ...rest } = numbers(o, ['stepMs', 'p', 'd', 'q']);
    return createArimaForecaster({ ...rest, order: { p, d, q } });
  },
  sarima: (o) =>
    withStep(o, (stepMs) => {
      const {
        p = 1,
        d = 0,
        q = 1,
        seasonalP = 0,
        seasonalD = 1,
        seasonalQ = 1,
        season = stepsPerDay(stepMs),
        ...rest
      } = numbers(o, ['stepMs', 'p', 'd', 'q', 'seasonalP', 'seasonalD', 'seasonalQ', 'season']);
      return createArimaForecaster({ ...rest, order: { p, d, q, seasonalP, seasonalD, seasonalQ, season } });
    }),
  'auto-arima': (o) => createAutoArimaForecaster(numbers(o, ['stepMs', 'season', 'maxOrder'])),
  harmonic: (o) => createHarmonicForecaster(numbers(o, ['stepMs', 'dailyHarmonics', 'utcOffsetHours'])),
  mstl: (o) => createMstlForecaster(numbers(o, ['stepMs', 'iterations', 'robustIterations'])),
  ridge: (o) => createRidgeForecaster(numbers(o, ['stepMs', 'penalty'])),
  'ensemble-mean': (o) => createEnsembleForecaster(defaultMembers(numbers(o, ['stepMs'])), { combine: 'mean' }),
  'ensemble-median': (o) => createEnsembleForecaster(defaultMembers(numbers(o, ['stepMs'])), { combine: 'median' }),
  'ensemble-weighted': (o) => {
    const { lookbackHours, power, ...rest } = numbers(o, ['stepMs', 'lookbackHours', 'power']);
    return createEnsembleForecaster(defaultMembers(rest), {
      ...(lookbackHours === undefined ? {} : { lookbackHours }),
      ...(power === undefined ? {} : { power }),
    });
  },
  neural: (o) => neural(numbers(o, ['stepMs', 'seed', 'epochs', 'units', 'horizonSteps'])),
};

/** The neural forecaster of `@sageserve/forecast-tfjs`, which is loaded when it is first asked. */
function neural(options: {
  readonly stepMs?: number;
  readonly seed?: number;
  readonly epochs?: number;
  readonly units?: number;
  readonly horizonSteps?: number;
}): Forecaster {
  let loaded: Promise<Forecaster> | undefined;
  const load = async (): Promise<Forecaster> => {
    try {
      const { createNeuralForecaster } = await import('@sageserve/forecast-tfjs');
      return createNeuralForecaster(options);
    } catch (cause) {
      if ((cause as { code?: string }).code === 'ERR_MODULE_NOT_FOUND')
        throw new MissingDependencyError('@sageserve/forecast-tfjs', 'the forecaster "neural"', cause);
      throw cause;
    }
  };
  return {
    name: 'neural',
    minHistorySteps: 3 * stepsPerDay(options.stepMs ?? DEFAULT_DEMAND_STEP_MS),
    async forecast(history, horizonSteps, forecastOptions) {
      loaded ??= load();
      return (await loaded).forecast(history, horizonSteps, forecastOptions);
    },
  };
}
