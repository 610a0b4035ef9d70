import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import * as sage from 'sageserve';
import { cpuSeconds, type Figure, peakMemoryMb } from './measure.js';
import { leakedForecast } from './verify-forecast-history.js';

const STEP_MS = 600_000;
const DAY = 144;
const WEEK = 7 * DAY;
const HOUR_MS = 3_600_000;
const SHARED = '../shared';

interface Case {
  readonly name: string;
  /** Several are pooled. */
  readonly series: readonly sage.DemandSeries[];
  /** First origin: a week where two are there, else as soon as every method has what it needs. */
  readonly firstStep: number;
  /** What the golden folder's statistician reached with a single method, where that is known. */
  readonly reference?: number;
}

/**
 * Quality on each series, by rolling origin: one forecast of six buckets each hour, from the past
 * alone.
 */
export async function benchForecast(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const one of await cases()) figures.push(...(await quality(one)));
  figures.push(...refresh());
  return figures;
}

function seriesOf(
  name: string,
  prompt: ArrayLike<number>,
  output: ArrayLike<number> | undefined,
  startMs: number,
): sage.DemandSeries {
  return {
    key: { modelId: sage.modelId(name), regionId: sage.regionId('all') },
    startMs,
    stepMs: STEP_MS,
    promptTokensPerS: Float64Array.from(prompt),
    outputTokensPerS: output === undefined ? new Float64Array(prompt.length) : Float64Array.from(output),
    requestsPerS: new Float64Array(prompt.length),
  };
}

async function cases(): Promise<Case[]> {
  const found: Case[] = [];
  const azure = `${SHARED}/data/traces/azure2024_conv_rate_10min.csv.gz`;
  if (existsSync(azure)) {
    const rows = gunzipSync(readFileSync(azure)).toString().trim().split('\n').slice(1);
    const rates = rows.map((row) => Number(row.split(',')[1]));
    found.push({
      name: 'Azure 2024 week',
      series: [seriesOf('azure', rates, undefined, Date.parse(rows[0]!.split(',')[0]!))],
      firstStep: 306,
    });
  }
  const golden = `${SHARED}/golden/forecast/series_sg_interactive_filled_10m.json`;
  if (existsSync(golden)) {
    const { values } = JSON.parse(readFileSync(golden, 'utf8')) as { values: number[] };
    found.push({
      name: 'ServeGen interactive',
      series: [seriesOf('servegen', values, undefined, 4 * DAY * STEP_MS)],
      firstStep: WEEK,
      reference: 0.0264,
    });
  }
  if (found.length < 2) console.log(`  (${SHARED} is not there: real series are left out)`);
  const generated = await generate(4, 14, 2_000_000);
  const { startMs } = generated[0]!;
  const sum = (of: (s: sage.DemandSeries) => Float64Array): Float64Array =>
    generated[0]!.promptTokensPerS.map((_, t) => generated.reduce((total, s) => total + of(s)[t]!, 0));
  found.push({
    name: 'O365 week, whole fleet',
    series: [
      seriesOf(
        'o365',
        sum((s) => s.promptTokensPerS),
        sum((s) => s.outputTokensPerS),
        startMs,
      ),
    ],
    firstStep: WEEK,
  });
  found.push({ name: `O365 week, its ${generated.length} endpoints`, series: generated, firstStep: WEEK });
  return found;
}

/**
 * Interactive demand by model and region of generated traffic: `models` of Zipf's shares in the
 * three regions of the paper presets.
 */
async function generate(models: number, days: number, requestsPerDay: number): Promise<sage.DemandSeries[]> {
  const base = sage.preset('paper-week');
  const trace = sage.generateO365Trace({
    seed: 1,
    durationMs: days * DAY * STEP_MS + STEP_MS,
    requestsPerDay,
    regions: base.regions.map(({ name, share, phaseHours }) => ({ name, share, phaseHours })),
    models: Array.from({ length: models }, (_, m) => ({ name: `model-${m + 1}`, share: 1 / (m + 1) })),
  });
  return (await sage.demandOfTrace(trace, 'generated', { stepMs: STEP_MS })).series;
}

type Pooled = { readonly method: string } & ReturnType<typeof sage.poolBacktests>;

