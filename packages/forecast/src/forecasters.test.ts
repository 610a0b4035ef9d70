import type { Forecaster } from '@sageserve/core';
import { forecasterConformance } from '@sageserve/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAutoForecaster, defaultMembers } from './auto.js';
import { createArimaForecaster } from './columns/arima.js';
import { createAutoArimaForecaster } from './columns/auto-arima.js';
import { createHoltWintersForecaster, createSimpleSmoothingForecaster } from './columns/exponential-smoothing.js';
import { createHarmonicForecaster } from './columns/harmonic.js';
import { createLinearTrendForecaster } from './columns/linear-trend.js';
import { createMovingAverageForecaster } from './columns/moving-average.js';
import { createMstlForecaster } from './columns/mstl.js';
import { createRidgeForecaster } from './columns/ridge.js';
import { createSeasonalNaiveForecaster } from './columns/seasonal-naive.js';
import { withCalibration } from './decorators/with-calibration.js';
import { withFallback } from './decorators/with-fallback.js';
import { withMargin } from './decorators/with-margin.js';
import { createEnsembleForecaster, recentErrors, rollMembers } from './ensemble.js';
import { DAY, demandOf, noisyDays } from './fixtures.js';
import type { RollingForecaster } from './rolling.js';

const FORECASTERS: Readonly<Record<string, () => Forecaster>> = {
  'last value': () => createSeasonalNaiveForecaster({ season: 1 }),
  'seasonal naive, day': () => createSeasonalNaiveForecaster(),
  'seasonal naive, week': () => createSeasonalNaiveForecaster({ season: 'week' }),
  'moving average': () => createMovingAverageForecaster(),
  'linear trend': () => createLinearTrendForecaster(),
  'simple smoothing': () => createSimpleSmoothingForecaster(),
  'Holt-Winters, additive': () => createHoltWintersForecaster(),
  'Holt-Winters, multiplicative and damped': () =>
    createHoltWintersForecaster({ seasonal: 'multiplicative', damped: true }),
  'ARIMA(3,1,2)': () => createArimaForecaster(),
  'seasonal ARIMA': () =>
    createArimaForecaster({ order: { p: 1, d: 0, q: 1, seasonalD: 1, seasonalQ: 1, season: DAY } }),
  'automatic ARIMA': () => createAutoArimaForecaster({ maxOrder: 1 }),
  harmonic: () => createHarmonicForecaster(),
  MSTL: () => createMstlForecaster(),
  ridge: () => createRidgeForecaster(),
  'ensemble, mean': () =>
    createEnsembleForecaster([createSeasonalNaiveForecaster(), createHoltWintersForecaster()], { combine: 'mean' }),
  'ensemble, median': () => createEnsembleForecaster(defaultMembers(), { combine: 'median' }),
  'ensemble, weighted': () => createEnsembleForecaster(defaultMembers()),
  calibrated: () => withCalibration(createHoltWintersForecaster()),
  'calibrated on peaks': () => withCalibration(createSeasonalNaiveForecaster(), { target: 'peak' }),
  'with margin': () => withMargin(createMovingAverageForecaster(), { share: 0.2, tokensPerS: 5 }),
  auto: () => createAutoForecaster(),
};

describe.each(Object.entries(FORECASTERS))('%s', (_, create) => {
  for (const { name, run } of forecasterConformance(create)) it(name, run);
});

const ROLLING = [
  'Holt-Winters, additive',
  'seasonal ARIMA',
  'harmonic',
  'ridge',
  'ensemble, weighted',
  'calibrated',
  'MSTL',
  'moving average',
] as const;

describe('nothing that comes later changes what was forecast', () => {
  const past = 5 * DAY;
  const values = noisyDays(7, 'future');
  // Gaps before and across the origins, so that what fills them is looked at too.
  values.fill(NaN, 300, 310);
  values.fill(NaN, past - 4, past);
  values.fill(NaN, past + 20, past + 40);
  const changed = values.map((x, t) => (t < past ? x : (Number.isNaN(x) ? 1 : x) * 7));
  const origins = Array.from({ length: 40 }, (_, k) => past - 6 * (39 - k));

  it.each(ROLLING)('%s', async (name) => {
    // Beyond them there are origins that do lie later, as there are when a forecaster looks back.
    const asked = [...origins, past + 60, past + 120];
    const [a, b] = await Promise.all(
      [values, changed].map(async (v) => (FORECASTERS[name]() as RollingForecaster).rolling(demandOf(v), asked, 6)),
    );
    const cut = origins.length * 6;
    expect([...b.promptTokensPerS.mean.subarray(0, cut)]).toEqual([...a.promptTokensPerS.mean.subarray(0, cut)]);
    expect([...a.promptTokensPerS.mean.subarray(0, cut)].filter(Number.isFinite).length).toBeGreaterThan(cut / 2);
  });

  it('weights at an origin come from errors that were known by then', async () => {
    const members = (): RollingForecaster[] => [createSeasonalNaiveForecaster(), createMovingAverageForecaster()];
    const both = await Promise.all(
      [values, changed].map(async (v) =>
        recentErrors(await rollMembers(members(), demandOf(v), [past, past + 60], 48, 12), demandOf(v), past, 48, 12),
      ),
    );
    expect(both[1]).toEqual(both[0]);
    expect(both[0]!.hours).toBeGreaterThan(30);
  });
});

