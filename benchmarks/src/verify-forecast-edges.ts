import * as sage from 'sageserve';
import type { Check } from './verify-forecast-checks.js';

interface EdgeCases {
  readonly seasonalPeriod: number;
  readonly horizon: number;
  readonly cases: { readonly name: string; readonly y: (number | null)[] }[];
}

/** Everything in the catalogue that needs no training, and always answers. */
const METHODS = Object.entries(sage.DEFAULT_CATALOGUE.forecasters)
  .filter(([name]) => name !== 'neural')
  .map(([name, make]): readonly [string, () => sage.Forecaster] => [name, () => sage.withFallback(make({}))]);
const SEASONAL = [
  'seasonal-naive-day',
  'holt-winters',
  'holt-winters-multiplicative',
  'mstl',
  'harmonic',
  'sarima',
  'auto',
];

const truth = (t: number): number => 100 + 50 * Math.sin((2 * Math.PI * (t % 144)) / 144);

/**
 * What must hold for a method's forecast of a case: undefined, or what does not. `y` is the case's
 * length.
 */
type Rule = (mean: ArrayLike<number>, method: string, length: number, answeredBy: string) => string | undefined;

const within = (
  mean: ArrayLike<number>,
  want: (h: number) => number,
  tolerance: (want: number) => number,
): string | undefined => {
  for (let h = 0; h < mean.length; h++)
    if (!(Math.abs(mean[h]! - want(h)) <= tolerance(want(h))))
      return `forecasts ${mean[h]} ${h + 1} steps ahead instead of ${want(h)}`;
  return undefined;
};

const seasonalTruth =
  (scale: number, tolerance: (want: number) => number, methods: readonly string[] = SEASONAL): Rule =>
  (mean, method, length) =>
    methods.includes(method) ? within(mean, (h) => scale * truth(length + h), tolerance) : undefined;

const RULES: Readonly<Record<string, Rule>> = {
  constant: (mean) =>
    within(
      mean,
      () => 42,
      () => 1e-6,
    ),
  'all-zero': (mean) =>
    within(
      mean,
      () => 0,
      () => 0,
    ),
  'too-short': (mean) =>
    Array.from(mean).every((x) => x >= 5 && x <= 7) ? undefined : `forecasts ${mean[0]}, not between 5 and 7`,
  empty: (_, __, ___, answeredBy) =>
    answeredBy.startsWith('nothing observed') ? undefined : `was answered by ${answeredBy}`,
  single: (mean) =>
    within(
      mean,
      () => 9,
      () => 1e-9,
    ),
  'pure-seasonal': seasonalTruth(1, () => 0.5, [
    'seasonal-naive-day',
    'holt-winters',
    'holt-winters-multiplicative',
    'mstl',
    'auto',
  ]),
  'linear-trend': (mean, method) => {
    if (method === 'linear-trend') {
      return within(
        mean,
        (h) => 408 + 2 * (h + 1),
        () => 1e-3,
      );
    }
    return method === 'arima' && !(mean[0]! >= 408 && mean[0]! <= 412)
      ? `forecasts ${mean[0]} next, not between 408 and 412`
      : undefined;
  },
  'single-spike': seasonalTruth(1, (want) => 0.2 * want),
  'gap-null': seasonalTruth(1, (want) => 0.05 * want),
  // Finite and not under 0, as in every case.
  'negative-input': () => undefined,
};

/** Cases that are `pure-seasonal` in other units: every method must give its forecast in those. */
const SCALED: Readonly<Record<string, number>> = { 'huge-scale': 1e12, 'tiny-scale': 1e-6 };

/**
 * Series that break careless code: every method must give finite forecasts of 0 or more with
 * quantiles in order, and hold what the case asks for.
 */
export async function verifyEdgeCases(golden: unknown): Promise<Check[]> {
  const { horizon, cases } = golden as EdgeCases;
  const checks: Check[] = [];
  const unscaled = new Map<string, ArrayLike<number>>();
  for (const { name, y } of cases.toSorted((a, b) => Number(a.name in SCALED) - Number(b.name in SCALED))) {
    const scale = SCALED[name];
    const rule: Rule | undefined =
      scale === undefined
        ? RULES[name]
        : (mean, method) =>
            within(
              mean,
              (h) => scale * (unscaled.get(method)?.[h] ?? NaN),
              (want) => 1e-3 * want,
            );
    if (rule === undefined) {
      checks.push({ name: `edge ${name}`, ok: false, detail: 'what must hold is not known here' });
      continue;
    }
    const failures: string[] = [];
    for (const [method, create] of METHODS) {
      const values = Float64Array.from(y, (value) => value ?? NaN);
      const forecast = await create().forecast(
        {
          key: { modelId: sage.modelId(name), regionId: sage.regionId('edge') },
          startMs: 0,
          stepMs: 600_000,
          promptTokensPerS: values,
          outputTokensPerS: values.map((value) => (Number.isNaN(value) ? NaN : 0)),
          requestsPerS: new Float64Array(values.length),
        },
        horizon,
      );
      const low = forecast.quantiles[0]!.values;
      const high = forecast.quantiles.at(-1)!.values;
      const sound = forecast.mean.every(
        (mean, h) =>
          [mean, low[h]!, high[h]!].every((x) => Number.isFinite(x) && x >= 0) &&
          low[h]! <= mean + 1e-9 * mean &&
          mean <= high[h]! + 1e-9 * mean,
      );
      const wrong = sound
        ? rule(forecast.mean, method, y.length, forecast.method)
        : 'is not finite, under 0, or outside its quantiles';
      if (name === 'pure-seasonal') unscaled.set(method, forecast.mean);
      if (wrong !== undefined) failures.push(`${method} ${wrong}`);
    }
    checks.push({
      name: `edge ${name}`,
      ok: failures.length === 0,
      detail: failures.length === 0 ? `${METHODS.length} methods` : failures.join('; '),
    });
  }
  return checks;
}
