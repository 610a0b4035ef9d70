import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, DEFAULT_DEMAND_STEP_MS, type DemandForecast, type DemandSeries } from '@sageserve/core';
import { type Accuracy, backtest, type BacktestResult, poolBacktests, stepsPerDay } from '@sageserve/forecast';
import { cantWrite, makeBeside, openTrace, type SkippedRows, type TraceFormat, writeTarget } from '@sageserve/trace';
import {
  backtestCsv,
  backtestPage,
  count,
  decimal,
  NONE,
  percent,
  plural,
  sparkline,
  table,
  time,
} from '@sageserve/experiments';
import { wallClockMs, yieldToEventLoop } from '@sageserve/experiments/console';
import { type Catalogue, DEFAULT_CATALOGUE, loadPluginFiles, parseDurationMs } from '@sageserve/fleet';
import { buildTraffic, demandOfTrace, parseScenario, preset, readDemandCsv } from '@sageserve/scenario';
import { forecasterOf, stepOf, stepsOf } from './forecast-options.js';
import { replaceFile } from './output-file.js';
import { Progress, reportSkippedRows } from './progress.js';
import { makeFolder } from './result-folder.js';

interface DemandOptions {
  readonly trace?: string;
  readonly counts?: string;
  readonly preset?: string;
  readonly duration?: string;
  readonly requestsPerDay?: string;
  readonly column?: string;
  readonly format?: string;
  readonly skipBadRows?: boolean;
  readonly allTiers?: boolean;
  readonly model?: string;
  readonly region?: string;
  readonly step?: string;
  readonly horizon?: string;
  readonly target?: string;
  readonly plugins?: string;
  readonly json?: boolean;
}

/** The catalogue with what `--plugins` names. */
function catalogueOf({ plugins }: DemandOptions): Promise<Catalogue> {
  const paths = plugins === undefined ? [] : plugins.split(',').map((path) => path.trim());
  return loadPluginFiles(paths, '.', '--plugins', DEFAULT_CATALOGUE);
}

interface Demand {
  readonly source: string;
  readonly series: readonly DemandSeries[];
  readonly unit: string;
  readonly leftOut: number;
}

const DEFAULT_BACKTEST = ['auto', 'seasonal-naive-day', 'arima'];

/**
 * The series that the options name. Throws `ConfigError` unless there is one source and it has the
 * model and region that were asked for.
 */
async function readDemand(options: DemandOptions, signal: AbortSignal): Promise<Demand> {
  const sources = (['trace', 'counts', 'preset'] as const).filter((name) => options[name] !== undefined);
  if (sources.length !== 1)
    throw new ConfigError(
      sources.length === 0 ? '--trace' : `--${sources[1]}`,
      'give one of --trace FILE, --counts FILE and --preset NAME',
      {
        hint: 'A trace holds requests, a file of counts a row for each bucket; a preset generates traffic.',
      },
    );
  const demand = await (options.counts === undefined
    ? demandFromTraffic(options, signal)
    : demandFromCounts(options.counts, options));
  const series = demand.series.filter(
    ({ key }) =>
      (options.model === undefined || key.modelId === options.model) &&
      (options.region === undefined || key.regionId === options.region),
  );
  if (series.length === 0)
    throw new ConfigError(options.model === undefined ? '--region' : '--model', 'names no series', {
      hint: `There are ${demand.series.map(({ key }) => `${key.modelId} in ${key.regionId}`).join(', ')}.`,
    });
  return { ...demand, series };
}

async function demandFromCounts(file: string, options: DemandOptions): Promise<Demand> {
  const { series, unit } = await readDemandCsv(file, options.column);
  const step = options.step === undefined ? undefined : stepOf(options.step);
  const odd = series.find(({ stepMs }) => step !== undefined && stepMs !== step);
  if (odd !== undefined)
    throw new ConfigError('--step', `${file} has buckets of ${time(odd.stepMs)}, not of ${options.step}`, {
      hint: 'Leave --step out: a file of counts says it by itself.',
    });
  return { source: file, series, unit, leftOut: 0 };
}

