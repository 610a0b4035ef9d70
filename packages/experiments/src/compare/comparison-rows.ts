import { WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import type { RequestReport } from '@sageserve/metrics';
import { estimate, type Estimate } from './statistics.js';
import type { ComparedRun } from './run-comparison.js';

export const TIER_LABELS: Readonly<Record<WorkloadTier, string>> = {
  'interactive-fast': 'IW-F',
  'interactive-normal': 'IW-N',
  'non-interactive': 'NIW',
};

export type Unit = 'count' | 'hours' | 'share' | 'ms' | 'usd' | 'ratio';

/** One figure of every strategy. */
export interface ComparisonRow {
  readonly key: string;
  readonly label: string;
  readonly unit: Unit;
  /** Rows that belong together stand under one title. */
  readonly section: string;
  readonly estimates: readonly (Estimate | undefined)[];
}

/** A whole comparison: what the table, the JSON and the page show. */
export interface Comparison {
  readonly strategies: readonly string[];
  readonly seeds: readonly (number | string)[];
  readonly rows: readonly ComparisonRow[];
}

/** One figure of a run. */
export interface Measure {
  readonly section: string;
  readonly key: string;
  readonly label: string;
  readonly unit: Unit;
  readonly of: (run: ComparedRun) => number | undefined;
}

function tierMeasures(tier: WorkloadTier): Measure[] {
  const section = `${TIER_LABELS[tier]} ${tier}`;
  const report = ({ result }: ComparedRun): RequestReport | undefined => result.byTier[tier];
  const misses: Measure = {
    section,
    key: `${tier}/misses`,
    label: 'deadline misses',
    unit: 'count',
    of: (run) => report(run)?.deadlineMisses,
  };
  return [
    { section, key: `${tier}/slo`, label: 'SLO attainment', unit: 'share', of: (run) => report(run)?.sloAttainment },
    ...(tier === 'non-interactive' ? [misses] : []),
    ...(['ttft', 'e2e'] as const).flatMap((what) =>
      (['p50', 'p95', 'p99'] as const).map((level): Measure => ({
        section,
        key: `${tier}/${what}/${level}`,
        label: `${what.toUpperCase()} ${level}`,
        unit: 'ms',
        of: (run) => report(run)?.[`${what}Ms`][level],
      })),
    ),
  ];
}

/** Every figure of a run, in the order in which tables show them. */
export const MEASURES: readonly Measure[] = [
  {
    section: 'capacity',
    key: 'gpu-hours',
    label: 'GPU-hours',
    unit: 'hours',
    of: ({ result }) => result.capacity.gpuHours,
  },
  {
    section: 'capacity',
    key: 'waste',
    label: 'wasted GPU-hours (provisioning)',
    unit: 'hours',
    of: ({ result }) => result.capacity.wastedGpuHours,
  },
  ...(['reclaim', 'redeploy', 'new-vm'] as const).map((way): Measure => ({
    section: 'capacity',
    key: `waste/${way}`,
    label: `  by ${way}`,
    unit: 'hours',
    of: ({ result }) => result.capacity.wastedGpuHoursByWay[way],
  })),
  {
    section: 'capacity',
    key: 'idle',
    label: 'idle GPU-hours',
    unit: 'hours',
    of: ({ result }) => result.capacity.idleGpuHours,
  },
  {
    section: 'capacity',
    key: 'instance-hours',
    label: 'instance-hours',
    unit: 'hours',
    of: ({ result }) => result.capacity.instanceHours,
  },
  {
    section: 'capacity',
    key: 'spot',
    label: 'donated spot GPU-hours',
    unit: 'hours',
    of: ({ result }) => result.spotGpuHours,
  },
  { section: 'capacity', key: 'usd', label: 'cost', unit: 'usd', of: ({ result }) => result.capacity.costUsd },
  ...WORKLOAD_TIERS.flatMap(tierMeasures),
  {
    section: 'control',
    key: 'actions',
    label: 'scaling actions',
    unit: 'count',
    of: ({ result }) => result.actions.scaleOut + result.actions.scaleIn,
  },
  { section: 'control', key: 'wape', label: 'forecast WAPE', unit: 'share', of: (run) => run.forecastWape },
  {
    section: 'control',
    key: 'degradations',
    label: 'degraded ticks begun',
    unit: 'count',
    of: (run) => run.degradations,
  },
  { section: 'requests', key: 'arrived', label: 'arrived', unit: 'count', of: ({ result }) => result.total.arrived },
  {
    section: 'requests',
    key: 'completed',
    label: 'completed',
    unit: 'count',
    of: ({ result }) => result.total.completed,
  },
  { section: 'requests', key: 'rejected', label: 'rejected', unit: 'count', of: ({ result }) => result.total.rejected },
  {
    section: 'requests',
    key: 'unfinished',
    label: 'unfinished',
    unit: 'count',
    of: ({ result }) => result.total.unfinished,
  },
  {
    section: 'requests',
    key: 'left',
    label: 'left to do at the end of the run',
    unit: 'count',
    of: ({ result }) => result.inFlightAtDurationEnd,
  },
  {
    section: 'requests',
    key: 'away',
    label: 'served away from home',
    unit: 'share',
    of: ({ result }) => (result.total.arrived === 0 ? undefined : result.servedAway / result.total.arrived),
  },
  {
    section: 'requests',
    key: 'rerouted',
    label: 'begun anew after a loss',
    unit: 'count',
    of: ({ result }) => result.rerouted,
  },
];

/** Which figures are also shown as ratios, and to which strategies. */
const RATIOS: readonly { readonly key: string; readonly label: string; readonly to: readonly string[] }[] = [
  { key: 'gpu-hours', label: 'GPU-hours', to: ['reactive', 'oracle'] },
  { key: 'waste', label: 'waste', to: ['reactive'] },
  { key: 'usd', label: 'cost', to: ['reactive'] },
];

/**
 * Figures by strategy with confidence intervals over seeds; ratios are taken seed by seed, since
 * strategies of one seed have the same traffic.
 */
export function compareRuns(runs: readonly ComparedRun[]): Comparison {
  const strategies = [...new Set(runs.map((run) => run.strategy))];
  const seeds = [...new Set(runs.map((run) => run.seed))];
  const rows: ComparisonRow[] = [];
  const add = ({ section, key, label, unit, of }: Measure): void => {
    const estimates = strategies.map((strategy) => estimate(runs.filter((run) => run.strategy === strategy).map(of)));
    if (estimates.some((one) => one !== undefined)) rows.push({ section, key, label, unit, estimates });
  };
  for (const measure of MEASURES) {
    add(measure);
    const ratio = RATIOS.find(({ key }) => key === measure.key);
    for (const base of ratio?.to ?? []) {
      if (!strategies.includes(base)) continue;
      add({
        section: 'ratios',
        key: `${measure.key}/${base}`,
        label: `${ratio!.label} ÷ ${base}`,
        unit: 'ratio',
        of(run) {
          const reference = runs.find((other) => other.strategy === base && other.seed === run.seed);
          const [own, theirs] = [measure.of(run), reference === undefined ? undefined : measure.of(reference)];
          return own === undefined || theirs === undefined || theirs === 0 ? undefined : own / theirs;
        },
      });
    }
  }
  return { strategies, seeds, rows };
}
