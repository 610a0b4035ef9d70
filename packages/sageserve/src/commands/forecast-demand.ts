import { ConfigError, DEFAULT_DEMAND_STEP_MS, type DemandSeries } from '@sageserve/core';
import { openTrace, type SkippedRows, type TraceFormat } from '@sageserve/trace';
import { count, time } from '@sageserve/experiments';
import { type Catalogue, DEFAULT_CATALOGUE, loadPluginFiles, parseDurationMs } from '@sageserve/fleet';
import { buildTraffic, demandOfTrace, parseScenario, preset, readDemandCsv } from '@sageserve/scenario';
import { stepOf } from './forecast-options.js';
import { Progress, reportSkippedRows } from './progress.js';

/** What both commands take of demand, and of what forecasts it. */
export interface DemandOptions {
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
export function catalogueOf({ plugins }: DemandOptions): Promise<Catalogue> {
  const paths = plugins === undefined ? [] : plugins.split(',').map((path) => path.trim());
  return loadPluginFiles(paths, '.', '--plugins', DEFAULT_CATALOGUE);
}

export interface Demand {
  readonly source: string;
  readonly series: readonly DemandSeries[];
  readonly unit: string;
  readonly leftOut: number;
}

/**
 * The series that the options name. Throws `ConfigError` unless there is one source and it has the
 * model and region that were asked for.
 */
export async function readDemand(options: DemandOptions, signal: AbortSignal): Promise<Demand> {
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

export function targetOf(text: string | undefined): 'bucket' | 'peak' {
  if (text === undefined || text === 'bucket' || text === 'peak') return text ?? 'bucket';
  throw new ConfigError('--target', `must be bucket or peak, not "${text}"`);
}

export function nameOf({ key }: Pick<DemandSeries, 'key'>): string {
  return key.regionId === 'all' ? key.modelId : `${key.modelId} in ${key.regionId}`;
}

export function noteLeftOut(demand: Demand): void {
  if (demand.leftOut > 0)
    console.error(
      `${count(demand.leftOut)} non-interactive requests were left out: they can wait (--all-tiers counts them)`,
    );
}
