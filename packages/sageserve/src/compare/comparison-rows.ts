import { WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import type { RequestReport } from '@sageserve/metrics';
import { estimate, type Estimate } from './statistics.js';
import type { ComparedRun } from './run-comparison.js';

export const TIER_LABELS: Readonly<Record<WorkloadTier, string>> = { 'interactive-fast': 'IW-F', 'interactive-normal': 'IW-N', 'non-interactive': 'NIW' };

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

type Measure = (run: ComparedRun) => number | undefined;

/** Figures by strategy with confidence intervals over seeds; ratios are taken seed by seed, since strategies of one seed have the same traffic. */
export function compareRuns(runs: readonly ComparedRun[]): Comparison {
  const strategies = [...new Set(runs.map((run) => run.strategy))];
  const seeds = [...new Set(runs.map((run) => run.seed))];
  const rows: ComparisonRow[] = [];
  const of = (strategy: string): ComparedRun[] => runs.filter((run) => run.strategy === strategy);
  const add = (section: string, key: string, label: string, unit: Unit, measure: Measure): void => {
    const estimates = strategies.map((strategy) => estimate(of(strategy).map(measure)));
    if (estimates.some((one) => one !== undefined)) rows.push({ section, key, label, unit, estimates });
  };
  const ratio = (base: string, key: string, label: string, measure: Measure): void => {
    if (!strategies.includes(base)) return;
    add('ratios', key, label, 'ratio', (run) => {
      const reference = runs.find((other) => other.strategy === base && other.seed === run.seed);
      const [own, theirs] = [measure(run), reference === undefined ? undefined : measure(reference)];
      return own === undefined || theirs === undefined || theirs === 0 ? undefined : own / theirs;
    });
  };
  const gpuHours: Measure = ({ result }) => result.capacity.gpuHours;
  const waste: Measure = ({ result }) => result.capacity.wastedGpuHours;

  add('capacity', 'gpu-hours', 'GPU-hours', 'hours', gpuHours);
  ratio('reactive', 'gpu-hours/reactive', 'GPU-hours ÷ reactive', gpuHours);
  ratio('oracle', 'gpu-hours/oracle', 'GPU-hours ÷ oracle', gpuHours);
  add('capacity', 'waste', 'wasted GPU-hours (provisioning)', 'hours', waste);
  ratio('reactive', 'waste/reactive', 'waste ÷ reactive', waste);
  for (const way of ['reclaim', 'redeploy', 'new-vm'] as const)
    add('capacity', `waste/${way}`, `  by ${way}`, 'hours', ({ result }) => result.capacity.wastedGpuHoursByWay[way]);
  add('capacity', 'idle', 'idle GPU-hours', 'hours', ({ result }) => result.capacity.idleGpuHours);
  add('capacity', 'instance-hours', 'instance-hours', 'hours', ({ result }) => result.capacity.instanceHours);
  add('capacity', 'spot', 'donated spot GPU-hours', 'hours', ({ result }) => result.spotGpuHours);
  add('capacity', 'usd', 'cost', 'usd', ({ result }) => result.capacity.costUsd);
  ratio('reactive', 'usd/reactive', 'cost ÷ reactive', ({ result }) => result.capacity.costUsd);
  for (const tier of WORKLOAD_TIERS) {
    const section = `${TIER_LABELS[tier]} ${tier}`;
    const report = ({ result }: ComparedRun): RequestReport | undefined => result.byTier[tier];
    add(section, `${tier}/slo`, 'SLO attainment', 'share', (run) => report(run)?.sloAttainment);
    if (tier === 'non-interactive') add(section, `${tier}/misses`, 'deadline misses', 'count', (run) => report(run)?.deadlineMisses);
    for (const level of ['p50', 'p95', 'p99'] as const) add(section, `${tier}/ttft/${level}`, `TTFT ${level}`, 'ms', (run) => report(run)?.ttftMs[level]);
    for (const level of ['p50', 'p95', 'p99'] as const) add(section, `${tier}/e2e/${level}`, `E2E ${level}`, 'ms', (run) => report(run)?.e2eMs[level]);
  }
  add('control', 'actions', 'scaling actions', 'count', ({ result }) => result.actions.scaleOut + result.actions.scaleIn);
  add('control', 'wape', 'forecast WAPE', 'share', (run) => run.forecastWape);
  add('control', 'degradations', 'degraded ticks begun', 'count', (run) => run.degradations);
  add('requests', 'arrived', 'arrived', 'count', ({ result }) => result.total.arrived);
  add('requests', 'completed', 'completed', 'count', ({ result }) => result.total.completed);
  add('requests', 'rejected', 'rejected', 'count', ({ result }) => result.total.rejected);
  add('requests', 'unfinished', 'unfinished', 'count', ({ result }) => result.total.unfinished);
  add('requests', 'left', 'left to do at the end of the run', 'count', ({ result }) => result.inFlightAtDurationEnd);
  add('requests', 'away', 'served away from home', 'share', ({ result }) =>
    result.total.arrived === 0 ? undefined : result.servedAway / result.total.arrived,
  );
  add('requests', 'rerouted', 'begun anew after a loss', 'count', ({ result }) => result.rerouted);
  return { strategies, seeds, rows };
}