async function quality({ name, series, firstStep, reference }: Case): Promise<Figure[]> {
  const peak = { target: 'peak' as const };
  // Fitted anew each hour, as the paper's; on many series four times a day, which changes little
  // and takes a sixth.
  const paper = sage.createArimaForecaster({
    windowDays: 7,
    refitEveryMs: series.length === 1 ? HOUR_MS : 6 * HOUR_MS,
  });
  const singles = [
    paper,
    sage.createSeasonalNaiveForecaster(),
    sage.createSimpleSmoothingForecaster(),
    sage.createHoltWintersForecaster(),
    sage.createHoltWintersForecaster({ seasonal: 'multiplicative' }),
    sage.createArimaForecaster({ order: { p: 1, d: 0, q: 1, seasonalD: 1, seasonalQ: 1, season: DAY } }),
    sage.createHarmonicForecaster(),
  ];
  const options = { firstStep, horizonSteps: 6, everySteps: 6 };
  const backtest = async (forecaster: () => sage.Forecaster): Promise<Pooled> => {
    const results = await sage.backtest(series, [forecaster()], options);
    return { method: results[0]!.method, ...sage.poolBacktests(results) };
  };
  const auto = await backtest(() => sage.createAutoForecaster({ calibration: peak }));
  const byBucket = await backtest(() => sage.createAutoForecaster());
  const results: Pooled[] = [];
  for (const single of singles) results.push(await backtest(() => single));
  // The same step that makes auto's guess of the peak, given to each single: what is left is the
  // methods' own.
  const alike: number[] = [];
  if (series.length === 1)
    for (const single of singles) alike.push((await backtest(() => sage.withCalibration(single, peak))).peaks.wape!);
  const wapeOf = (result: Pooled): number => result.peaks.wape!;
  const ours = wapeOf(auto);
  const [arima, naive] = results.map(wapeOf);
  const best = Math.min(...results.map(wapeOf), reference ?? Infinity);
  // The very ones that auto chooses from, alternatives too.
  let bestMember = Infinity;
  for (const member of [...sage.defaultMembers(), ...sage.defaultAlternatives()])
    bestMember = Math.min(bestMember, (await backtest(() => sage.withFallback(member))).buckets.wape!);
  const percent = (x: number): number => 100 * x;
  for (const result of results)
    console.log(
      `  ${name}: ${result.method.padEnd(34)} WAPE of peaks ${percent(wapeOf(result)).toFixed(2)} %, under its ` +
        `0.9 quantile ${percent(result.peaks.under90!).toFixed(1)} %`,
    );
  const figures: Figure[] = [
    {
      name: `${name}: auto, WAPE of the next hour's peak`,
      value: percent(ours),
      unit: '%',
      target: { atMost: percent(naive!) },
    },
    { name: '  less than rolling ARIMA(3,1,2)', value: percent(1 - ours / arima!), unit: '%', target: { atLeast: 20 } },
    {
      name: `  ÷ the best single method${reference === undefined ? '' : " (ours or the statistician's)"}`,
      value: ours / best,
      unit: '×',
      target: { atMost: 1.05 },
    },
    ...(alike.length === 0
      ? []
      : [
          {
            name: '  less than ARIMA(3,1,2) calibrated on peaks as auto is',
            value: percent(1 - ours / alike[0]!),
            unit: '%',
          },
          { name: '  ÷ the best single method calibrated on peaks', value: ours / Math.min(...alike), unit: '×' },
        ]),
    {
      name: '  by bucket, ÷ the best of its members',
      value: byBucket.buckets.wape! / bestMember,
      unit: '×',
      target: { atMost: 1.1 },
    },
    {
      name: '  peaks under the 0.9 quantile of peaks',
      value: percent(auto.peaks.under90!),
      unit: '%',
      target: { atLeast: 87, atMost: 93 },
    },
    {
      name: '  buckets under the 0.9 quantile of buckets',
      value: percent(byBucket.buckets.under90!),
      unit: '%',
      target: { atLeast: 87, atMost: 93 },
    },
    { name: '  buckets inside the band of 80 %', value: percent(byBucket.buckets.inside80!), unit: '%' },
  ];
  if (series.length > 1) return figures;
  const { createNeuralForecaster } = await import('@sageserve/forecast-tfjs');
  const neural = await backtest(() =>
    sage.withFallback(createNeuralForecaster(), sage.createSimpleSmoothingForecaster()),
  );
  return [
    ...figures,
    { name: '  neural by itself, trained each day', value: percent(wapeOf(neural)), unit: '%' },
    ...leak(series[0]!, firstStep),
  ];
}

/**
 * The artifact's maximum over 20 to 60 minutes ahead, from a fit that has seen the whole series,
 * beside an honest forecast of the same window.
 */
