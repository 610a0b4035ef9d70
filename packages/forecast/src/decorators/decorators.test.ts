import type { DemandForecast, Forecaster } from '@sageserve/core';
import { createRng } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { backtest } from '../backtest.js';
import { createAutoForecaster } from '../auto.js';
import { createHoltWintersForecaster } from '../columns/exponential-smoothing.js';
import { createSeasonalNaiveForecaster } from '../columns/seasonal-naive.js';
import { adaptiveQuantiles } from '../conformal.js';
import { DAY, demandOf, noisyDays } from '../fixtures.js';
import { withCalibration } from './with-calibration.js';
import { withFallback } from './with-fallback.js';
import { withMargin } from './with-margin.js';

/** Forecasts half of what its inner forecaster does, and is far too sure of it. */
function spoiled(inner: Forecaster): Forecaster {
  const half = (column: DemandForecast['promptTokensPerS']): DemandForecast['promptTokensPerS'] => {
    const mean = column.mean.map((x) => x / 2);
    return {
      mean,
      quantiles: column.quantiles.map(({ level }) => ({ level, values: mean.map((x) => x * (0.99 + 0.02 * level)) })),
    };
  };
  return {
    name: 'spoiled',
    minHistorySteps: inner.minHistorySteps,
    async forecast(history, horizonSteps, options) {
      const forecast = await inner.forecast(history, horizonSteps, options);
      return {
        ...forecast,
        ...half(forecast),
        promptTokensPerS: half(forecast.promptTokensPerS),
        outputTokensPerS: half(forecast.outputTokensPerS),
        method: 'spoiled',
      };
    },
  };
}

describe('withCalibration', () => {
  const series = demandOf(noisyDays(12, 'calibration'));

  it('covers what it says, where the forecaster by itself does not', async () => {
    const bad = spoiled(createSeasonalNaiveForecaster());
    const [own, calibrated] = await backtest([series], [bad, withCalibration(bad)], { firstStep: 6 * DAY });
    expect(own.buckets.under90).toBeLessThan(0.2);
    expect(calibrated.buckets.under90).toBeGreaterThan(0.86);
    expect(calibrated.buckets.under90).toBeLessThan(0.94);
    expect(calibrated.answeredBy[0]).toMatch(/spoiled; quantiles calibrated on \d+ past hours/);
  });

  it('covers the peaks of the horizon where they are its target', async () => {
    const naive = createSeasonalNaiveForecaster();
    const [buckets, peaks] = await backtest(
      [series],
      [withCalibration(naive), withCalibration(naive, { target: 'peak' })],
      { firstStep: 6 * DAY },
    );
    expect(Math.abs(peaks.peaks.under90! - 0.9)).toBeLessThan(0.04);
    expect(Math.abs(peaks.peaks.bias!)).toBeLessThanOrEqual(Math.abs(buckets.peaks.bias!) + 0.01);
  });

  it('does not blow a miss of nothing up into more than was ever seen', async () => {
    const rng = createRng('bursts');
    let on = false;
    const bursts = Float64Array.from({ length: 8 * DAY }, () => {
      if (rng.next() < 0.05) on = !on;
      return on ? 1_000 + 100 * rng.next() : 0;
    });
    for (const target of ['bucket', 'peak'] as const) {
      const [result] = await backtest([demandOf(bursts)], [createAutoForecaster({ calibration: { target } })], {
        firstStep: 6 * DAY,
        everySteps: 12,
      });
      for (const { values } of result.quantiles) expect(Math.max(...values)).toBeLessThan(3 * 1_375);
    }
  });

  it('leaves a forecaster alone until it has seen enough of its errors', async () => {
    const forecast = await withCalibration(createSeasonalNaiveForecaster()).forecast(
      demandOf(noisyDays(1.5, 'short')),
      6,
    );
    expect(forecast.method).toBe('seasonal-naive-day');
  });

  it('remembers what was forecast, and makes it anew where the day before turns out to have been otherwise', async () => {
    const inner = createSeasonalNaiveForecaster();
    const asked: number[] = [];
    const foreign: Forecaster = {
      name: 'foreign',
      minHistorySteps: DAY,
      forecast(history, horizonSteps, options) {
        asked.push(history.promptTokensPerS.length);
        return inner.forecast(history, horizonSteps, options);
      },
    };
    const forecaster = withCalibration(foreign, { lookbackHours: 48 });
    const values = noisyDays(6, 'late');
    await forecaster.forecast(demandOf(values), 6);
    expect(asked).toHaveLength(48 + 1);
    asked.length = 0;
    await forecaster.forecast(demandOf(values), 6);
    expect(asked).toEqual([6 * DAY]);
    asked.length = 0;
    const late = values.slice();
    late[5 * DAY - 1] *= 3;
    await forecaster.forecast(demandOf(late), 6);
    // The hours up to a day after the bucket that changed, the last of which is the newest full
    // hour.
    expect(asked.slice(0, -1)).toEqual(Array.from({ length: 24 }, (_, k) => 5 * DAY + 6 * k));
  });
});

