import { leastSquares } from './least-squares.js';

/** w_t = Σ ar[i] w_{t-1-i} + ε_t + Σ ma[j] ε_{t-1-j}, with seasonal factors multiplied out. */
export interface ArmaPolynomials {
  readonly ar: Float64Array;
  readonly ma: Float64Array;
}

/**
 * The likelihood of a series under an ARMA model whose innovation variance is profiled out, and the
 * innovations.
 */
interface ArmaFit {
  readonly logLik: number;
  readonly sigma2: number;
}

/** A filter of a series under fixed coefficients. */
export interface ArmaFilter extends ArmaFit {
  /** Forecasts from each origin, origins × horizon. */
  readonly forecasts: Float64Array;
}

const STEADY = 1e-13;

/**
 * Coefficients of a stationary autoregression from partial autocorrelations tanh(x) (Monahan 1984;
 * Durbin-Levinson). Every x gives a stationary one, and every stationary one has an x. For an
 * invertible moving average, change the sign.
 */
export function stationary(x: Float64Array, offset: number, order: number): Float64Array {
  const coefficients = new Float64Array(order);
  const previous = new Float64Array(order);
  for (let k = 0; k < order; k++) {
    const partial = Math.tanh(x[offset + k]);
    previous.set(coefficients);
    for (let i = 0; i < k; i++) coefficients[i] = previous[i] - partial * previous[k - 1 - i];
    coefficients[k] = partial;
  }
  return coefficients;
}

/**
 * The x of {@link stationary} for coefficients; those that are not stationary are drawn back to it.
 */
export function unconstrained(coefficients: ArrayLike<number>): Float64Array {
  const order = coefficients.length;
  const current = Float64Array.from(coefficients);
  const x = new Float64Array(order);
  for (let k = order - 1; k >= 0; k--) {
    const partial = Math.min(0.97, Math.max(-0.97, current[k]));
    x[k] = Math.atanh(partial);
    const previous = Float64Array.from(current);
    for (let i = 0; i < k; i++) current[i] = (previous[i] + partial * previous[k - 1 - i]) / (1 - partial * partial);
  }
  return x;
}

/** (1 - a(B)) (1 - b(B^season)) as the coefficients that stand on the right-hand side. */
export function multiplySeasonal(a: Float64Array, b: Float64Array, season: number, sign: 1 | -1): Float64Array {
  const product = new Float64Array(a.length + b.length * season);
  product.set(a);
  for (let k = 0; k < b.length; k++) {
    const at = (k + 1) * season;
    product[at - 1] += b[k];
    for (let i = 0; i < a.length; i++) product[at + i] -= sign * a[i] * b[k];
  }
  return product;
}

/**
 * Autocovariances of y and the covariance of the state of Harvey's form with y, for innovations of
 * variance 1; undefined where they can't be solved for.
 */
function stateCovariance(ar: Float64Array, ma: Float64Array, m: number): Float64Array | undefined {
  const p = ar.length;
  const q = ma.length;
  const theta = (j: number): number => (j === 0 ? 1 : j <= q ? ma[j - 1] : 0);
  const psi = new Float64Array(Math.max(q, m) + 1);
  psi[0] = 1;
  for (let k = 1; k < psi.length; k++) {
    let sum = theta(k);
    for (let i = 1; i <= Math.min(k, p); i++) sum += ar[i - 1] * psi[k - i];
    psi[k] = sum;
  }
  const right = new Float64Array(p + 1);
  for (let k = 0; k <= p; k++) for (let j = k; j <= q; j++) right[k] += theta(j) * psi[j - k];
  const size = p + 1;
  const matrix = new Float64Array(size * size);
  for (let k = 0; k < size; k++) {
    matrix[k * size + k] += 1;
    for (let i = 1; i <= p; i++) matrix[k * size + Math.abs(k - i)] -= ar[i - 1];
  }
  const gamma = solveGeneral(matrix, right);
  if (gamma === undefined || !(gamma[0] > 0)) return undefined;
  const covariance = new Float64Array(m);
  covariance[0] = gamma[0];
  for (let i = 1; i < m; i++) {
    let sum = 0;
    for (let k = 0; i + k < Math.max(p, q + 1); k++) {
      if (i + k < p) sum += ar[i + k] * gamma[k + 1];
      sum += theta(i + k) * psi[k];
    }
    covariance[i] = sum;
  }
  return covariance;
}

