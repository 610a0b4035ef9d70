import { createRng } from '@sageserve/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { armaLogLikelihood, stationary, unconstrained } from '../numeric/arma.js';
import { chooseOrder } from './auto-arima.js';
import { arimaMethod, fitArima } from './arima.js';

function gaussians(n: number, seed: string): Float64Array {
  const rng = createRng(seed);
  return Float64Array.from(
    { length: n },
    () => Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next()),
  );
}

function simulate(n: number, ar: readonly number[], ma: readonly number[], seed: string): Float64Array {
  const e = gaussians(n + 200, seed);
  const w = new Float64Array(n + 200);
  for (let t = 0; t < w.length; t++) {
    w[t] = e[t];
    for (const [i, c] of ar.entries()) if (t > i) w[t] += c * w[t - 1 - i];
    for (const [j, c] of ma.entries()) if (t > j) w[t] += c * e[t - 1 - j];
  }
  return w.slice(200);
}

/**
 * The same likelihood by its definition: the autocovariances of a long moving average, and Cholesky
 * of their matrix.
 */
function denseLogLikelihood(w: Float64Array, ar: Float64Array, ma: Float64Array, sigma2: number): number {
  const terms = 4_000;
  const psi = new Float64Array(terms);
  for (let k = 0; k < terms; k++) {
    psi[k] = k === 0 ? 1 : k <= ma.length ? ma[k - 1] : 0;
    for (let i = 1; i <= Math.min(k, ar.length); i++) psi[k] += ar[i - 1] * psi[k - i];
  }
  const n = w.length;
  const gamma = Float64Array.from({ length: n }, (_, lag) => {
    let sum = 0;
    for (let k = 0; k + lag < terms; k++) sum += psi[k] * psi[k + lag];
    return sigma2 * sum;
  });
  const l = Array.from({ length: n }, () => new Float64Array(n));
  let logLik = -0.5 * n * Math.log(2 * Math.PI);
  const z = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = gamma[i - j];
      for (let k = 0; k < j; k++) sum -= l[i][k] * l[j][k];
      l[i][j] = i === j ? Math.sqrt(sum) : sum / l[j][j];
    }
    let rest = w[i];
    for (let k = 0; k < i; k++) rest -= l[i][k] * z[k];
    z[i] = rest / l[i][i];
    logLik -= Math.log(l[i][i]) + 0.5 * z[i] * z[i];
  }
  return logLik;
}

const partials = (max: number): fc.Arbitrary<number[]> =>
  fc.array(fc.double({ min: -1.2, max: 1.2, noNaN: true }), { maxLength: max });

describe('ARMA likelihood', () => {
  it('is that of the multivariate normal distribution', () => {
    fc.assert(
      fc.property(
        partials(3),
        partials(3),
        fc.double({ min: 0.1, max: 9, noNaN: true }),
        fc.integer({ min: 2, max: 25 }),
        (p, q, sigma2, n) => {
          const ar = stationary(Float64Array.from(p), 0, p.length);
          const ma = stationary(Float64Array.from(q), 0, q.length).map((c) => -c);
          const w = gaussians(n, `likelihood ${n}`);
          expect(armaLogLikelihood(w, { ar, ma }, sigma2)).toBeCloseTo(denseLogLikelihood(w, ar, ma, sigma2), 6);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes partial autocorrelations to coefficients and back', () => {
    fc.assert(
      fc.property(partials(4), (x) => {
        const back = unconstrained(stationary(Float64Array.from(x), 0, x.length));
        for (const [i, value] of back.entries()) expect(value).toBeCloseTo(x[i], 8);
      }),
    );
  });
});

describe('ARIMA', () => {
  it('finds the coefficients that a series was made with', () => {
    const model = fitArima(simulate(4_000, [0.6, -0.3], [0.4], 'ar2ma1'), {
      p: 2,
      d: 0,
      q: 1,
      seasonalP: 0,
      seasonalD: 0,
      seasonalQ: 0,
      season: 1,
    });
    expect(model.ar[0]).toBeCloseTo(0.6, 1);
    expect(model.ar[1]).toBeCloseTo(-0.3, 1);
    expect(model.ma[0]).toBeCloseTo(0.4, 1);
    expect(model.sigma2).toBeCloseTo(1, 1);
  });

  it('gives the exact and the conditional fit of a long series the same forecasts', () => {
    const w = simulate(2_000, [0.7], [0.2], 'both').map((x) => x + 50);
    const order = { p: 1, d: 0, q: 1, seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1 };
    const [exact, conditional] = (['exact', 'conditional'] as const).map((likelihood) =>
      fitArima(w, order, { likelihood }).rolling(w, [w.length], 6),
    );
    for (const [h, value] of exact.entries()) expect(conditional[h]).toBeCloseTo(value, 1);
  });

  it('goes on with a line where twice differenced, and repeats a season where seasonally differenced', () => {
    const line = Float64Array.from({ length: 60 }, (_, t) => 5 + 3 * t);
    const linear = arimaMethod({ p: 1, d: 2, q: 1 }).fit(line).rolling(line, [60], 3);
    expect([...linear].map((x) => Math.round(x * 1e6) / 1e6)).toEqual([185, 188, 191]);
    const weekly = Float64Array.from({ length: 70 }, (_, t) => [3, 1, 4, 1, 5, 9, 2][t % 7]);
    const seasonal = arimaMethod({ p: 1, d: 0, q: 0, seasonalD: 1, season: 7 }).fit(weekly).rolling(weekly, [70], 7);
    expect([...seasonal]).toEqual([3, 1, 4, 1, 5, 9, 2]);
  });

  it('chooses orders: none for noise, a difference for a random walk, a season for a seasonal series', () => {
    const noise = gaussians(600, 'noise').map((x) => x + 100);
    expect(chooseOrder(noise, 1, 3)).toMatchObject({ d: 0, seasonalD: 0 });
    let level = 100;
    const walk = gaussians(600, 'walk').map((x) => (level += x));
    expect(chooseOrder(walk, 1, 3)).toMatchObject({ d: 1, seasonalD: 0 });
    const seasonal = gaussians(480, 'season').map((x, t) => 100 + 30 * Math.sin((2 * Math.PI * t) / 24) + x);
    expect(chooseOrder(seasonal, 24, 2)).toMatchObject({ seasonalD: 1, season: 24 });
  });

  it('takes coefficients as given', () => {
    const y = Float64Array.of(3, 5, 4, 6);
    const order = { p: 1, d: 0, q: 0, seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1 };
    const model = fitArima(y, order, { coefficients: { ar: [0.5], ma: [] } });
    expect([...model.rolling(y, [4], 2)]).toEqual([4.5 + 0.5 * 1.5, 4.5 + 0.25 * 1.5]);
    expect(() => fitArima(y, order, { coefficients: { ar: [], ma: [] } })).toThrow(
      /coefficients\.ar: has 0 where the order is 1/,
    );
  });

  it('refuses orders that are none', () => {
    expect(() => arimaMethod({ p: -1, d: 0, q: 0 })).toThrow(
      /order\.p: must be a whole number of 0 or more, up to 24, not -1/,
    );
    expect(() => arimaMethod({ p: 1, d: 0, q: 0, seasonalD: 1 })).toThrow(/order\.season: must be 2 or more steps/);
  });
});
