import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import { ConfigError, power } from '@sageserve/core';
import {
  type ArmaFilter,
  type ArmaPolynomials,
  conditionalArma,
  exactArma,
  hannanRissanen,
  multiplySeasonal,
  psiWeights,
  stationary,
  unconstrained,
} from '../numeric/arma.js';
import { minimizeBfgs } from '../numeric/minimize.js';
import { type ColumnMethod, type ColumnModel, stepsPerDay } from './method.js';

/** Orders of ARIMA(p,d,q)(P,D,Q)_season. */
export interface ArimaOrder {
  readonly p: number;
  readonly d: number;
  readonly q: number;
  readonly seasonalP?: number;
  readonly seasonalD?: number;
  readonly seasonalQ?: number;
  /** Steps in a season; needed where a seasonal order is above 0. */
  readonly season?: number;
}

export interface ArimaOptions {
  /**
   * `exact` is the Gaussian likelihood, `conditional` the conditional sum of squares. By default
   * exact, but conditional where a season is longer than 24 steps.
   */
  readonly likelihood?: 'exact' | 'conditional';
  /** Not estimated but given, as many as the orders say. */
  readonly coefficients?: ArimaCoefficients;
}

/** w_t = Σ ar[i] w_{t-1-i} + ε_t + Σ ma[j] ε_{t-1-j}, and the same for whole seasons. */
export interface ArimaCoefficients {
  readonly ar: ArrayLike<number>;
  readonly ma: ArrayLike<number>;
  readonly seasonalAr?: ArrayLike<number>;
  readonly seasonalMa?: ArrayLike<number>;
}

/** An estimated ARIMA model. */
export interface ArimaModel extends ColumnModel {
  readonly order: Required<ArimaOrder>;
  readonly ar: Float64Array;
  readonly ma: Float64Array;
  readonly seasonalAr: Float64Array;
  readonly seasonalMa: Float64Array;
  /** Of the differenced series; a mean is estimated only where nothing is differenced. */
  readonly mean: number;
  readonly sigma2: number;
  /** Of the differenced series. */
  readonly logLik: number;
  /** Akaike's criterion, corrected for small samples. */
  readonly aicc: number;
  standardDeviations(horizon: number): Float64Array;
}

const LONG_SEASON = 24;
/**
 * Partial autocorrelations from here on are on the edge; the log-likelihood that it takes to be
 * believed there.
 */
const EDGE = 0.99;
const EDGE_GAIN = 2;
/**
 * Starts of an exact fit beside the reasoned ones, spread evenly, and how many of their valleys are
 * looked into: likelihoods of mixed models have several.
 */
const SPREAD_STARTS = 12;
const EXACT_STARTS = 5;
const SAME_VALLEY = 1e-5;
/** Generalised golden ratios, whose multiples fill a cube evenly (Roberts 2018). */
const ROBERTS = 1.324_717_957_244_746;
/**
 * Steps of a conditional fit, which begins close: more change forecasts by less than their
 * rounding.
 */
const QUICK_ITERATIONS = 60;

/**
 * ARIMA with given orders (Box and Jenkins), by maximum likelihood over stationary and invertible
 * models. The paper's forecaster is (3,1,2).
 */
export function arimaMethod(
  order: ArimaOrder,
  options: ArimaOptions = {},
): ColumnMethod & { fit(values: Float64Array): ArimaModel } {
  const full = checkedOrder(order);
  return {
    name: arimaName(full),
    minSteps: () => minimumLength(full),
    fit: (values) => fitArima(values, full, options),
  };
}

/**
 * ARIMA(1,0,1)(0,1,1) with a season of a day, whatever the length of a bucket. It needs two buckets
 * a day.
 */
export function dailyArimaMethod(): ColumnMethod {
  const of = (stepMs: number): ReturnType<typeof arimaMethod> =>
    arimaMethod({ p: 1, d: 0, q: 1, seasonalD: 1, seasonalQ: 1, season: Math.max(2, stepsPerDay(stepMs)) });
  return {
    name: 'arima(1,0,1)(0,1,1)day',
    // Never enough where a day is one bucket.
    minSteps: (stepMs) => (stepsPerDay(stepMs) < 2 ? Infinity : of(stepMs).minSteps(stepMs)),
    fit: (values, { stepMs }) => of(stepMs).fit(values),
  };
}

