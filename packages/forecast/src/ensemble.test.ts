import type { Forecaster } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { createAutoForecaster, defaultMembers } from './auto.js';
import { backtest } from './backtest.js';
import { createHoltWintersForecaster } from './columns/exponential-smoothing.js';
import { createMovingAverageForecaster } from './columns/moving-average.js';
import { createSeasonalNaiveForecaster } from './columns/seasonal-naive.js';
import { createEnsembleForecaster } from './ensemble.js';
import { DAY, demandOf, noisyDays } from './fixtures.js';

const series = demandOf(noisyDays(9, 'ensemble'));

describe('ensembles', () => {
  it('take the mean and the median of their members', async () => {
    const values = [10, 20, 60].map((_, k) => createMovingAverageForecaster({ window: k + 1 }));
    const history = demandOf([60, 20, 10]);
    const [a, b, c] = await Promise.all(values.map(async (f) => (await f.forecast(history, 1)).mean[0]));
    expect((await createEnsembleForecaster(values, { combine: 'mean' }).forecast(history, 1)).mean[0]).toBeCloseTo(
      (a + b + c) / 3,
      9,
    );
    expect((await createEnsembleForecaster(values, { combine: 'median' }).forecast(history, 1)).mean[0]).toBeCloseTo(
      [a, b, c].sort((x, y) => x - y)[1],
      9,
    );
  });

  it('weigh a member down that was wrong of late', async () => {
    const good = createHoltWintersForecaster();
    const weighted = createEnsembleForecaster([good, createMovingAverageForecaster({ window: DAY })]);
    const [one, both] = await Promise.all([good, weighted].map(async (f) => f.forecast(series, 6)));
    for (const [h, mean] of both.mean.entries()) expect(Math.abs(mean / one.mean[h] - 1)).toBeLessThan(0.02);
  });

  it('leave out members that lack history, and refuse to be empty', async () => {
    const history = demandOf(noisyDays(1, 'day'));
    const forecast = await createEnsembleForecaster([createHoltWintersForecaster(), createSeasonalNaiveForecaster()], {
      combine: 'mean',
    }).forecast(history, 3);
    expect([...forecast.mean]).toEqual([...(await createSeasonalNaiveForecaster().forecast(history, 3)).mean]);
    expect(() => createEnsembleForecaster([])).toThrow(/members: needs at least one forecaster/);
  });

  it('take in forecasters of others, which only know forecast()', async () => {
    const inner = createSeasonalNaiveForecaster();
    const foreign: Forecaster = {
      name: 'foreign',
      minHistorySteps: DAY,
      forecast: async (h, n, o) => inner.forecast(h, n, o),
    };
    const [mixed, own] = await Promise.all(
      [foreign, inner].map(async (member) =>
        createEnsembleForecaster([member, createHoltWintersForecaster()]).forecast(series, 6),
      ),
    );
    for (const [h, mean] of own.mean.entries()) expect(mixed.mean[h]).toBeCloseTo(mean, 6);
  });
});

describe('auto', () => {
  it('is within a tenth of the best of its members on series of different kinds', async () => {
    const kinds = [
      noisyDays(9, 'calm', 0.02),
      noisyDays(9, 'wild', 0.2),
      noisyDays(9, 'flat', 0.1).map((x, t) => x / (1 + 0.6 * Math.sin((2 * Math.PI * t) / DAY))),
    ];
    for (const values of kinds) {
      const [auto, ...members] = await backtest([demandOf(values)], [createAutoForecaster(), ...defaultMembers()], {
        firstStep: 6 * DAY,
        everySteps: 12,
      });
      expect(auto.buckets.wape!).toBeLessThan(1.1 * Math.min(...members.map((m) => m.buckets.wape!)));
    }
  });

  it('says what it chose and why', async () => {
    const forecast = await createAutoForecaster().forecast(series, 6);
    expect(forecast.method).toMatch(/^auto: .+, WAPE \d+\.\d % over 1\d\d h \(.+ \d+\.\d %, .+ \d+\.\d %\)/);
    const alone = await createAutoForecaster({
      members: [createMovingAverageForecaster()],
      alternatives: [createHoltWintersForecaster()],
    }).forecast(series, 6);
    expect(alone.method).toMatch(/^auto: holt-winters-additive/);
  });

  it('gives the same forecast from a history that came hour by hour and from one that came at once', async () => {
    const hourly = createAutoForecaster();
    for (let end = 5 * DAY; end <= series.promptTokensPerS.length; end += 6)
      await hourly.forecast(demandOf(series.promptTokensPerS.subarray(0, end)), 6);
    const [a, b] = await Promise.all([hourly, createAutoForecaster()].map(async (f) => f.forecast(series, 6)));
    for (const [h, mean] of b.mean.entries()) expect(Math.abs(a.mean[h] / mean - 1)).toBeLessThan(0.02);
  });
});
