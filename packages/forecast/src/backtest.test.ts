import type { DemandSeries, Forecaster } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { bias, coverage, mase, pinballLoss, quantile, seasonalNaiveError, smape, wape } from './accuracy.js';
import { backtest, BACKTEST_LEVELS, poolBacktests } from './backtest.js';
import { createSeasonalNaiveForecaster } from './columns/seasonal-naive.js';
import { DAY, demandOf, noisyDays } from './fixtures.js';

describe('accuracy', () => {
  it('follows its definitions', () => {
    const actual = [10, 20, 30];
    const forecast = [12, 18, 33];
    expect(wape(actual, forecast)).toBeCloseTo(7 / 60, 12);
    expect(bias(actual, forecast)).toBeCloseTo(0.05, 12);
    expect(smape(actual, forecast)).toBeCloseTo((4 / 22 + 4 / 38 + 6 / 63) / 3, 12);
    expect(mase(actual, forecast, seasonalNaiveError([1, 5, 2, 6, 3, 8], 2))).toBeCloseTo(7 / 3 / 1.25, 12);
    expect(pinballLoss(actual, [13, 21, 29], 0.9)).toBeCloseTo((0.3 + 0.1 + 0.9) / 3, 12);
    expect(coverage(actual, [13, 21, 29])).toBeCloseTo(2 / 3, 12);
    expect(coverage(actual, [13, 21, 40], [11, 15, 20])).toBeCloseTo(2 / 3, 12);
    expect(quantile([12, 15, 11, 30, 28, 14], 0.95)).toBeCloseTo(29.5, 12);
  });

  it('is undefined where there is nothing to divide by', () => {
    expect(wape([0, 0], [0, 1])).toBeUndefined();
    expect(bias([0], [1])).toBeUndefined();
    expect(seasonalNaiveError([2, 2], 1)).toBeUndefined();
    expect([smape([], []), mase([], [], 1), pinballLoss([], [], 0.5), coverage([], []), quantile([], 0.5)]).toEqual(
      Array(5).fill(undefined),
    );
  });
});

describe('backtest', () => {
  const series = demandOf(noisyDays(4, 'backtest'));

  it('shows a forecaster what lay before each origin and nothing else', async () => {
    const seen: DemandSeries[] = [];
    const inner = createSeasonalNaiveForecaster();
    const spy: Forecaster = {
      ...inner,
      forecast: (history, n, o) => (seen.push(history), inner.forecast(history, n, o)),
    };
    const [result] = await backtest([series], [spy], {
      firstStep: 2 * DAY,
      everySteps: 60,
      horizonSteps: 12,
      historySteps: DAY,
    });
    expect(result.origins).toEqual([288, 348, 408, 468, 528]);
    expect(
      seen.map((history) => (history.startMs - series.startMs) / series.stepMs + history.promptTokensPerS.length),
    ).toEqual(result.origins);
    expect(seen.every((history) => history.promptTokensPerS.length === DAY)).toBe(true);
    for (const [h, mean] of result.mean.subarray(0, 12).entries())
      expect(mean).toBeCloseTo(1.25 * series.promptTokensPerS[144 + h], 9);
    expect(result.quantiles.map(({ level }) => level)).toEqual(BACKTEST_LEVELS);
    expect(result.msPerForecast).toBeUndefined();
  });

  it('leaves out what was not observed, and a peak of which a part was not', async () => {
    const values = noisyDays(4, 'holes');
    values.fill(NaN, 300, 303);
    const [result] = await backtest([demandOf(values)], [createSeasonalNaiveForecaster()], {
      firstStep: 288,
      everySteps: 6,
    });
    expect(result.buckets.count).toBe(6 * 48 - 3);
    expect(result.peaks.count).toBe(47);
    expect(result.buckets.wape).toBeGreaterThan(0);
  });

  it('pools series by their size', async () => {
    const small = demandOf(noisyDays(4, 'small').map((x) => x / 1e6));
    const results = await backtest([series, small], [createSeasonalNaiveForecaster()], { everySteps: 30 });
    expect(poolBacktests(results).buckets.wape).toBeCloseTo(results[0].buckets.wape!, 4);
    expect(poolBacktests(results).buckets.count).toBe(2 * results[0].buckets.count);
  });

  it('stops when told, and refuses a series that is too short', async () => {
    await expect(
      backtest([series], [createSeasonalNaiveForecaster()], { signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
    await expect(backtest([demandOf(noisyDays(1, 'short'))], [createSeasonalNaiveForecaster()])).rejects.toThrow(
      /firstStep: model in region has 144 buckets, too few for a forecast of 6 from 288 on/,
    );
  });
});
