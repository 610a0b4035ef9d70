import { WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import type { RequestReport } from '@sageserve/metrics';
import type { SimulationResult } from '@sageserve/sim';
import { count, decimal, NONE, percent, table, time } from '@sageserve/experiments';

export interface StrategyResult {
  readonly strategy: string;
  readonly result: SimulationResult;
  /** Ready instances of the whole fleet, once a minute. */
  readonly readyInstances: readonly number[];
}

const SHORT: Readonly<Record<WorkloadTier, string>> = {
  'interactive-fast': 'IW-F',
  'interactive-normal': 'IW-N',
  'non-interactive': 'NIW',
};

/**
 * Strategies side by side; figures that are better small carry their ratio to the first strategy.
 */
export function comparisonTable(runs: readonly StrategyResult[]): string {
  const rows: string[][] = [];
  const section = (title: string): void => void rows.push(['', ...runs.map(() => '')], [title, ...runs.map(() => '')]);
  const plain = (label: string, of: (r: SimulationResult) => string): void =>
    void rows.push([`  ${label}`, ...runs.map((run) => of(run.result))]);
  const ratio = (
    label: string,
    of: (r: SimulationResult) => number | undefined,
    format: (value: number) => string,
  ): void => {
    const base = of(runs[0]!.result);
    rows.push([
      `  ${label}`,
      ...runs.map(({ result }, i) => {
        const value = of(result);
        if (value === undefined) return NONE;
        return i === 0 || base === undefined || base === 0
          ? format(value)
          : `${format(value)} (${decimal(value / base, 2)}×)`;
      }),
    ]);
  };
  const hours = (value: number): string => decimal(value, 1);

  rows.push(['requests', ...runs.map(() => '')]);
  plain('arrived', (r) => count(r.total.arrived));
  plain('completed', (r) => count(r.total.completed));
  plain('rejected / unfinished', (r) => `${count(r.total.rejected)} / ${count(r.total.unfinished)}`);
  plain('served away from home', (r) => percent(r.total.arrived === 0 ? undefined : r.servedAway / r.total.arrived));
  plain('goodput (requests/s)', (r) => decimal(r.total.goodputPerS, 1));
  for (const tier of WORKLOAD_TIERS) {
    if (runs.every((run) => run.result.byTier[tier] === undefined)) continue;
    const of = (r: SimulationResult): RequestReport | undefined => r.byTier[tier];
    section(`${SHORT[tier]} ${tier}`);
    plain('SLO attainment', (r) => percent(of(r)?.sloAttainment));
    if (tier === 'non-interactive') plain('deadline misses', (r) => count(of(r)?.deadlineMisses ?? 0));
    plain('TTFT p50 / p95 / p99', (r) => three(of(r)?.ttftMs));
    plain('TBT p50 / p95', (r) => `${time(of(r)?.tbtMs.p50)} / ${time(of(r)?.tbtMs.p95)}`);
    plain('E2E p50 / p95 / p99', (r) => three(of(r)?.e2eMs));
  }
  section('capacity');
  ratio('GPU-hours', (r) => r.capacity.gpuHours, hours);
  ratio('instance-hours', (r) => r.capacity.instanceHours, hours);
  ratio('wasted GPU-hours (provisioning)', (r) => r.capacity.wastedGpuHours, hours);
  ratio('idle GPU-hours', (r) => r.capacity.idleGpuHours, hours);
  ratio('donated spot GPU-hours', (r) => r.spotGpuHours, hours);
  ratio(
    'cost',
    (r) => r.capacity.costUsd,
    (value) => `$${count(value)}`,
  );
  plain('scale-outs / scale-ins', (r) => `${count(r.actions.scaleOut)} / ${count(r.actions.scaleIn)}`);
  plain(
    'reclaimed / redeployed / new VMs',
    (r) =>
      `${count(r.actions.acquiredByWay.reclaim)} / ${count(r.actions.acquiredByWay.redeploy)} / ` +
      count(r.actions.acquiredByWay['new-vm']),
  );
  plain('preempted requests', (r) => count(r.preemptions));
  return table(['', ...runs.map((run) => run.strategy)], rows);
}

function three(latency: RequestReport['ttftMs'] | undefined): string {
  return latency === undefined ? NONE : `${time(latency.p50)} / ${time(latency.p95)} / ${time(latency.p99)}`;
}

/** One strategy's requests by model, region of origin and tier, and its capacity by endpoint. */
export function detailTables({ strategy, result }: StrategyResult): string {
  const requests = table(
    ['model', 'origin', 'tier', 'arrived', 'SLO', 'TTFT p50', 'TTFT p95', 'E2E p50', 'E2E p95'],
    result.byGroup.map(({ modelId, originRegion, tier, requests: r }) => [
      modelId,
      originRegion,
      SHORT[tier],
      count(r.arrived),
      percent(r.sloAttainment),
      time(r.ttftMs.p50),
      time(r.ttftMs.p95),
      time(r.e2eMs.p50),
      time(r.e2eMs.p95),
    ]),
  );
  const endpoints = table(
    ['endpoint', 'instance-hours', 'GPU-hours', 'wasted', 'idle', 'cost'],
    result.endpoints.map(({ endpointId, capacity: c }) => [
      endpointId,
      decimal(c.instanceHours),
      decimal(c.gpuHours),
      decimal(c.wastedGpuHours),
      decimal(c.idleGpuHours),
      `$${count(c.costUsd)}`,
    ]),
  );
  return `${strategy}: requests\n${requests}\n\n${strategy}: endpoints\n${endpoints}`;
}
