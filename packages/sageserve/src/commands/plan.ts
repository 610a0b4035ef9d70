import {
  ConfigError,
  DEFAULT_DEMAND_STEP_MS,
  type DeferrableWork,
  type ModelId,
  modelId,
  MS_PER_HOUR,
  type PlacementGrid,
  type PlacementProblem,
  regionId,
  skuId,
  type TokenMix,
  meanMix,
} from '@sageserve/core';
import { DEFAULT_QUANTILE_LEVELS } from '@sageserve/forecast';
import {
  createPlacementOptimizer,
  explainPlan,
  formatLp,
  PLACEMENT_SOLVERS,
  placementProgram,
  type PlacementVariant,
} from '@sageserve/optimize';
import type { SkippedRows } from '@sageserve/trace';
import { wallClockMs } from '@sageserve/experiments/console';
import {
  type Catalogue,
  DEFAULT_CATALOGUE,
  heldInstances,
  loadPlugins,
  parseDurationMs,
  placementProblem,
  readFailure,
} from '@sageserve/fleet';
import {
  buildSimulation,
  buildTraffic,
  csvRows,
  demandOfTrace,
  locatedIn,
  parseScenario,
  preset,
  readDemandCsv,
  readScenario,
  replaying,
  readWhole,
  type Scenario,
  scenarioMix,
  sideBySide,
} from '@sageserve/scenario';
import { type Forecasts, type Observed, planJson, printPlan } from './plan-report.js';
import { forecasterOf, stepOf, stepsOf } from './forecast-options.js';
import { replaceFile } from './output-file.js';
import { Progress, reportSkippedRows } from './progress.js';

export interface PlanOptions {
  readonly preset?: string;
  readonly trace?: string;
  readonly format?: string;
  readonly skipBadRows?: boolean;
  readonly demand?: string;
  readonly duration?: string;
  readonly requestsPerDay?: string;
  readonly at?: string;
  readonly step?: string;
  readonly horizon?: string;
  readonly method?: string;
  readonly current?: string;
  readonly mix?: string;
  readonly variant?: string;
  readonly solver?: string;
  readonly timeLimit?: string;
  readonly gap?: string;
  readonly localShare?: string;
  readonly demandQuantile?: string;
  readonly demandBudget?: string;
  readonly hysteresis?: string;
  readonly explain?: boolean;
  readonly lp?: string;
  readonly json?: boolean;
}

const VARIANTS: readonly PlacementVariant[] = ['flows', 'paper', 'artifact', 'lead-time'];

/**
 * `sageserve plan`: what each region should hold for the demand that is forecast, beside what it
 * holds now.
 */