describe('adaptiveQuantiles', () => {
  it('covers in the long run, also when errors grow', () => {
    const rng = createRng('adaptive');
    const errors = Float64Array.from({ length: 2_000 }, (_, t) => (rng.next() - 0.5) * (t < 1_000 ? 1 : 4));
    let hits = 0;
    for (let t = 200; t < errors.length; t++) {
      const [q] = adaptiveQuantiles(errors.subarray(Math.max(0, t - 300), t), [0.9], { window: 168, rate: 0.03 });
      if (errors[t] <= q) hits++;
    }
    expect(Math.abs(hits / 1_800 - 0.9)).toBeLessThan(0.02);
  });

  it('never lets quantiles cross', () => {
    const rng = createRng('cross');
    const errors = Array.from({ length: 120 }, () => rng.next() ** 3);
    const found = adaptiveQuantiles(errors, [0.1, 0.5, 0.9, 0.95], { window: 60, rate: 0.3 });
    expect(found).toEqual(found.toSorted((a, b) => a - b));
  });
});

describe('withFallback', () => {
  const failing = (message: string): Forecaster => ({
    name: 'failing',
    minHistorySteps: 1,
    forecast: () => {
      throw new Error(message);
    },
  });

  it('answers for buckets of any length', async () => {
    for (const stepMs of [60_000, 420_000, 3_600_000, 86_400_000]) {
      const forecast = await createAutoForecaster().forecast({ ...demandOf(noisyDays(1, stepMs)), stepMs }, 6);
      expect(forecast.mean.every((x) => Number.isFinite(x) && x > 0)).toBe(true);
    }
  });

  it('names what answered and why the others did not', async () => {
    const chain = withFallback(
      failing('no luck'),
      createHoltWintersForecaster(),
      createSeasonalNaiveForecaster({ season: 1 }),
    );
    const forecast = await chain.forecast(demandOf([4, 5, 6]), 2);
    expect([...forecast.promptTokensPerS.mean]).toEqual([6, 6]);
    expect(forecast.method).toMatch(
      /^last-value \(fallback: failing: no luck; holt-winters-additive: .* needs 291 buckets/,
    );
  });

  it.each([
    ['nothing at all', [], 0, /^nothing observed/],
    ['gaps only', [NaN, NaN], 0, /^nothing observed/],
    ['a single bucket', [9], 9, /^last value/],
    ['an hour', [5, 5, 5, 5, 5, 5], 5, /./],
  ])('answers after %s', async (_, values, want, method) => {
    const forecast = await createAutoForecaster().forecast(
      demandOf(
        values,
        values.map((x) => x * 0),
      ),
      6,
    );
    for (const mean of forecast.mean) expect(mean).toBeCloseTo(want, 6);
    expect(forecast.method).toMatch(method);
    for (const { values: quantile } of forecast.quantiles) expect(quantile.every(Number.isFinite)).toBe(true);
  });

  it('takes negative and infinite buckets as not observed, and says so', async () => {
    const values = noisyDays(4, 'repair');
    values[100] = -5;
    values[200] = Infinity;
    const forecast = await createAutoForecaster().forecast(
      demandOf(
        values,
        values.map(() => 1),
      ),
      6,
    );
    expect(forecast.method).toMatch(/2 buckets were negative or infinite and count as not observed/);
    expect(forecast.mean.every((x) => Number.isFinite(x) && x > 0)).toBe(true);
  });

  it('does not take numbers that are none', async () => {
    const broken: Forecaster = {
      name: 'broken',
      minHistorySteps: 1,
      async forecast(history, horizonSteps, options) {
        const forecast = await createSeasonalNaiveForecaster({ season: 1 }).forecast(history, horizonSteps, options);
        return { ...forecast, mean: forecast.mean.fill(NaN) };
      },
    };
    expect((await withFallback(broken).forecast(demandOf([1, 2, 3]), 3)).method).toMatch(
      /^last value \(fallback: broken: answered with numbers that are not finite, or without a quantile/,
    );
  });

  it('lets an abort through', async () => {
    const signal = AbortSignal.abort(new Error('stop'));
    const aborted: Forecaster = {
      name: 'aborted',
      minHistorySteps: 0,
      forecast: () => Promise.reject(new Error('stop')),
    };
    await expect(async () => withFallback(aborted).forecast(demandOf([1]), 1, { signal })).rejects.toThrow('stop');
  });
});

describe('withMargin', () => {
  it('raises mean and quantiles, and both columns so that they add up', async () => {
    const history = demandOf([100, 100, 100]);
    const forecast = await withMargin(createSeasonalNaiveForecaster({ season: 1 }), {
      share: 0.1,
      tokensPerS: 12.5,
    }).forecast(history, 2);
    expect(forecast.mean[0]).toBeCloseTo(150, 9);
    expect(forecast.promptTokensPerS.mean[0]).toBeCloseTo(120, 9);
    expect(forecast.outputTokensPerS.mean[0]).toBeCloseTo(30, 9);
    expect(forecast.method).toBe('last-value, +10 % +12.5 tokens/s');
    expect(() => withMargin(createSeasonalNaiveForecaster(), { share: -1 })).toThrow(
      /share: must be a number of 0 or more, not -1/,
    );
  });
});
