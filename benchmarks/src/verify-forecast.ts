import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as sage from 'sageserve';
import { verifyEdgeCases } from './verify-forecast-edges.js';
import { check, type Check, maxAbsolute, meanOf } from './verify-forecast-checks.js';
import { verifyEvaluation, verifyLeak, verifyMetrics } from './verify-forecast-history.js';

interface GoldenForecast {
  readonly mean: number[];
  readonly se?: number[];
}

interface GoldenArma {
  readonly ar?: number[];
  readonly ma?: number[];
  readonly sigma2: number;
  readonly logLik: number;
}

interface GoldenModel {
  readonly kind: string;
  readonly tag?: string;
  readonly order?: [number, number, number];
  readonly seasonal?: [number, number, number, number] | 'add' | 'mul';
  readonly differencingLags?: number[];
  readonly params?: {
    readonly ar?: number[];
    readonly ma?: number[];
    readonly sar?: number[];
    readonly sma?: number[];
  };
  readonly logLik?: number;
  readonly fixedParamLogLik?: GoldenArma[];
  readonly period?: number;
  readonly trend?: string | null;
  readonly damped?: boolean;
  readonly initial?: { level: number; trend?: number; seasons?: number[] };
  readonly fixed?: {
    alpha: number;
    beta?: number;
    gamma?: number;
    phi?: number;
    sse: number;
    forecast: number | number[];
  }[];
  readonly optimal?: { sse: number; forecast: GoldenForecast };
  readonly config?: { seasonal: number; trend: number; low_pass: number; period: number; robust: boolean };
  readonly components?: { trend: number[]; seasonal: number[] };
  readonly arima?: { order: [number, number, number]; logLik: number };
  readonly columns?: string[];
  readonly coef?: number[];
  readonly forecast?: GoldenForecast;
}

interface GoldenSeries {
  readonly id: string;
  readonly y: number[];
  readonly models: Record<string, GoldenModel>;
}

/**
 * Point forecasts may differ by this share of the series' mean, likelihoods by this share of
 * themselves.
 */
const POINT = 0.01;
const LIKELIHOOD = 0.005;
/** From here on, two log-likelihoods are those of two optima. */
const LIKELIER = 0.01;

/**
 * Every case of the folder, by its schema; a file that can't be understood fails. Returns whether
 * all held.
 */
export async function verifyForecast(dir: string): Promise<boolean> {
  const checks: Check[] = [];
  for (const file of readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .sort()) {
    const name = basename(file, '.json');
    try {
      checks.push(...(await verifyFile(name, join(dir, file), dir)));
    } catch (error) {
      checks.push({ name, ok: false, detail: (error as Error).message });
    }
  }
  for (const { name, ok, detail } of checks) console.log(`${ok ? 'ok  ' : 'MISS'} ${name.padEnd(44)} ${detail}`);
  const missed = checks.filter(({ ok }) => !ok);
  if (checks.length === 0) console.log('no case was found there: nothing is shown');
  else
    console.log(
      `\n${checks.length - missed.length} of ${checks.length} cases ` +
        `hold${missed.length === 0 ? '' : `; missed: ${missed.map(({ name }) => name).join(', ')}`}`,
    );
  return checks.length > 0 && missed.length === 0;
}

async function verifyFile(name: string, path: string, dir: string): Promise<Check[]> {
  const golden = JSON.parse(readFileSync(path, 'utf8')) as { schema?: string };
  switch (golden.schema) {
    case 'forecast-golden/1':
      return verifySeries(golden as unknown as GoldenSeries);
    case 'forecast-edge/1':
      return verifyEdgeCases(golden);
    case 'metrics-golden/1':
      return verifyMetrics(golden);
    case 'rolling-eval/1':
      return verifyEvaluation(golden, dir);
    case 'leakage/1':
      return verifyLeak(golden, dir);
    case 'series/1':
      return [];
    default:
      return [{ name, ok: false, detail: `the schema ${JSON.stringify(golden.schema)} is not known` }];
  }
}

function verifySeries({ id, y, models }: GoldenSeries): Check[] {
  const values = Float64Array.from(y);
  return Object.entries(models).flatMap(([name, model]) => {
    try {
      return verifyModel(`${id} ${name}`, values, model);
    } catch (error) {
      return [{ name: `${id} ${name}`, ok: false, detail: (error as Error).message }];
    }
  });
}

