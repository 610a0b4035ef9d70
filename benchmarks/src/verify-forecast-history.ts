import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as sage from 'sageserve';
import { check, type Check, maxAbsolute, meanOf } from './verify-forecast-checks.js';

const METRIC = 1e-6;

interface Metrics {
  readonly metrics: {
    name: string;
    actual: number[];
    forecast: number[];
    expected: Record<string, number | null>;
    q90?: number[];
    lo80?: number[];
    hi80?: number[];
    train?: number[];
    seasonalPeriod?: number;
  }[];
  readonly hourAggregates: {
    name: string;
    values: number[];
    expected: { max: number; mean: number; p95: number; p50: number };
  }[];
}

/** Our definitions of the error measures against worked examples. */
export function verifyMetrics(golden: unknown): Check[] {
  const { metrics, hourAggregates } = golden as Metrics;
  return [
    ...metrics.map((example): Check => {
      const { actual, forecast, expected, q90, lo80, hi80, train, seasonalPeriod } = example;
      const naive = train === undefined ? undefined : sage.seasonalNaiveError(train, seasonalPeriod!);
      const errors = actual.map((value, i) => forecast[i]! - value);
      const ours: Record<string, number | undefined> = {
        MAE: meanOf(errors.map(Math.abs)),
        underRate: meanOf(errors.map((error) => (error < 0 ? 1 : 0))),
        WAPE: sage.wape(actual, forecast),
        sMAPE: sage.smape(actual, forecast),
        bias: sage.bias(actual, forecast),
        MASE: sage.mase(actual, forecast, naive),
        maseDenominator: naive ?? (train === undefined ? undefined : 0),
        pinball90: q90 === undefined ? undefined : sage.pinballLoss(actual, q90, 0.9),
        cover90: q90 === undefined ? undefined : sage.coverage(actual, q90),
        cover80: hi80 === undefined ? undefined : sage.coverage(actual, hi80, lo80),
      };
      const wrong = Object.entries(expected).filter(([key, value]) => {
        // A measure that is not ours can't be said to agree.
        if (!(key in ours)) return true;
        return value === null ? ours[key] !== undefined : !(Math.abs((ours[key] ?? NaN) - value) <= METRIC);
      });
      return {
        name: `metrics ${example.name}`,
        ok: wrong.length === 0,
        detail:
          wrong.length === 0
            ? `${Object.keys(expected).length} measures`
            : wrong.map(([key, value]) => `${key} ${ours[key]} instead of ${value}`).join(', '),
      };
    }),
    ...hourAggregates.map(({ name, values, expected }) =>
      check(`metrics quantiles of ${name}`, [
        ['max', Math.abs(Math.max(...values) - expected.max), METRIC],
        ['mean', Math.abs(meanOf(values) - expected.mean), METRIC],
        ['p95', Math.abs(sage.quantile(values, 0.95)! - expected.p95), METRIC],
        ['p50', Math.abs(sage.quantile(values, 0.5)! - expected.p50), METRIC],
      ]),
    ),
  ];
}

interface Evaluation {
  readonly series: string;
  readonly bucketSeconds: number;
  readonly horizonBuckets: number;
  readonly trainWindow: number;
  readonly origins: number[];
  readonly scoredOrigins: number[];
  readonly metrics: Record<string, { max: { WAPE?: number; MASE?: number; bias?: number } }>;
  readonly maseDenominator: { max: number };
  readonly actual: { max: number[] };
  readonly forecasts: Record<string, { max: number[] }>;
}

interface SeriesFile {
  readonly values: number[];
}

function seriesOf(dir: string, name: string): Float64Array {
  return Float64Array.from((JSON.parse(readFileSync(join(dir, `series_${name}.json`), 'utf8')) as SeriesFile).values);
}

/** Peaks of the horizon from each origin. */
function peaks(values: Float64Array, horizon: number): number[] {
  return Array.from({ length: values.length / horizon }, (_, i) =>
    Math.max(...values.subarray(i * horizon, (i + 1) * horizon)),
  );
}

/** Every this many origins the paper's ARIMA is fitted again, as the reference was. */
const REFIT_SAMPLE = 12;

/**
 * A reference evaluation: its figures from its forecasts by our measures, and forecasts of ours by
 * its protocol.
 */
