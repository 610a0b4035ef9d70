import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, DEFAULT_DEMAND_STEP_MS } from '@sageserve/core';
import { type Accuracy, backtest, type BacktestResult, poolBacktests, stepsPerDay } from '@sageserve/forecast';
import { cantWrite, makeBeside, writeTarget } from '@sageserve/trace';
import { backtestCsv, backtestPage, decimal, NONE, percent, plural, table, time } from '@sageserve/experiments';
import { wallClockMs } from '@sageserve/experiments/console';
import type { Catalogue } from '@sageserve/fleet';
import {
  catalogueOf,
  type Demand,
  type DemandOptions,
  nameOf,
  noteLeftOut,
  readDemand,
  targetOf,
} from './forecast-demand.js';
import { forecasterOf, stepsOf } from './forecast-options.js';
import { replaceFile } from './output-file.js';
import { Progress } from './progress.js';
import { makeFolder } from './result-folder.js';

const DEFAULT_BACKTEST = ['auto', 'seasonal-naive-day', 'arima'];

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