export function arimaName(order: Required<ArimaOrder>): string {
  const { p, d, q, seasonalP, seasonalD, seasonalQ, season } = order;
  return `arima(${p},${d},${q})${season > 1 ? `(${seasonalP},${seasonalD},${seasonalQ})${season}` : ''}`;
}

function minimumLength({ p, d, q, seasonalP, seasonalD, seasonalQ, season }: Required<ArimaOrder>): number {
  return (
    d +
    seasonalD * season +
    Math.max(p + seasonalP * season, q + seasonalQ * season) +
    3 * (p + q + seasonalP + seasonalQ + 1)
  );
}

/** Coefficients are fitted by search: more than these take hours. */
const MOST_ORDER = 24;

/**
 * Throws `ConfigError` where an order is not a whole number of 0 or more, or a season is missing.
 */
function checkedOrder(order: ArimaOrder): Required<ArimaOrder> {
  const full = { seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1, ...order };
  for (const [name, value] of Object.entries(full))
    // A season takes nothing until there is a history of that length.
    if (!Number.isSafeInteger(value) || value < 0 || (name !== 'season' && value > MOST_ORDER))
      throw new ConfigError(
        `order.${name}`,
        `must be a whole number of 0 or more${name === 'season' ? '' : `, up to ${MOST_ORDER}`}, not ${value}`,
      );
  const seasonal = full.seasonalP + full.seasonalD + full.seasonalQ;
  if (seasonal > 0 && full.season < 2)
    throw new ConfigError('order.season', 'must be 2 or more steps where the model is seasonal');
  return seasonal === 0 ? { ...full, season: 1 } : full;
}

/**
 * Coefficients of the differencing polynomial as they stand on the right-hand side: y_t = w_t + Σ
 * c[k] y_{t-1-k}.
 */
export function differencing(d: number, seasonalD: number, season: number): Float64Array {
  let polynomial = [1];
  const multiply = (lag: number): void => {
    const product = Array<number>(polynomial.length + lag).fill(0);
    for (const [i, c] of polynomial.entries()) {
      product[i] += c;
      product[i + lag] -= c;
    }
    polynomial = product;
  };
  for (let i = 0; i < d; i++) multiply(1);
  for (let i = 0; i < seasonalD; i++) multiply(season);
  return Float64Array.from(polynomial.slice(1), (c) => (c === 0 ? 0 : -c));
}

export function difference(values: Float64Array, by: Float64Array): Float64Array {
  const lags = [...by.keys()].filter((k) => by[k] !== 0);
  const w = new Float64Array(Math.max(0, values.length - by.length));
  for (let t = 0; t < w.length; t++) {
    let x = values[t + by.length];
    for (const k of lags) x -= by[k] * values[t + by.length - 1 - k];
    w[t] = x;
  }
  return w;
}

interface Filter {
  (w: Float64Array, polynomials: ArmaPolynomials, origins?: readonly number[], horizon?: number): ArmaFilter;
}