const quick = ['last value', 'moving average', 'linear trend', 'simple smoothing', 'ARIMA(3,1,2)'] as const;

describe('any history', () => {
  it('of finite numbers of 0 or more gives finite forecasts of 0 or more with quantiles in order', async () => {
    const value = fc.oneof(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.constant(0),
      fc.constant(NaN),
      fc.constant(1e-9),
      fc.constant(1e15),
      fc.constant(1e99),
      fc.constant(1e308),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { maxLength: 80 }),
        fc.constantFrom(...quick, 'auto' as const),
        fc.integer({ min: 1, max: 20 }),
        async (values, name, horizon) => {
          const forecast = await withFallback(FORECASTERS[name]()).forecast(demandOf(values), horizon);
          for (const column of [forecast, forecast.promptTokensPerS, forecast.outputTokensPerS]) {
            for (let h = 0; h < horizon; h++) {
              const path = column.quantiles.map(({ values: v }) => v[h]);
              expect([column.mean[h], ...path].every((x) => Number.isFinite(x) && x >= 0)).toBe(true);
              expect(path).toEqual(path.toSorted((a, b) => a - b));
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('scaled by k gives forecasts scaled by k', async () => {
    const history = noisyDays(4, 'scale');
    for (const name of ['auto', 'calibrated', 'ridge', 'MSTL', 'automatic ARIMA']) {
      const [one, many] = await Promise.all(
        [1, 1_024].map(async (k) => FORECASTERS[name]().forecast(demandOf(history.map((x) => x * k)), 6)),
      );
      for (const [h, mean] of one.mean.entries()) {
        expect(many.mean[h] / 1_024).toBeCloseTo(mean, 6);
        expect(many.quantiles[3].values[h] / 1_024).toBeCloseTo(one.quantiles[3].values[h], 6);
      }
    }
  });
});

describe('a history that is none', () => {
  const forecaster = createHoltWintersForecaster();

  it('is refused with the bucket and how to mend it', () => {
    const values = noisyDays(3, 'bad');
    values[7] = -1;
    expect(() => forecaster.forecast(demandOf(values), 6)).toThrow(
      /model in region: promptTokensPerS\[7\], the bucket of 2024-05-13T01:10:00.000Z, is -1/,
    );
    expect(() => forecaster.forecast(demandOf([1, 2, 3]), 6)).toThrow(
      /holt-winters-additive needs 291 buckets, and model in region has 3/,
    );
    expect(() => forecaster.forecast(demandOf([1, 2], [1]), 6)).toThrow(
      /outputTokensPerS has 1 buckets and promptTokensPerS 2/,
    );
    expect(() => forecaster.forecast({ ...demandOf(noisyDays(3, 1)), stepMs: 0 }, 6)).toThrow(
      /stepMs must be a positive number, not 0/,
    );
    expect(() => forecaster.forecast(demandOf(noisyDays(3, 1)), 0)).toThrow(
      /horizonSteps: must be a whole number from 1 to 1000000, not 0/,
    );
    expect(() => forecaster.forecast(demandOf(noisyDays(3, 1)), 6, { quantileLevels: [0.5, 1.5] })).toThrow(
      /quantileLevels: holds levels between 0 and 1, not 1.5/,
    );
  });
});

describe('gaps', () => {
  it('are filled from before, so that a missing hour does not count as no demand', async () => {
    const whole = noisyDays(4, 'gaps', 0.01);
    const gapped = whole.slice();
    gapped.fill(NaN, 4 * DAY - 8, 4 * DAY - 1);
    const [a, b] = await Promise.all(
      [whole, gapped].map(async (values) => createHoltWintersForecaster().forecast(demandOf(values), 6)),
    );
    for (const [h, mean] of a.mean.entries()) expect(Math.abs(b.mean[h] / mean - 1)).toBeLessThan(0.1);
  });
});
