import { ConfigError, DEFAULT_DEMAND_STEP_MS, type DemandForecast, type DemandSeries } from '@sageserve/core';
import { stepsPerDay } from '@sageserve/forecast';
import { count, decimal, sparkline, table, time } from '@sageserve/experiments';
import { yieldToEventLoop } from '@sageserve/experiments/console';
import { catalogueOf, type DemandOptions, nameOf, noteLeftOut, readDemand, targetOf } from './forecast-demand.js';
import { forecasterOf, stepsOf } from './forecast-options.js';

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