export async function planCommand(file: string | undefined, options: PlanOptions, signal: AbortSignal): Promise<void> {
  const variant = options.variant ?? 'flows';
  if (!(VARIANTS as readonly string[]).includes(variant))
    throw new ConfigError('--variant', `must be one of ${VARIANTS.join(', ')}, not "${variant}"`);
  const solver = options.solver ?? 'auto';
  if (!(PLACEMENT_SOLVERS as readonly string[]).includes(solver))
    throw new ConfigError('--solver', `must be one of ${PLACEMENT_SOLVERS.join(', ')}, not "${solver}"`);
  const timeLimitMs = options.timeLimit === undefined ? 60_000 : parseDurationMs(options.timeLimit);
  if (timeLimitMs === undefined || timeLimitMs <= 0)
    throw new ConfigError('--time-limit', `must be a duration such as 30s, not "${options.timeLimit}"`);
  const relativeGap = numberOption('--gap', options.gap, 0, 0.999) ?? 0;
  const mix = options.mix === undefined ? undefined : mixOf(options.mix);
  const scenario = await scenarioOf(file, options);
  const catalogue = await loadPlugins(scenario, file, DEFAULT_CATALOGUE);
  const fleet = await locatedIn(file, () => buildSimulation(scenario, 'static', catalogue));
  forecasterOf(options.method ?? 'auto', DEFAULT_DEMAND_STEP_MS, 1, 'bucket', true, catalogue);
  const observed = cutAt(await observe(scenario, options, signal), options.at);
  const forecasts = await forecastAll(observed, options, scenario, catalogue, signal);
  const models = scenario.models.map(({ name }) => modelId(name));
  const names = {
    models,
    regions: scenario.regions.map(({ name }) => regionId(name)),
    skus: scenario.skus.map(({ name }) => skuId(name)),
  };
  const input = {
    forecasts,
    mix: mix === undefined ? observedMix(observed, scenario, models) : new Map(models.map((id) => [id, mix])),
    ...(options.current === undefined ? {} : { current: await readHeld(options.current, names) }),
    deferrable: bufferOf(observed, scenario),
  };
  const problem = placementProblem(scenario, input, fleet);
  const formulation = { variant: variant as PlacementVariant, hysteresisUsd: scenario.placement.hysteresisUsd };
  if (options.lp !== undefined) await replaceFile(options.lp, formatLp(placementProgram(problem, formulation)));
  const startedMs = wallClockMs();
  const solution = await createPlacementOptimizer({
    ...formulation,
    solver: solver as (typeof PLACEMENT_SOLVERS)[number],
  }).solve(problem, {
    timeLimitMs,
    relativeGap,
    signal,
  });
  const tookMs = wallClockMs() - startedMs;
  if (options.json === true)
    console.log(JSON.stringify(planJson(observed, forecasts, problem, solution, variant, tookMs), null, 2));
  else if (options.explain === true) console.log(explainPlan(problem, solution).join('\n'));
  else printPlan(observed, forecasts, problem, solution, variant, tookMs);
  if (options.lp !== undefined) console.error(`the program is in ${options.lp}`);
  if (solution.target === undefined) process.exitCode = 1;
}

async function scenarioOf(file: string | undefined, options: PlanOptions): Promise<Scenario> {
  if (file !== undefined && options.preset !== undefined)
    throw new ConfigError('--preset', 'give a scenario file or a preset, not both');
  const base = file === undefined ? preset(options.preset ?? 'small') : await readScenario(file);
  const rate = numberOption('--requests-per-day', options.requestsPerDay, 1e-9, Infinity);
  const share = numberOption('--local-share', options.localShare, 0, 1);
  const quantile = numberOption('--demand-quantile', options.demandQuantile, 0.001, 0.999);
  const budget = numberOption('--demand-budget', options.demandBudget, 1, Infinity);
  const hysteresis = numberOption('--hysteresis', options.hysteresis, 0, Infinity);
  if (rate !== undefined && (options.trace ?? base.traffic.trace) !== undefined)
    throw new ConfigError('--requests-per-day', 'is for generated traffic: a trace has its own rate');
  return parseScenario({
    ...base,
    // A day of generated traffic is what forecasters need to know the hour.
    duration: options.duration ?? (options.trace === undefined && file === undefined ? '3d' : base.duration),
    traffic: {
      ...(options.trace === undefined ? base.traffic : replaying(base.traffic, options.trace)),
      ...(options.format === undefined ? {} : { format: options.format }),
      ...(rate === undefined ? {} : { requestsPerDay: rate }),
    },
    placement: {
      ...base.placement,
      ...(share === undefined ? {} : { localShare: share }),
      ...(quantile === undefined ? {} : { demandQuantile: quantile }),
      ...(budget === undefined ? {} : { demandBudget: budget }),
      ...(hysteresis === undefined ? {} : { hysteresisUsd: hysteresis }),
    },
  });
}