function leak(series: sage.DemandSeries, firstStep: number): Figure[] {
  const y = series.promptTokensPerS.map((value, t) => value + series.outputTokensPerS[t]!);
  const origins: number[] = [];
  for (let origin = firstStep; origin + 6 < y.length; origin += 6) origins.push(origin);
  const actual = origins.map((origin) => Math.max(...y.subarray(origin + 2, origin + 7)));
  const scale = y.reduce((a, b) => a + b, 0) / y.length;
  const honest = origins.map((origin) => {
    const past = y.subarray(Math.max(0, origin - WEEK), origin).map((value) => value / scale);
    const model = sage.fitArima(
      past,
      { p: 3, d: 1, q: 2, seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1 },
      { likelihood: 'conditional' },
    );
    return scale * Math.max(...model.rolling(past, [past.length], 7).subarray(2));
  });
  return [
    {
      name: '  ARIMA(3,1,2) that has seen the future (no forecast), 20–60 min',
      value: 100 * sage.wape(actual, leakedForecast(y, origins, [2, 6]))!,
      unit: '%',
    },
    { name: '  the same honestly', value: 100 * sage.wape(actual, honest)!, unit: '%' },
  ];
}

/** Measured in a process of its own, so that its memory is its own. */
function refresh(): Figure[] {
  const self = fileURLToPath(new URL('bench.js', import.meta.url));
  const { coldS, meanS, worstS, peakMb, neuralColdS, neuralWarmS, neuralHourS, backend } = JSON.parse(
    execFileSync(process.execPath, [self, '--run-refresh'], { encoding: 'utf8', maxBuffer: 1 << 24 }),
  ) as Record<'coldS' | 'meanS' | 'worstS' | 'peakMb' | 'neuralColdS' | 'neuralWarmS' | 'neuralHourS', number> & {
    backend: string;
  };
  return [
    { name: '60 series × 2 weeks: an hourly refresh, mean of 24', value: meanS, unit: 'CPU-s', target: { atMost: 5 } },
    { name: '  the worst of the 24', value: worstS, unit: 'CPU-s', target: { atMost: 5 } },
    {
      name: '  the first, with a week of past forecasts to make up',
      value: coldS,
      unit: 'CPU-s',
      target: { atMost: 5 },
    },
    { name: '  memory', value: peakMb, unit: 'MB', target: { atMost: 300 } },
    { name: `  neural (${backend}): first training on all 60`, value: neuralColdS, unit: 'CPU-s' },
    { name: '  neural: training again each day, warm', value: neuralWarmS, unit: 'CPU-s' },
    { name: '  neural: an hourly refresh', value: neuralHourS, unit: 'CPU-s' },
  ];
}

/** The process behind {@link refresh}: prints one line of JSON. */
export async function runRefresh(): Promise<void> {
  const series = await generate(20, 15, 1_000_000);
  const at = (s: sage.DemandSeries, hour: number): sage.DemandSeries =>
    sage.sliceHistory(s, 6 * hour, 14 * DAY + 6 * hour);
  const auto = sage.createAutoForecaster({ calibration: { target: 'peak' } });
  const timed = async (work: () => Promise<void>): Promise<number> => {
    const start = cpuSeconds();
    await work();
    return cpuSeconds() - start;
  };
  const hour = (forecaster: sage.Forecaster, h: number) => async (): Promise<void> => {
    for (const s of series) await forecaster.forecast(at(s, h), 6);
  };
  const coldS = await timed(hour(auto, 0));
  const hours: number[] = [];
  for (let h = 1; h <= 24; h++) hours.push(await timed(hour(auto, h)));
  const peakMb = peakMemoryMb();
  // Loaded here, so that its memory is not the others'.
  const { createNeuralForecaster } = await import('@sageserve/forecast-tfjs');
  const neural = createNeuralForecaster();
  const train = (h: number) => async (): Promise<void> => {
    await neural.train(series.map((s) => at(s, h)));
  };
  const neuralColdS = await timed(train(0));
  const neuralHourS = await timed(hour(neural, 1));
  const neuralWarmS = await timed(train(24));
  const { backend } = await neural.backend();
  console.log(
    JSON.stringify({
      coldS,
      meanS: hours.reduce((a, b) => a + b, 0) / hours.length,
      worstS: Math.max(...hours),
      peakMb,
      neuralColdS,
      neuralWarmS,
      neuralHourS,
      backend,
    }),
  );
}
