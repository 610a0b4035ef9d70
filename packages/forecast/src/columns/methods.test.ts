import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY, noisyDays, STEP_MS } from '../fixtures.js';
import { arimaMethod } from './arima.js';
import { autoArimaMethod } from './auto-arima.js';
import { holtWintersMethod, simpleSmoothingMethod } from './exponential-smoothing.js';
import { fitHarmonics, harmonicMethod } from './harmonic.js';
import { linearTrendMethod } from './linear-trend.js';
import type { ColumnMethod } from './method.js';
import { movingAverageMethod } from './moving-average.js';
import { mstlMethod } from './mstl.js';
import { ridgeMethod } from './ridge.js';
import { seasonalNaiveMethod } from './seasonal-naive.js';
import { decompose, stlWindows } from './stl.js';

const METHODS: readonly ColumnMethod[] = [
  seasonalNaiveMethod('seasonal-naive', () => DAY),
  movingAverageMethod(),
  linearTrendMethod(),
  simpleSmoothingMethod(),
  holtWintersMethod({}),
  holtWintersMethod({ damped: true }),
  holtWintersMethod({ seasonal: 'multiplicative' }),
  holtWintersMethod({ seasonal: 'none' }),
  arimaMethod({ p: 3, d: 1, q: 2 }),
  arimaMethod({ p: 1, d: 0, q: 1, seasonalD: 1, seasonalQ: 1, season: DAY }),
  autoArimaMethod({ maxOrder: 2 }),
  harmonicMethod(),
  harmonicMethod({ logarithm: false }),
  mstlMethod(arimaMethod({ p: 1, d: 1, q: 1 }, { likelihood: 'conditional' }), {}),
  ridgeMethod({}),
];
const context = { startMs: Date.UTC(2024, 4, 13), stepMs: STEP_MS };
const FITTED = 5 * DAY;
const values = noisyDays(6, 'methods').map((x) => x / 1_000);

describe.each(METHODS.map((method) => [method.name, method] as const))('%s', (_, method) => {
  const model = method.fit(values.slice(0, FITTED), context);

  it('forecasts an origin from what lay before it alone', () => {
    const origins = [FITTED, FITTED + 6, FITTED + 50];
    const want = model.rolling(values, origins, 12);
    for (const [i, origin] of origins.entries()) {
      const changed = values.slice();
      changed.fill(77, origin);
      const again = model.rolling(changed, origins.slice(0, i + 1), 12);
      expect([...again.subarray(12 * i)]).toEqual([...want.subarray(12 * i, 12 * (i + 1))]);
    }
  });

  it('forecasts an origin alike alone and among others, and all finite', () => {
    const together = model.rolling(values, [FITTED, FITTED + 30], 6);
    const alone = model.rolling(values, [FITTED + 30], 6);
    expect([...together].every(Number.isFinite)).toBe(true);
    for (const [h, value] of alone.entries()) expect(together[6 + h]).toBeCloseTo(value, 9);
  });
});

/** Methods with a formula for the spread of their errors. */
const SPREAD = [
  'seasonal-naive',
  'ses',
  'holt-winters-additive',
  'holt-winters-additive-damped',
  'holt-winters-none',
  'arima(3,1,2)',
  'auto-arima',
];

describe.each(SPREAD.map((name) => [name]))('%s', (name) => {
  it('is less sure the further it looks ahead, and never certain', () => {
    const method = METHODS.find((one) => one.name === name)!;
    const deviations = [...method.fit(values.slice(0, FITTED), context).standardDeviations!(2 * DAY)];
    expect(deviations).toHaveLength(2 * DAY);
    expect(deviations[0]).toBeGreaterThan(0);
    for (const [h, deviation] of deviations.entries())
      expect(deviation).toBeGreaterThanOrEqual(h === 0 ? 0 : deviations[h - 1] * (1 - 1e-12));
    expect(deviations.at(-1)!).toBeGreaterThan(deviations[0]);
  });
});

/** Methods that add up: moving all values by a constant moves the forecast by it. */
const SHIFTED = METHODS.filter(({ name }) => !/multiplicative|log|auto|ridge/.test(name));

describe('equivariance', () => {
  it.each(SHIFTED.map((method) => [method.name, method] as const))('%s moves with a constant', (_, method) => {
    const moved = values.map((x) => x + 5);
    const forecast = method.fit(values.slice(0, FITTED), context).rolling(values, [FITTED], 6);
    const shifted = method.fit(moved.slice(0, FITTED), context).rolling(moved, [FITTED], 6);
    for (const [h, value] of forecast.entries()) expect(shifted[h]).toBeCloseTo(value + 5, 2);
  });

  it.each(METHODS.map((method) => [method.name, method] as const))('%s scales with its values', (_, method) => {
    const scaled = values.map((x) => x * 4);
    const forecast = method.fit(values.slice(0, FITTED), context).rolling(values, [FITTED], 6);
    const larger = method.fit(scaled.slice(0, FITTED), context).rolling(scaled, [FITTED], 6);
    for (const [h, value] of forecast.entries()) expect(larger[h] / 4).toBeCloseTo(value, 2);
  });
});

describe('Holt-Winters', () => {
  it('goes on with a wave on a line exactly', () => {
    const wave = Float64Array.from(
      { length: 4 * DAY },
      (_, t) => 200 + 0.1 * t + 40 * Math.sin((2 * Math.PI * t) / DAY),
    );
    const forecast = holtWintersMethod({}).fit(wave, context).rolling(wave, [wave.length], DAY);
    for (const [h, value] of forecast.entries()) {
      const t = wave.length + h;
      expect(Math.abs(value - (200 + 0.1 * t + 40 * Math.sin((2 * Math.PI * t) / DAY)))).toBeLessThan(0.5);
    }
  });
});

describe('STL', () => {
  it('adds up, and finds a season under noise', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 30 }), fc.integer({ min: 0, max: 1_000 }), (period, seed) => {
        const noise = noisyDays(1, seed).subarray(0, 8 * period);
        const y = noise.map((_, t) => 50 + 0.02 * t + 10 * Math.sin((2 * Math.PI * t) / period) + (noise[t] % 1));
        const { trend, seasonal, remainder } = decompose(y, stlWindows(period), { robustIterations: 1 });
        for (let t = 0; t < y.length; t++) expect(trend[t] + seasonal[t] + remainder[t]).toBeCloseTo(y[t], 9);
        const largest = Math.max(...remainder.map(Math.abs));
        expect(largest).toBeLessThan(2.5);
      }),
      { numRuns: 20 },
    );
  });
});

describe('harmonic regression', () => {
  it('finds the waves that a series was made of', () => {
    const y = Float64Array.from(
      { length: 3 * DAY },
      (_, t) => 7 + 2 * Math.sin((2 * Math.PI * t) / DAY) - 3 * Math.cos((4 * Math.PI * t) / DAY),
    );
    const { coefficients } = fitHarmonics(y, [{ period: DAY, harmonics: 2 }], false);
    for (const [i, want] of [7, 2, 0, 0, -3].entries()) expect(coefficients[i]).toBeCloseTo(want, 9);
  });

  it('learns weekends of their own once it has seen one', () => {
    const week = Float64Array.from(
      { length: 12 * DAY },
      (_, t) => (Math.floor(t / DAY) % 7 >= 5 ? 20 : 100) + 5 * Math.sin((2 * Math.PI * t) / DAY),
    );
    const saturday = harmonicMethod()
      .fit(week.slice(0, 12 * DAY), context)
      .rolling(week, [12 * DAY], 6);
    for (const value of saturday) expect(value).toBeLessThan(40);
  });
});