function verifyModel(name: string, y: Float64Array, model: GoldenModel): Check[] {
  switch (model.kind) {
    case 'arima':
    case 'sarima':
      return [verifyArima(name, y, model), ...verifyFixedLikelihoods(name, y, model)];
    case 'ses':
    case 'holt-winters':
      return verifySmoothing(name, y, model);
    case 'stl+arima':
      return verifyStl(name, y, model);
    case 'seasonal-naive':
      return [verifySeasonalNaive(name, y, model)];
    case 'linear-regression':
      return [verifyRegression(name, y, model)];
    default:
      return [{ name, ok: false, detail: `no method of the kind "${model.kind}" is built` }];
  }
}

function pointCheck(
  name: string,
  y: Float64Array,
  mean: ArrayLike<number>,
  golden: readonly number[],
  more: readonly [string, number, number][] = [],
): Check {
  return check(name, [['forecast ÷ mean', maxAbsolute(mean, golden) / meanOf(y), POINT], ...more]);
}

/** Relative difference of two likelihoods. */
function apart(a: number, b: number): number {
  return Math.abs(a - b) / Math.abs(b);
}

function orderOf({ order, seasonal, differencingLags = [] }: GoldenModel): Required<sage.ArimaOrder> {
  const [p, d, q] = order!;
  const [seasonalP, seasonalD, seasonalQ, season] = Array.isArray(seasonal) ? seasonal : [0, 0, 0, 1];
  const long = differencingLags.filter((lag) => lag > 1);
  return {
    p,
    d: d + differencingLags.filter((lag) => lag === 1).length,
    q,
    seasonalP,
    seasonalD: seasonalD + long.length,
    seasonalQ,
    season: long[0] ?? season,
  };
}

function verifyArima(name: string, y: Float64Array, golden: GoldenModel): Check {
  const order = orderOf(golden);
  const horizon = golden.forecast!.mean.length;
  const { mean, se } = golden.forecast!;
  const fitted = sage.fitArima(y, order, { likelihood: 'exact' });
  const { ar = [], ma = [], sar = [], sma = [] } = golden.params ?? {};
  const atTheirs = sage.fitArima(y, order, {
    likelihood: 'exact',
    coefficients: { ar, ma, seasonalAr: sar, seasonalMa: sma },
  });
  const forecastOf = (model: sage.ArimaModel): Float64Array => model.rolling(y, [y.length], horizon);
  const errors = (model: sage.ArimaModel): [string, number, number][] =>
    se === undefined ? [] : [['standard error', maxRelative(model.standardDeviations(horizon), se), 0.02]];
  const gain = fitted.logLik - golden.logLik!;
  // Both agree where both found the same optimum. Where ours is likelier, the reference did not
  // maximise: then its own parameters must give its forecast and likelihood.
  if (gain > LIKELIER && golden.params !== undefined && maxAbsolute(forecastOf(fitted), mean) / meanOf(y) > POINT) {
    const same = pointCheck(name, y, forecastOf(atTheirs), mean, [
      ['likelihood', apart(atTheirs.logLik, golden.logLik!), LIKELIHOOD],
      ...errors(atTheirs),
    ]);
    return { ...same, detail: `ours is likelier by ${gain.toFixed(2)}; at the reference's parameters: ${same.detail}` };
  }
  return pointCheck(name, y, forecastOf(fitted), mean, [
    ['likelihood under it', Math.max(0, -gain / Math.abs(golden.logLik!)), LIKELIHOOD],
    ...errors(fitted),
  ]);
}

function verifyFixedLikelihoods(name: string, y: Float64Array, golden: GoldenModel): Check[] {
  if (golden.fixedParamLogLik === undefined) return [];
  let w = y;
  for (const lag of golden.differencingLags ?? [])
    w = Float64Array.from({ length: w.length - lag }, (_, t) => w[t + lag]! - w[t]!);
  const worst = golden.fixedParamLogLik.map(({ ar = [], ma = [], sigma2, logLik }) =>
    apart(sage.armaLogLikelihood(w, { ar: Float64Array.from(ar), ma: Float64Array.from(ma) }, sigma2), logLik),
  );
  return [check(`${name} at given parameters`, [['likelihood', Math.max(...worst), LIKELIHOOD]])];
}