function solveGeneral(a: Float64Array, b: Float64Array): Float64Array | undefined {
  const n = b.length;
  const x = Float64Array.from(b);
  for (let c = 0; c < n; c++) {
    let best = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(a[r * n + c]) > Math.abs(a[best * n + c])) best = r;
    if (!(Math.abs(a[best * n + c]) > 1e-14)) return undefined;
    if (best !== c) {
      for (let k = c; k < n; k++) [a[c * n + k], a[best * n + k]] = [a[best * n + k], a[c * n + k]];
      [x[c], x[best]] = [x[best], x[c]];
    }
    for (let r = c + 1; r < n; r++) {
      const factor = a[r * n + c] / a[c * n + c];
      if (factor === 0) continue;
      for (let k = c; k < n; k++) a[r * n + k] -= factor * a[c * n + k];
      x[r] -= factor * x[c];
    }
  }
  for (let r = n - 1; r >= 0; r--) {
    for (let k = r + 1; k < n; k++) x[r] -= a[r * n + k] * x[k];
    x[r] /= a[r * n + r];
  }
  return x;
}

/**
 * Exact Gaussian likelihood of a zero-mean stationary ARMA by the Chandrasekhar recursions (Morf,
 * Sidhu and Kailath 1974; Herbst 2015): the variance of the state changes by a matrix of rank one
 * at each step, so that a pass costs n × m instead of n × m², and a season of 144 is no hindrance.
 * With `origins`, forecasts of `horizon` steps are made from each of them on the way. Not
 * stationary: a likelihood of -Infinity.
 */
export function exactArma(
  w: Float64Array,
  { ar, ma }: ArmaPolynomials,
  origins: readonly number[] = [],
  horizon = 0,
  length = w.length,
): ArmaFilter {
  const m = Math.max(ar.length, ma.length + 1);
  const phi = new Float64Array(m);
  phi.set(ar);
  const forecasts = new Float64Array(origins.length * horizon);
  const covariance = stateCovariance(ar, ma, m);
  if (covariance === undefined) return { logLik: -Infinity, sigma2: Infinity, forecasts };
  // One longer than the state, so that the shift reads a 0 past its end.
  const gain = new Float64Array(m + 1);
  const l = new Float64Array(m + 1);
  const a = new Float64Array(m + 1);
  let f = covariance[0];
  for (let i = 0; i < m; i++) {
    l[i] = phi[i] * f + (i + 1 < m ? covariance[i + 1] : 0);
    gain[i] = l[i] / f;
  }
  let inner = -1 / f;
  let steady = false;
  let logF = Math.log(f);
  let sumLog = 0;
  let sumSquares = 0;
  let next = 0;
  for (let t = 0; ; t++) {
    while (next < origins.length && origins[next] === t) {
      projectState(a, phi, forecasts, next * horizon, horizon);
      next++;
    }
    if (t === length) break;
    const v = w[t] - a[0];
    sumLog += logF;
    sumSquares += (v * v) / f;
    const a0 = a[0];
    if (steady) {
      for (let i = 0; i < m; i++) a[i] = phi[i] * a0 + a[i + 1] + gain[i] * v;
      continue;
    }
    const zl = l[0];
    const before = f;
    f += zl * zl * inner;
    if (!(f > 0)) return { logLik: -Infinity, sigma2: Infinity, forecasts };
    const factor = inner * zl;
    const keep = before / f;
    const add = factor / f;
    let largest = 0;
    for (let i = 0; i < m; i++) {
      a[i] = phi[i] * a0 + a[i + 1] + gain[i] * v;
      const tl = phi[i] * zl + l[i + 1];
      const k = gain[i] * keep + tl * add;
      gain[i] = k;
      const li = tl - k * zl;
      l[i] = li;
      const size = li < 0 ? -li : li;
      if (size > largest) largest = size;
    }
    inner += (factor * factor) / before;
    logF = Math.log(f);
    steady = -largest * largest * inner < STEADY * f;
  }
  const sigma2 = sumSquares / length;
  return { logLik: -0.5 * (length * (Math.log(2 * Math.PI * sigma2) + 1) + sumLog), sigma2, forecasts };
}

/**
 * Exact Gaussian log-likelihood of a zero-mean series at given coefficients and innovation
 * variance; −Infinity where they are not stationary.
 */
export function armaLogLikelihood(w: Float64Array, polynomials: ArmaPolynomials, sigma2: number): number {
  const { logLik, sigma2: profiled } = exactArma(w, polynomials);
  const n = w.length;
  // The profiled one has the best variance in place of the given.
  return logLik + 0.5 * n * (Math.log(profiled / sigma2) + 1 - profiled / sigma2);
}

function projectState(state: Float64Array, phi: Float64Array, out: Float64Array, at: number, horizon: number): void {
  const m = phi.length;
  const x = Float64Array.from(state);
  for (let h = 0; h < horizon; h++) {
    const first = x[0];
    out[at + h] = first;
    for (let i = 0; i < m; i++) x[i] = phi[i] * first + x[i + 1];
  }
}

/**
 * The lags of a polynomial that are not 0, so that a season of 144 costs as little as an order of
 * 1.
 */
class Lags {
  readonly lags: Int32Array;
  readonly values: Float64Array;