async function demandFromTraffic(options: DemandOptions, signal: AbortSignal): Promise<Demand> {
  const stepMs = options.step === undefined ? DEFAULT_DEMAND_STEP_MS : stepOf(options.step);
  const skipped: SkippedRows = { count: 0, examples: [] };
  const base = options.preset === undefined ? undefined : preset(options.preset);
  const perDay = options.requestsPerDay === undefined ? undefined : Number(options.requestsPerDay);
  if (perDay !== undefined && !(perDay > 0))
    throw new ConfigError('--requests-per-day', `must be a number above 0, not "${options.requestsPerDay}"`);
  const scenario =
    base === undefined
      ? undefined
      : parseScenario({
          ...base,
          ...(options.duration === undefined ? {} : { duration: options.duration }),
          traffic: { ...base.traffic, ...(perDay === undefined ? {} : { requestsPerDay: perDay }) },
        });
  const durationMs = scenario?.duration === undefined ? undefined : parseDurationMs(scenario.duration);
  const trace =
    scenario === undefined
      ? await openTrace(options.trace!, {
          ...(options.format === undefined ? {} : { format: options.format as TraceFormat }),
          ...(options.skipBadRows === true ? { skippedRows: skipped } : {}),
          signal,
        })
      : await buildTraffic(scenario);
  const source = options.trace ?? options.preset!;
  const progress = new Progress('reading', 'requests');
  try {
    const { series, leftOut } = await demandOfTrace(trace, source, {
      stepMs,
      allTiers: options.allTiers === true,
      onBatch: (requests, lastMs) => {
        signal.throwIfAborted();
        return progress.update(
          requests,
          trace.progress ?? (durationMs === undefined ? undefined : lastMs / durationMs),
        );
      },
    });
    return { source, series, unit: 'tokens/s', leftOut };
  } finally {
    progress.stop();
    reportSkippedRows(skipped);
  }
}

function targetOf(text: string | undefined): 'bucket' | 'peak' {
  if (text === undefined || text === 'bucket' || text === 'peak') return text ?? 'bucket';
  throw new ConfigError('--target', `must be bucket or peak, not "${text}"`);
}

function nameOf({ key }: Pick<DemandSeries, 'key'>): string {
  return key.regionId === 'all' ? key.modelId : `${key.modelId} in ${key.regionId}`;
}

export interface ForecastRunOptions extends DemandOptions {
  readonly method?: string;
  readonly levels?: string;
}

/** `sageserve forecast run`: the next steps of each series. */
export async function forecastRunCommand(options: ForecastRunOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options.target);
  const levels = options.levels?.split(',').map(Number);
  for (const level of levels ?? [])
    if (!(level > 0 && level < 1))
      throw new ConfigError('--levels', `must be numbers between 0 and 1 with commas between, not "${options.levels}"`);
  if (levels !== undefined && new Set(levels).size < levels.length)
    throw new ConfigError('--levels', 'holds a level twice');
  const catalogue = await catalogueOf(options);
  forecasterOf(options.method ?? 'auto', DEFAULT_DEMAND_STEP_MS, 1, target, true, catalogue);
  const demand = await readDemand(options, signal);
  const results: { series: DemandSeries; forecast: DemandForecast }[] = [];
  for (const series of demand.series) {
    signal.throwIfAborted();
    const horizon = stepsOf('--horizon', options.horizon ?? '6', series.stepMs);
    const forecaster = forecasterOf(options.method ?? 'auto', series.stepMs, horizon, target, true, catalogue);
    results.push({
      series,
      forecast: await forecaster.forecast(series, horizon, {
        signal,
        ...(levels === undefined ? {} : { quantileLevels: levels }),
      }),
    });
    await yieldToEventLoop();
  }
  if (options.json === true) {
    console.log(
      JSON.stringify(
        {
          source: demand.source,
          unit: demand.unit,
          forecasts: results.map(({ series, forecast }) => ({
            model: series.key.modelId,
            region: series.key.regionId,
            method: forecast.method,
            start: new Date(forecast.startMs).toISOString(),
            stepS: forecast.stepMs / 1_000,
            ...plainColumn(forecast),
            promptTokensPerS: plainColumn(forecast.promptTokensPerS),
            outputTokensPerS: plainColumn(forecast.outputTokensPerS),
          })),
        },
        null,
        2,
      ),
    );
    return;
  }
  console.log(`${demand.source}, ${demand.unit}, buckets of ${time(demand.series[0]!.stepMs)}`);
  noteLeftOut(demand);
  for (const { series, forecast } of results) {
    const total = totalOf(series);
    const hasOutput = series.outputTokensPerS.some((x) => x > 0);
    console.log(`\n${nameOf(series)}: ${count(total.length)} buckets seen\n${forecast.method}`);
    console.log(`${sparkline(recent(total, series.stepMs), 56)}│${sparkline([...forecast.mean], 8)}`);
    console.log(
      table(
        [
          'from (UTC)',
          'mean',
          ...forecast.quantiles.map(({ level }) => `q${level}`),
          ...(hasOutput ? ['prompt', 'output'] : []),
        ],
        [...forecast.mean].map((mean, h) => [
          new Date(forecast.startMs + h * forecast.stepMs).toISOString().slice(0, 16).replace('T', ' '),
          number(mean),
          ...forecast.quantiles.map(({ values }) => number(values[h]!)),
          ...(hasOutput
            ? [number(forecast.promptTokensPerS.mean[h]!), number(forecast.outputTokensPerS.mean[h]!)]
            : []),
        ]),
      ),
    );
  }
}