function verifySmoothing(name: string, y: Float64Array, golden: GoldenModel): Check[] {
  const simple = golden.kind === 'ses';
  const form: sage.SmoothingForm = {
    trend: simple || (golden.trend ?? undefined) === undefined ? 'none' : 'additive',
    seasonal:
      simple || typeof golden.seasonal !== 'string'
        ? 'none'
        : golden.seasonal === 'mul'
          ? 'multiplicative'
          : 'additive',
    season: simple ? 1 : (golden.period ?? 1),
    damped: golden.damped === true,
  };
  const start: sage.SmoothingStart = simple
    ? { level: y[0]!, trend: 0, seasons: [] }
    : { level: golden.initial!.level, trend: golden.initial!.trend ?? 0, seasons: golden.initial!.seasons ?? [] };
  const run = (
    weights: sage.SmoothingWeights | undefined,
    want: readonly number[],
    sse: number,
    label: string,
  ): Check => {
    const model = sage.fitSmoothing(y, form, { start, ...(weights === undefined ? {} : { weights }) });
    return pointCheck(`${name} ${label}`, y, model.rolling(y, [y.length], want.length), want, [
      ['squared errors', Math.abs(model.sse / sse - 1), LIKELIHOOD],
    ]);
  };
  return [
    ...(golden.fixed ?? []).map(({ alpha, beta = 0, gamma = 0, phi = 1, sse, forecast }) =>
      run({ alpha, beta, gamma, phi }, typeof forecast === 'number' ? [forecast] : forecast, sse, `α = ${alpha}`),
    ),
    ...(golden.optimal === undefined
      ? []
      : [run(undefined, golden.optimal.forecast.mean, golden.optimal.sse, 'fitted')]),
  ];
}

function verifyStl(name: string, y: Float64Array, golden: GoldenModel): Check[] {
  const { seasonal, trend, low_pass: lowPass, period, robust } = golden.config!;
  const parts = sage.decompose(
    y,
    { period, seasonal, trend, lowPass },
    robust ? { innerIterations: 2, robustIterations: 15 } : {},
  );
  const level = meanOf(y);
  const rest = y.map((value, t) => value - parts.seasonal[t]!);
  const [p, d, q] = golden.arima!.order;
  const model = sage.fitArima(
    rest,
    { p, d: d + 1, q, seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1 },
    { likelihood: 'exact' },
  );
  const horizon = golden.forecast!.mean.length;
  const forecast = model
    .rolling(rest, [rest.length], horizon)
    .map((value, h) => value + parts.seasonal[y.length - period + (h % period)]!);
  return [
    check(`${name} decomposition`, [
      ['trend ÷ mean', maxAbsolute(parts.trend, golden.components!.trend) / level, POINT],
      ['season ÷ mean', maxAbsolute(parts.seasonal, golden.components!.seasonal) / level, POINT],
    ]),
    pointCheck(name, y, forecast, golden.forecast!.mean, [
      ['likelihood', apart(model.logLik, golden.arima!.logLik), LIKELIHOOD],
    ]),
  ];
}

function verifySeasonalNaive(name: string, y: Float64Array, golden: GoldenModel): Check {
  const series = {
    key: { modelId: sage.modelId('golden'), regionId: sage.regionId('golden') },
    startMs: 0,
    stepMs: 600_000,
    promptTokensPerS: y,
    outputTokensPerS: new Float64Array(y.length),
    requestsPerS: new Float64Array(y.length),
  };
  const forecast = sage
    .createSeasonalNaiveForecaster({ season: golden.period! })
    .forecast(series, golden.forecast!.mean.length) as sage.DemandForecast;
  return pointCheck(name, y, forecast.mean, golden.forecast!.mean);
}

function verifyRegression(name: string, y: Float64Array, golden: GoldenModel): Check {
  const waves = golden
    .columns!.map((column) => /sin\(2\*pi\*(\d+)\*\(t mod (\d+)\)\/\d+\)/.exec(column))
    .filter((match) => match !== null);
  const trend = golden.columns!.some((column) => column.startsWith('t/1000'));
  const understood = 1 + (trend ? 1 : 0) + 2 * waves.length;
  if (understood !== golden.columns!.length)
    return { name, ok: false, detail: `of its columns ${golden.columns!.join(', ')} some are not known` };
  const cycles = [...new Set(waves.map((match) => Number(match[2])))].map((period) => ({
    period,
    harmonics: Math.max(...waves.filter((match) => Number(match[2]) === period).map((match) => Number(match[1]))),
  }));
  const regression = sage.fitHarmonics(y, cycles, trend);
  return pointCheck(name, y, regression.values(y.length, golden.forecast!.mean.length), golden.forecast!.mean, [
    ['coefficients', maxRelative(regression.coefficients, golden.coef!), POINT],
  ]);
}

function maxRelative(a: ArrayLike<number>, b: readonly number[]): number {
  const size = Math.max(...b.map(Math.abs));
  return Math.max(...b.map((value, i) => Math.abs(a[i]! - value) / Math.max(Math.abs(value), 1e-9 * size)));
}