/** Fits by maximum likelihood from several starts; the best is kept. */
export function fitArima(values: Float64Array, order: Required<ArimaOrder>, options: ArimaOptions = {}): ArimaModel {
  const { p, d, q, seasonalP, seasonalD, seasonalQ, season } = order;
  const by = differencing(d, seasonalD, season);
  const raw = difference(values, by);
  const mean = by.length === 0 ? raw.reduce((sum, x) => sum + x, 0) / Math.max(1, raw.length) : 0;
  const w = mean === 0 ? raw : raw.map((x) => x - mean);
  const exact = (options.likelihood ?? (season > LONG_SEASON ? 'conditional' : 'exact')) === 'exact';
  const filter: Filter = exact ? exactArma : conditionalArma;
  const variance = w.reduce((sum, x) => sum + x * x, 0) / Math.max(1, w.length);
  const level = values.reduce((sum, x) => sum + Math.abs(x), 0) / Math.max(1, values.length);
  // A series without innovations, up to rounding, has no likelihood: it goes on as its differences
  // say.
  const dead = !(variance > 1e-22 * level * level) || w.length < 2;
  const parameters = p + q + seasonalP + seasonalQ;
  const multiplied = (
    ar: Float64Array,
    ma: Float64Array,
    seasonalAr: Float64Array,
    seasonalMa: Float64Array,
  ): { parts: Float64Array[]; polynomials: ArmaPolynomials } => {
    return {
      parts: [ar, ma, seasonalAr, seasonalMa],
      polynomials: {
        ar: multiplySeasonal(ar, seasonalAr, season, 1),
        ma: multiplySeasonal(ma, seasonalMa, season, -1),
      },
    };
  };
  const build = (x: Float64Array): ReturnType<typeof multiplied> =>
    multiplied(
      stationary(x, 0, p),
      stationary(x, p, q).map((c) => -c),
      stationary(x, p + q, seasonalP),
      stationary(x, p + q + seasonalP, seasonalQ).map((c) => -c),
    );
  const cost = (run: Filter) => (x: Float64Array) => {
    for (const v of x) if (!(Math.abs(v) < 8)) return Infinity;
    const { logLik } = run(w, build(x).polynomials);
    return Number.isFinite(logLik) ? -logLik / w.length : Infinity;
  };
  let x: Float64Array = new Float64Array(parameters);
  const { coefficients } = options;
  if (coefficients !== undefined) checkCoefficients(coefficients, order);
  if (coefficients === undefined && !dead && parameters > 0) {
    // The conditional fit is cheap: it finds where to start, the exact one goes on from the best
    // that differ.
    const starts = startsOf(w, order, exact).map((start) =>
      minimizeBfgs(cost(conditionalArma), start, exact ? 60 : QUICK_ITERATIONS, exact ? 1e-9 : 1e-7),
    );
    starts.sort((a, b) => a.value - b.value);
    const valleys = starts.filter(({ value }, i) => i === 0 || value - starts[i - 1].value > SAME_VALLEY);
    const chosen = exact
      ? [...valleys.slice(0, EXACT_STARTS), { x: new Float64Array(parameters), value: 0 }].map((start) =>
          minimizeBfgs(cost(filter), start.x),
        )
      : starts;
    chosen.sort((a, b) => a.value - b.value);
    // An optimum on the edge of invertibility is often an artefact of the likelihood (the pile-up
    // effect, Sargan and Bhargava 1983): a proper one that is nearly as likely goes first.
    const proper = chosen.find(({ x: at }) => at.every((v) => Math.abs(Math.tanh(v)) < EDGE));
    x = (proper !== undefined && (proper.value - chosen[0].value) * w.length < EDGE_GAIN ? proper : chosen[0]).x;
  }
  const { parts, polynomials } =
    coefficients === undefined
      ? build(x)
      : multiplied(
          Float64Array.from(coefficients.ar),
          Float64Array.from(coefficients.ma),
          Float64Array.from(coefficients.seasonalAr ?? []),
          Float64Array.from(coefficients.seasonalMa ?? []),
        );
  const { logLik, sigma2 } = dead ? { logLik: Infinity, sigma2: 0 } : filter(w, polynomials);
  const k = parameters + 1 + (by.length === 0 ? 1 : 0);
  const n = w.length;
  return {
    order,
    ar: parts[0],
    ma: parts[1],
    seasonalAr: parts[2],
    seasonalMa: parts[3],
    mean,
    sigma2,
    logLik,
    aicc: -2 * logLik + 2 * k + (2 * k * (k + 1)) / Math.max(1, n - k - 1),
    parameters: {
      ar: [...parts[0]],
      ma: [...parts[1]],
      seasonalAr: [...parts[2]],
      seasonalMa: [...parts[3]],
      mean,
      sigma2,
      logLik,
    },
    rolling: (history, origins, horizon) => rollingArima(history, origins, horizon, filter, polynomials, by, mean),
    standardDeviations(horizon) {
      const combined = multiplyRight(polynomials.ar, by);
      const psi = psiWeights(combined, polynomials.ma, horizon);
      let sum = 0;
      return psi.map((weight) => Math.sqrt(sigma2 * (sum += weight * weight)));
    },
  };
}