export function verifyEvaluation(golden: unknown, dir: string): Check[] {
  const evaluation = golden as Evaluation;
  const {
    series,
    horizonBuckets: horizon,
    origins,
    scoredOrigins,
    metrics,
    actual,
    forecasts,
    trainWindow,
  } = evaluation;
  const y = seriesOf(dir, series);
  const scored = new Set(scoredOrigins);
  const pick = (values: readonly number[]): number[] => values.filter((_, i) => scored.has(origins[i]!));
  const checks = Object.entries(forecasts).map(([method, { max }]): Check => {
    const want = metrics[method]!.max;
    return check(`${series} ${method} figures`, [
      ['WAPE', Math.abs(sage.wape(pick(actual.max), pick(max))! - want.WAPE!), 1e-5],
      ['MASE', Math.abs(sage.mase(pick(actual.max), pick(max), evaluation.maseDenominator.max)! - want.MASE!), 1e-3],
    ]);
  });
  const level = meanOf(actual.max);
  const day = 86_400 / evaluation.bucketSeconds;
  const naive = { naive_last: 1, snaive_day: day, snaive_week: 7 * day };
  for (const [method, season] of Object.entries(naive)) {
    const ours = origins.map((origin) =>
      Math.max(...Array.from({ length: horizon }, (_, h) => y[origin - season + (h % season)]!)),
    );
    if (forecasts[method] !== undefined)
      checks.push(
        check(`${series} ${method} again`, [
          ['forecast ÷ mean', maxAbsolute(ours, forecasts[method].max) / level, 1e-6],
        ]),
      );
  }
  for (const [method, order] of [
    ['arima312', { p: 3, d: 1, q: 2, seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1 }],
    ['sarima302_010_144', { p: 3, d: 0, q: 2, seasonalP: 0, seasonalD: 1, seasonalQ: 0, season: day }],
  ] as const) {
    const reference = forecasts[method]?.max;
    if (reference === undefined) continue;
    const sample = [...origins.keys()].filter((i) => i % REFIT_SAMPLE === 0);
    const differences = sample.map((i) => {
      const past = y.subarray(Math.max(0, origins[i]! - trainWindow), origins[i]);
      const [ours] = peaks(
        sage.fitArima(past, order, { likelihood: 'exact' }).rolling(past, [past.length], horizon),
        horizon,
      );
      return Math.abs(ours! - reference[i]!) / level;
    });
    checks.push(
      check(`${series} ${method} at ${sample.length} origins`, [['mean difference ÷ mean', meanOf(differences), 0.01]]),
    );
  }
  return checks;
}

interface Leak {
  readonly series: string;
  readonly window: [number, number];
  readonly origins: number[];
  readonly actualMax: number[];
  readonly metrics: Record<string, { WAPE: number }>;
  readonly forecasts: Record<string, number[]>;
}

/** What seeing the future is worth: the reference's figures, and its leaked forecast made again. */
export function verifyLeak(golden: unknown, dir: string): Check[] {
  const { series, window, origins, actualMax, metrics, forecasts } = golden as Leak;
  const y = seriesOf(dir, series);
  const checks = Object.entries(forecasts).map(([method, values]) =>
    check(`${series} leak ${method} figures`, [
      ['WAPE', Math.abs(sage.wape(actualMax, values)! - metrics[method]!.WAPE), 1e-5],
    ]),
  );
  const leaked = leakedForecast(y, origins, window);
  checks.push(
    check(`${series} leaked_artifact again`, [
      ['WAPE', Math.abs(sage.wape(actualMax, leaked)! / metrics['leaked_artifact']!.WAPE - 1), 0.05],
    ]),
  );
  return checks;
}

/**
 * The artifact's way: ARIMA(3,1,2) fitted on the whole series, future included, and the largest of
 * its one-step predictions between `from` and `to` buckets ahead, each of which has seen the bucket
 * before it. No forecast: what it would look like to know the future.
 */
export function leakedForecast(
  y: Float64Array,
  origins: readonly number[],
  [from, to]: readonly [number, number],
): number[] {
  const scale = meanOf(y);
  const scaled = y.map((value) => value / scale);
  const model = sage.fitArima(
    scaled,
    { p: 3, d: 1, q: 2, seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1 },
    { likelihood: 'exact' },
  );
  const first = origins[0]!;
  const every = Array.from({ length: y.length - first }, (_, i) => first + i);
  const oneStep = model.rolling(scaled, every, 1);
  return origins.map((origin) => {
    let largest = 0;
    for (let ahead = from; ahead <= to; ahead++)
      largest = Math.max(largest, (oneStep[origin + ahead - first] ?? 0) * scale);
    return largest;
  });
}