  constructor(coefficients: Float64Array) {
    let count = 0;
    for (const c of coefficients) if (c !== 0) count++;
    this.lags = new Int32Array(count);
    this.values = new Float64Array(count);
    for (let i = 0, k = 0; k < count; i++) {
      if (coefficients[i] === 0) continue;
      this.lags[k] = i + 1;
      this.values[k++] = coefficients[i];
    }
  }
}

/**
 * Conditional sum of squares (Box and Jenkins): the innovations before the first full set of lags
 * count as 0. Fit for long seasons, where it costs a hundredth of the exact likelihood. Forecasts
 * as in {@link exactArma}.
 */
export function conditionalArma(
  w: Float64Array,
  { ar, ma }: ArmaPolynomials,
  origins: readonly number[] = [],
  horizon = 0,
  length = w.length,
): ArmaFilter {
  const arLags = new Lags(ar);
  const maLags = new Lags(ma);
  const first = Math.min(ar.length, length);
  const innovations = new Float64Array(length);
  const forecasts = new Float64Array(origins.length * horizon);
  const path = new Float64Array(horizon);
  let sumSquares = 0;
  let next = 0;
  const predict = (t: number, ahead: number): number => {
    let sum = 0;
    for (let k = 0; k < arLags.lags.length; k++) {
      const back = ahead - arLags.lags[k];
      sum += arLags.values[k] * (back >= 0 ? path[back] : t + back >= 0 ? w[t + back] : 0);
    }
    for (let k = 0; k < maLags.lags.length; k++) {
      const back = ahead - maLags.lags[k];
      if (back < 0 && t + back >= 0) sum += maLags.values[k] * innovations[t + back];
    }
    return sum;
  };
  const { lags: arAt, values: arBy } = arLags;
  const { lags: maAt, values: maBy } = maLags;
  const far = ma.length;
  for (let t = 0; ; t++) {
    while (next < origins.length && origins[next] === t) {
      for (let h = 0; h < horizon; h++) path[h] = predict(t, h);
      forecasts.set(path, next * horizon);
      next++;
    }
    if (t === length) break;
    if (t < first) continue;
    let e = w[t];
    for (let k = 0; k < arAt.length; k++) e -= arBy[k] * w[t - arAt[k]];
    if (t >= far) for (let k = 0; k < maAt.length; k++) e -= maBy[k] * innovations[t - maAt[k]];
    else for (let k = 0; k < maAt.length; k++) if (t >= maAt[k]) e -= maBy[k] * innovations[t - maAt[k]];
    innovations[t] = e;
    sumSquares += e * e;
  }
  const n = Math.max(1, length - first);
  const sigma2 = sumSquares / n;
  return { logLik: -0.5 * n * (Math.log(2 * Math.PI * sigma2) + 1), sigma2, forecasts };
}

/** Order of the autoregression that stands in for the moving average at the start of a search. */
const LONG_ORDER = 15;

/**
 * Hannan and Rissanen (1982): a long autoregression estimates the innovations, and least squares on
 * both the coefficients. A start for a search.
 */
export function hannanRissanen(w: Float64Array, p: number, q: number): ArmaPolynomials {
  const n = w.length;
  const long = q === 0 ? 0 : Math.min(Math.floor(n / 4), Math.max(2 * (p + q), LONG_ORDER));
  const innovations = new Float64Array(n);
  if (long > 0) {
    const coefficients = regressOnLags(w, innovations, long, 0, long);
    for (let t = long; t < n; t++) {
      let e = w[t];
      for (let i = 0; i < long; i++) e -= coefficients[i] * w[t - 1 - i];
      innovations[t] = e;
    }
  }
  const from = long + Math.max(p, q);
  if (n - from < 2 * (p + q) + 2) return { ar: new Float64Array(p), ma: new Float64Array(q) };
  const coefficients = regressOnLags(w, innovations, p, q, from);
  return { ar: coefficients.slice(0, p), ma: coefficients.slice(p) };
}

function regressOnLags(w: Float64Array, innovations: Float64Array, p: number, q: number, from: number): Float64Array {
  const rows = w.length - from;
  const columns = p + q;
  const x = new Float64Array(rows * columns);
  const y = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const t = from + r;
    y[r] = w[t];
    for (let i = 0; i < p; i++) x[r * columns + i] = w[t - 1 - i];
    for (let j = 0; j < q; j++) x[r * columns + p + j] = innovations[t - 1 - j];
  }
  return leastSquares(x, y, columns);
}

/**
 * Weights of past innovations in the error 1..horizon steps ahead: their running sum of squares
 * times the innovation variance is the forecast's variance.
 */
export function psiWeights(ar: Float64Array, ma: Float64Array, horizon: number): Float64Array {
  const psi = new Float64Array(horizon);
  for (let k = 0; k < horizon; k++) {
    let sum = k === 0 ? 1 : k <= ma.length ? ma[k - 1] : 0;
    for (let i = 1; i <= Math.min(k, ar.length); i++) sum += ar[i - 1] * psi[k - i];
    psi[k] = sum;
  }
  return psi;
}