function plainColumn(column: DemandForecast['promptTokensPerS']): object {
  return {
    mean: [...column.mean],
    quantiles: Object.fromEntries(column.quantiles.map(({ level, values }) => [level, [...values]])),
  };
}

function number(value: number): string {
  return value >= 100 ? count(value) : decimal(value, value >= 1 ? 1 : 3);
}

function totalOf(series: DemandSeries): Float64Array {
  return series.promptTokensPerS.map((value, t) => value + series.outputTokensPerS[t]!);
}

/** The last three days, gaps as 0. */
function recent(values: Float64Array, stepMs: number): number[] {
  return [...values.slice(-3 * stepsPerDay(stepMs))].map((x) => (Number.isNaN(x) ? 0 : x));
}

function noteLeftOut(demand: Demand): void {
  if (demand.leftOut > 0)
    console.error(
      `${count(demand.leftOut)} non-interactive requests were left out: they can wait (--all-tiers counts them)`,
    );
}

export interface ForecastBacktestOptions extends DemandOptions {
  readonly methods?: string;
  readonly every?: string;
  readonly first?: string;
  readonly history?: string;
  readonly calibrate?: boolean;
  readonly out?: string;
}

/**
 * `sageserve forecast backtest`: what each method would have forecast, hour by hour, and how far it
 * missed.
 */
export async function forecastBacktestCommand(options: ForecastBacktestOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options.target);
  const methods = [...new Set((options.methods ?? DEFAULT_BACKTEST.join(',')).split(',').map((name) => name.trim()))];
  // Names are looked at before hours are spent.
  const catalogue = await catalogueOf(options);
  for (const name of methods) forecasterOf(name, DEFAULT_DEMAND_STEP_MS, 1, target, false, catalogue);
  const takeBack = options.out === undefined ? undefined : await makeFolder(options.out);
  // That it can be written to is seen now, not after hours.
  if (options.out !== undefined) await tryOut(options.out);
  try {
    await backtestDemand(options, methods, target, catalogue, signal);
  } catch (error) {
    await takeBack?.();
    throw error;
  }
}