/** (1 - a(B)) (1 - b(B)), as the coefficients on the right-hand side. */
function multiplyRight(a: Float64Array, b: Float64Array): Float64Array {
  const product = new Float64Array(a.length + b.length);
  for (let i = 0; i < a.length; i++) product[i] += a[i];
  for (let j = 0; j < b.length; j++) {
    if (b[j] === 0) continue;
    product[j] += b[j];
    for (let i = 0; i < a.length; i++) product[i + j + 1] -= a[i] * b[j];
  }
  return product;
}

function checkCoefficients(
  { ar, ma, seasonalAr = [], seasonalMa = [] }: ArimaCoefficients,
  { p, q, seasonalP, seasonalQ }: Required<ArimaOrder>,
): void {
  for (const [name, given, wanted] of [
    ['ar', ar, p],
    ['ma', ma, q],
    ['seasonalAr', seasonalAr, seasonalP],
    ['seasonalMa', seasonalMa, seasonalQ],
  ] as const)
    if (given.length !== wanted)
      throw new ConfigError(`coefficients.${name}`, `has ${given.length} where the order is ${wanted}`);
}

function startsOf(
  w: Float64Array,
  { p, q, seasonalP, seasonalQ }: Required<ArimaOrder>,
  many: boolean,
): Float64Array[] {
  const parameters = p + q + seasonalP + seasonalQ;
  const start = (
    ar: ArrayLike<number>,
    ma: ArrayLike<number>,
    seasonalAr: number,
    seasonalMa: number,
  ): Float64Array => {
    const x = new Float64Array(parameters);
    x.set(unconstrained(ar), 0);
    x.set(unconstrained(Array.from(ma, (c) => -c)), p);
    x.fill(Math.atanh(seasonalAr), p + q, p + q + seasonalP);
    x.fill(Math.atanh(seasonalMa), p + q + seasonalP);
    return x;
  };
  const rough = hannanRissanen(w, p, q);
  const zeros = (n: number): Float64Array => new Float64Array(n);
  const first = (n: number, value: number): Float64Array => zeros(n).map((_, i) => (i === 0 ? value : 0));
  const seasonalStart = seasonalQ > 0 ? 0.5 : 0;
  const starts = [start(rough.ar, rough.ma, 0, seasonalStart)];
  if (!many) return starts;
  starts.push(start(first(p, 0.5), zeros(q), 0, seasonalStart));
  if (p > 0 && q > 0)
    starts.push(start(first(p, 0.9), first(q, -0.5), 0, 0.3), start(first(p, -0.7), first(q, 0.7), 0, 0.3));
  for (let k = 1; k <= SPREAD_STARTS; k++) {
    starts.push(Float64Array.from({ length: parameters }, (_, i) => 2.4 * ((k * power(ROBERTS, -(i + 1))) % 1) - 1.2));
  }
  return starts;
}

function rollingArima(
  values: Float64Array,
  origins: readonly number[],
  horizon: number,
  filter: Filter,
  polynomials: ArmaPolynomials,
  by: Float64Array,
  mean: number,
): Float64Array {
  const w = difference(values, by);
  if (mean !== 0) for (let t = 0; t < w.length; t++) w[t] -= mean;
  const forecasts = filter(
    w,
    polynomials,
    origins.map((origin) => Math.max(0, origin - by.length)),
    horizon,
  ).forecasts;
  const lags = [...by.keys()].filter((k) => by[k] !== 0);
  for (const [i, origin] of origins.entries()) {
    for (let h = 0; h < horizon; h++) {
      let y = forecasts[i * horizon + h] + mean;
      for (const k of lags) {
        const back = h - 1 - k;
        y += by[k] * (back >= 0 ? forecasts[i * horizon + back] : origin + back >= 0 ? values[origin + back] : 0);
      }
      forecasts[i * horizon + h] = y;
    }
  }
  return forecasts;
}

export interface ArimaForecasterOptions extends ArimaOptions, ColumnForecasterOptions {
  /** (3, 1, 2) by default, the paper's. */
  readonly order?: ArimaOrder;
}

export function createArimaForecaster(options: ArimaForecasterOptions = {}): RollingForecaster {
  const { order = { p: 3, d: 1, q: 2 } } = options;
  return createColumnForecaster(arimaMethod(order, options), options);
}