function numberOption(option: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^[\d.]+(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : NaN;
  if (!(value >= least && value <= most))
    throw new ConfigError(
      option,
      `must be a number from ${least}${most === Infinity ? '' : ` to ${most}`}, not "${text}"`,
    );
  return value;
}

function mixOf(text: string): TokenMix {
  const match = /^\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*$/.exec(text);
  if (match === null || !(Number(match[1]) > 0))
    throw new ConfigError('--mix', `must be prompt and output tokens of a request, such as 1200,250, not "${text}"`);
  return { promptTokens: Number(match[1]), outputTokens: Number(match[2]) };
}

async function observe(scenario: Scenario, options: PlanOptions, signal: AbortSignal): Promise<Observed> {
  for (const [name, given] of [
    ['--format', options.format],
    ['--skip-bad-rows', options.skipBadRows],
  ] as const)
    if (given !== undefined && (scenario.traffic.trace === undefined || options.demand !== undefined))
      throw new ConfigError(name, 'is for a trace, and there is none');
  if (options.demand !== undefined) {
    if (options.trace !== undefined) throw new ConfigError('--demand', 'give a file of demand or a trace, not both');
    const { series } = await readDemandCsv(options.demand, undefined, '--demand');
    return {
      source: options.demand,
      series: sideBySide(series, options.demand),
      nonInteractiveTokensPerS: new Map(),
      nonInteractiveMix: new Map(),
    };
  }
  const skipped: SkippedRows = { count: 0, examples: [] };
  const trace = await buildTraffic(scenario, options.skipBadRows === true ? skipped : undefined, signal);
  const source = scenario.traffic.trace ?? `generated traffic of ${scenario.name}`;
  const durationMs = scenario.duration === undefined ? undefined : parseDurationMs(scenario.duration);
  const progress = new Progress('reading', 'requests');
  try {
    const { series, leftOutTokensPerS, leftOutMix } = await demandOfTrace(trace, source, {
      allowNone: true,
      stepMs: options.step === undefined ? DEFAULT_DEMAND_STEP_MS : stepOf(options.step),
      // Generated traffic is whole to its end; a trace breaks off within its last bucket.
      ...(scenario.traffic.trace === undefined && durationMs !== undefined ? { wholeUntilMs: durationMs } : {}),
      onBatch: (requests, lastMs) => {
        signal.throwIfAborted();
        return progress.update(
          requests,
          trace.progress ?? (durationMs === undefined ? undefined : lastMs / durationMs),
        );
      },
    });
    if (series.length === 0)
      throw new ConfigError('--trace', `${source} has no interactive requests, and so no demand to forecast`, {
        hint: 'A plan is made for requests that cannot wait; those that can are planned beside them.',
      });
    return { source, series, nonInteractiveTokensPerS: leftOutTokensPerS, nonInteractiveMix: leftOutMix };
  } finally {
    progress.stop();
    reportSkippedRows(skipped);
  }
}

/**
 * What had been observed by a time: one of day, or one from the start. All that there is unless
 * given.
 */
function cutAt(observed: Observed, at: string | undefined): Observed {
  if (at === undefined) return observed;
  const first = observed.series[0]!;
  const fromStart = parseDurationMs(at);
  const atMs =
    fromStart === undefined
      ? Date.parse(/(z|[+-]\d\d:?\d\d)$/i.test(at) || !at.includes('T') ? at : `${at}Z`)
      : first.startMs + fromStart;
  const endMs = first.startMs + first.promptTokensPerS.length * first.stepMs;
  if (!(atMs >= first.startMs + first.stepMs && atMs <= endMs))
    throw new ConfigError('--at', `must be a time within the demand, a bucket of which has passed, not "${at}"`, {
      hint:
        `It goes from ${new Date(first.startMs).toISOString()} to ${new Date(endMs).toISOString()}; a duration ` +
        'such as 36h counts from its start.',
    });
  return {
    ...observed,
    series: observed.series.map((series) => {
      const buckets = Math.max(
        0,
        Math.min(series.promptTokensPerS.length, Math.floor((atMs - series.startMs) / series.stepMs)),
      );
      const cut = (column: Float64Array): Float64Array => column.slice(0, buckets);
      return {
        ...series,
        promptTokensPerS: cut(series.promptTokensPerS),
        outputTokensPerS: cut(series.outputTokensPerS),
        requestsPerS: cut(series.requestsPerS),
      };
    }),
    nonInteractiveTokensPerS: new Map(
      [...observed.nonInteractiveTokensPerS].map(([id, column]) => [
        id,
        column.slice(0, Math.floor((atMs - first.startMs) / first.stepMs)),
      ]),
    ),
  };
}

async function forecastAll(
  { series }: Observed,
  options: PlanOptions,
  scenario: Scenario,
  catalogue: Catalogue,
  signal: AbortSignal,
): Promise<Forecasts[]> {
  const stepMs = series[0]!.stepMs;
  const windows = stepsOf('--horizon', options.horizon ?? '1h', stepMs);
  const levels = [...new Set([...DEFAULT_QUANTILE_LEVELS, scenario.placement.demandQuantile])].sort((a, b) => a - b);
  const progress = new Progress('forecasting', 'series');
  const forecasts: Forecasts[] = [];
  try {
    for (const one of series) {
      signal.throwIfAborted();
      if (one.promptTokensPerS.every(Number.isNaN))
        throw new ConfigError('--at', `by then nothing was observed of ${one.key.modelId} in ${one.key.regionId}`, {
          hint: 'A plan without it would take its demand for none: choose a later time, or leave its rows out.',
        });
      const forecaster = forecasterOf(options.method ?? 'auto', stepMs, windows, 'bucket', true, catalogue);
      forecasts.push({
        key: one.key,
        forecast: await forecaster.forecast(one, windows, { signal, quantileLevels: levels }),
      });
      await progress.update(forecasts.length, forecasts.length / series.length);
    }
  } finally {
    progress.stop();
  }
  return forecasts;
}

/**
 * Mean requests of each model as observed, of those that can wait where nothing else was seen; a
 * model of which nothing was is that of the scenario.
 */
function observedMix(
  { series, nonInteractiveMix }: Observed,
  scenario: Scenario,
  models: readonly ModelId[],
): Map<ModelId, TokenMix> {
  const unseen = models.filter(
    (id) =>
      !series.some(
        ({ key, promptTokensPerS, outputTokensPerS }) =>
          key.modelId === id &&
          [promptTokensPerS, outputTokensPerS].some((column) => column.some((tokens) => tokens > 0)),
      ),
  );
  return new Map([
    ...unseen.map((id) => [id, scenarioMix(scenario, id)] as const),
    ...nonInteractiveMix,
    ...meanMix(series),
  ]);
}

/** Of what came in the last hour that may wait, the share that is to be served within the next. */
function bufferOf({ series, nonInteractiveTokensPerS }: Observed, scenario: Scenario): DeferrableWork[] {
  const { stepMs } = series[0]!;
  return [...nonInteractiveTokensPerS]
    .filter(([id]) => scenario.models.some(({ name }) => name === id))
    .map(([id, column]) => ({
      modelId: id,
      tokens: Math.round(
        (column.slice(-Math.round(MS_PER_HOUR / stepMs)).reduce((a, b) => a + b, 0) *
          stepMs *
          scenario.placement.nonInteractiveBuffer) /
          1_000,
      ),
      dueInMs: MS_PER_HOUR,
    }))
    .filter(({ tokens }) => tokens > 0);
}

async function readHeld(
  file: string,
  names: Pick<PlacementProblem, 'models' | 'regions' | 'skus'>,
): Promise<PlacementGrid> {
  let text: string;
  try {
    text = (await readWhole(file, 16)).toString('utf8');
  } catch (cause) {
    throw new ConfigError('--current', `can't read ${file}: ${readFailure(cause)}`, { cause });
  }
  const [head, ...rows] = csvRows(text, file);
  const at = ['model', 'region', 'sku', 'instances'].map(
    (name) => head?.fields.map((column) => column.trim().toLowerCase()).indexOf(name) ?? -1,
  );
  if (at.includes(-1))
    throw new ConfigError('--current', `${file} must have the columns model, region, sku and instances`);
  return heldInstances(
    names,
    rows.map(({ line, fields }) => {
      const [model, region, sku, instances] = at.map((column) => fields[column] ?? '');
      return { model: model!, region: region!, sku: sku!, instances: instances!, at: `${file}:${line}` };
    }),
  );
}