async function backtestDemand(
  options: ForecastBacktestOptions,
  methods: readonly string[],
  target: 'bucket' | 'peak',
  catalogue: Catalogue,
  signal: AbortSignal,
): Promise<void> {
  const demand = await readDemand(options, signal);
  const progress = new Progress('backtest', 'forecasts');
  const results: BacktestResult[] = [];
  let done = 0;
  try {
    for (const [s, series] of demand.series.entries()) {
      const { stepMs } = series;
      const steps = (option: string, text: string | undefined): number | undefined =>
        text === undefined ? undefined : stepsOf(option, text, stepMs);
      const horizonSteps = stepsOf('--horizon', options.horizon ?? '6', stepMs);
      const everySteps = steps('--every', options.every);
      const firstStep =
        steps('--first', options.first) ?? Math.min(2 * stepsPerDay(stepMs), series.promptTokensPerS.length >> 1);
      const length = series.promptTokensPerS.length;
      if (firstStep + horizonSteps > length)
        throw new ConfigError(
          options.first === undefined ? '--horizon' : '--first',
          `${nameOf(series)} has ${plural(length, 'bucket')}: too few for a forecast of ${horizonSteps} after ` +
            `${firstStep}`,
          {
            hint: 'Give a longer series, a shorter --step or --horizon, or an earlier --first.',
          },
        );
      const historySteps = steps('--history', options.history);
      results.push(
        ...(await backtest(
          [series],
          methods.map((name) =>
            forecasterOf(name, stepMs, horizonSteps, target, options.calibrate === true, catalogue),
          ),
          {
            horizonSteps,
            ...(everySteps === undefined ? {} : { everySteps }),
            firstStep,
            ...(historySteps === undefined ? {} : { historySteps }),
            signal,
            nowMs: wallClockMs,
            onProgress: (share) => progress.update(++done, (s + share) / demand.series.length),
          },
        )),
      );
    }
  } finally {
    progress.stop();
  }
  const pooled = methods.map((method) => {
    const own = results.filter((result) => result.method === method);
    return {
      method,
      ...poolBacktests(own),
      msPerForecast: own.reduce((sum, r) => sum + (r.msPerForecast ?? 0) / own.length, 0),
    };
  });
  const summary = {
    source: demand.source,
    unit: demand.unit,
    target,
    series: results.map(
      ({ key, method, origins, horizonSteps, stepMs, buckets, peaks, msPerForecast, answeredBy }) => ({
        model: key.modelId,
        region: key.regionId,
        method,
        stepS: stepMs / 1_000,
        horizonSteps,
        forecasts: origins.length,
        fallbacks: fallbacksOf(answeredBy),
        buckets,
        peaks,
        msPerForecast,
      }),
    ),
    total: pooled,
  };
  if (options.out !== undefined) await writeResults(options.out, summary, results, demand);
  if (options.json === true) {
    console.log(JSON.stringify(summary, null, 2));
    return;
  }
  const first = results[0]!;
  console.log(
    `${demand.source}, ${demand.unit}: forecasts of ${first.horizonSteps} × ${time(first.stepMs)}, each from the ` +
      'past alone',
  );
  noteLeftOut(demand);
  for (const series of demand.series) {
    const own = results.filter((result) => result.key === series.key);
    console.log(
      `\n${nameOf(series)}: ${own[0]!.origins.length} forecasts, the first at ` +
        new Date(series.startMs + own[0]!.origins[0]! * series.stepMs).toISOString(),
    );
    console.log(accuracyTable(own));
    for (const { method, answeredBy } of own) {
      const fallbacks = fallbacksOf(answeredBy);
      if (fallbacks > 0)
        console.log(
          `${method}: a fallback answered ${fallbacks} times, such as ` +
            `“${answeredBy.find((name) => name.includes('(fallback:'))}”`,
        );
    }
  }
  if (demand.series.length > 1) console.log(`\nall ${demand.series.length} series together\n${accuracyTable(pooled)}`);
  if (options.out !== undefined)
    console.log(`\n${join(options.out, 'report.html')} shows actual demand against each forecast with its band`);
}

function fallbacksOf(answeredBy: readonly string[]): number {
  return answeredBy.filter((name) => name.includes('(fallback:')).length;
}

interface AccuracyRow {
  readonly method: string;
  readonly buckets: Accuracy;
  readonly peaks: Accuracy;
  readonly msPerForecast: number | undefined;
}

function accuracyTable(rows: readonly AccuracyRow[]): string {
  const cells = (a: Accuracy): string[] => [
    percent(a.wape, 1),
    a.mase === undefined ? NONE : decimal(a.mase, 2),
    a.pinball90 === undefined ? NONE : decimal(a.pinball90, 4),
    percent(a.under90, 1),
    percent(a.inside80, 1),
    percent(a.inside90, 1),
  ];
  return table(
    ['', '', 'WAPE', 'MASE', 'pinball q0.9', 'under q0.9', 'in 80 %', 'in 90 %', 'time'],
    rows.flatMap((row) => [
      [row.method, 'buckets', ...cells(row.buckets), time(row.msPerForecast)],
      ['', 'peaks', ...cells(row.peaks), ''],
    ]),
  );
}

const OUT_FILES = ['report.html', 'forecasts.csv', 'summary.json'];

async function tryOut(path: string): Promise<void> {
  for (const name of OUT_FILES) await writeTarget(join(path, name));
  try {
    await rm(await makeBeside(join(path, 'probe'), 'file'));
  } catch (cause) {
    throw cantWrite(path, cause);
  }
}

async function writeResults(
  path: string,
  summary: object,
  results: readonly BacktestResult[],
  demand: Demand,
): Promise<void> {
  const contents = [
    await backtestPage(results, demand.source, demand.unit),
    backtestCsv(results),
    `${JSON.stringify(summary, null, 2)}\n`,
  ];
  // All are complete before the first takes its place.
  const write = (i: number): Promise<void> =>
    i === OUT_FILES.length
      ? Promise.resolve()
      : replaceFile(join(path, OUT_FILES[i]!), contents[i]!, () => write(i + 1));
  await write(0);
}
