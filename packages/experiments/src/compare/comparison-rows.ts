import { WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import type { RequestReport } from '@sageserve/metrics';
import type { LowerBound } from '@sageserve/scenario';
import { meanAttainments, meetsObjectives, worstAttainment } from './attainment.js';
import { estimate, type Estimate, SAME } from './statistics.js';
import type { ComparedRun } from './run-comparison.js';

export const TIER_LABELS: Readonly<Record<WorkloadTier, string>> = {
  'interactive-fast': 'IW-F',
  'interactive-normal': 'IW-N',
  'non-interactive': 'NIW',
};

/** A `share` is of a whole; `percent` may be above 100. */
export type Unit = 'count' | 'hours' | 'share' | 'percent' | 'ms' | 'usd' | 'ratio';

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
  /** The cheapest strategy at equal work of those that meet every objective and see no future. */
  readonly cheapest: string | undefined;
  readonly rows: readonly ComparisonRow[];
}

/** What nothing can hold less than, by seed. */
export type Bounds = ReadonlyMap<number | string, LowerBound>;

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

/** What strategies are compared by: all have then done the same work. */
const EQUAL_WORK = {
  section: 'equal work',
  key: 'equal-gpu-hours',
  label: 'GPU-hours at equal work',
  unit: 'hours',
  of: ({ result }) => result.atEqualWork.gpuHours,
} as const satisfies Measure;

/** What is paid where donated GPUs are paid for and earn as spot, with what was left done too. */
export function equalBillUsd({ result: { bill, atEqualWork, capacity } }: Pick<ComparedRun, 'result'>): number {
  return bill.netUsd + atEqualWork.costUsd - capacity.costUsd;
}

/** Every figure of a run, in the order in which tables show them. */
export const MEASURES: readonly Measure[] = [
  EQUAL_WORK,
  {
    section: 'equal work',
    key: 'left-gpu-hours',
    label: '  of these for what was left to do',
    unit: 'hours',
    of: ({ result }) => result.atEqualWork.gpuHours - result.capacity.gpuHours,
  },
  {
    section: 'equal work',
    key: 'own-rate-gpu-hours',
    label: '  if that took what the rest did',
    unit: 'hours',
    of: ({ result }) => result.atOwnRate?.gpuHours,
  },
  {
    section: 'equal work',
    key: 'gpu-s-per-request',
    label: 'GPU-seconds held for each request served',
    unit: 'ratio',
    of({ result }) {
      const served = result.total.arrived - result.total.rejected - result.inFlightAtDurationEnd;
      return served > 0 ? (result.capacity.gpuHours * 3_600) / served : undefined;
    },
  },
  {
    section: 'equal work',
    key: 'equal-usd',
    label: 'cost at equal work',
    unit: 'usd',
    of: ({ result }) => result.atEqualWork.costUsd,
  },
  {
    section: 'equal work',
    key: 'net-usd',
    label: 'bill at equal work if donated GPUs are paid for and earn spot',
    unit: 'usd',
    of: equalBillUsd,
  },
  {
    section: 'objectives',
    key: 'worst',
    label: 'worst model × tier against its target',
    unit: 'share',
    of: ({ attainments }) => worstAttainment(attainments)?.attainment,
  },
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
  {
    section: 'capacity',
    key: 'usd',
    label: 'cost of what is held',
    unit: 'usd',
    of: ({ result }) => result.capacity.costUsd,
  },
  ...WORKLOAD_TIERS.flatMap(tierMeasures),
  {
    section: 'control',
    key: 'actions',
    label: 'scaling actions',
    unit: 'count',
    of: ({ result }) => result.actions.scaleOut + result.actions.scaleIn,
  },
  {
    section: 'control',
    key: 'reversals',
    label: 'instances given up and wanted back within 10 min',
    unit: 'count',
    of: ({ result }) => result.actions.reversals,
  },
  { section: 'control', key: 'wape', label: 'forecast WAPE', unit: 'percent', of: (run) => run.forecastWape },
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
  { key: EQUAL_WORK.key, label: EQUAL_WORK.label, to: ['clairvoyant', 'reactive'] },
  { key: 'waste', label: 'waste', to: ['reactive'] },
  { key: 'equal-usd', label: 'cost at equal work', to: ['reactive'] },
];

/**
 * Figures by strategy with confidence intervals over seeds; ratios are taken seed by seed, since
 * strategies of one seed have the same traffic.
 */
export function compareRuns(runs: readonly ComparedRun[], bounds: Bounds = new Map()): Comparison {
  const strategies = [...new Set(runs.map((run) => run.strategy))];
  const seeds = [...new Set(runs.map((run) => run.seed))];
  const [cheapest] = cheapestOf(runs, strategies);
  const rows: ComparisonRow[] = [];
  const add = ({ section, key, label, unit, of }: Measure): void => {
    const estimates = strategies.map((strategy) => estimate(runs.filter((run) => run.strategy === strategy).map(of)));
    if (estimates.some((one) => one !== undefined)) rows.push({ section, key, label, unit, estimates });
  };
  const ratioTo = (
    measure: Measure,
    label: string,
    base: string,
    reference: (run: ComparedRun) => number | undefined,
  ): void => {
    add({
      section: 'ratios',
      key: `${measure.key}/${base}`,
      label,
      unit: 'ratio',
      of(run) {
        const [own, theirs] = [measure.of(run), reference(run)];
        return own === undefined || theirs === undefined || theirs === 0 ? undefined : own / theirs;
      },
    });
  };
  const ofStrategy =
    (measure: Measure, base: string) =>
    (run: ComparedRun): number | undefined => {
      const reference = runs.find((other) => other.strategy === base && other.seed === run.seed);
      return reference === undefined ? undefined : measure.of(reference);
    };
  ratioTo(EQUAL_WORK, '÷ bound, which nothing can hold less than', 'bound', ({ seed }) => bounds.get(seed)?.gpuHours);
  if (cheapest !== undefined)
    ratioTo(EQUAL_WORK, `÷ ${cheapest}, the cheapest that meets all`, 'cheapest', ofStrategy(EQUAL_WORK, cheapest));
  for (const measure of MEASURES) {
    add(measure);
    if (measure.key === 'worst') for (const one of byModel(runs)) add(one);
    const ratio = RATIOS.find(({ key }) => key === measure.key);
    for (const base of ratio?.to ?? []) {
      // Said above already.
      if (!strategies.includes(base) || (base === cheapest && measure.key === EQUAL_WORK.key)) continue;
      ratioTo(measure, `${ratio!.label} ÷ ${base}`, base, ofStrategy(measure, base));
    }
  }
  return { strategies, seeds, cheapest, rows };
}

/** Attainment of each model and tier. */
function byModel(runs: readonly ComparedRun[]): Measure[] {
  const seen = new Map<string, Measure>();
  for (const { attainments } of runs)
    for (const { modelId, tier } of attainments)
      seen.set(`${modelId}/${tier}`, {
        section: 'objectives',
        key: `slo/${modelId}/${tier}`,
        label: `  ${modelId} ${TIER_LABELS[tier]}`,
        unit: 'share',
        of: (run) => run.attainments.find((one) => one.modelId === modelId && one.tier === tier)?.attainment,
      });
  return [...seen.values()];
}

/**
 * Strategies with which in the mean over seeds every model meets every tier's objective, and no
 * other of those that do takes fewer GPU-hours: several where they take the same.
 */
export function cheapestOf(runs: readonly ComparedRun[], strategies: readonly string[]): string[] {
  const able = strategies.flatMap((strategy) => {
    const own = runs.filter((run) => run.strategy === strategy);
    const attained = meanAttainments(own);
    if (own.some((run) => run.foresight) || attained.length === 0 || !meetsObjectives(attained)) return [];
    return [{ strategy, hours: estimate(own.map(EQUAL_WORK.of))!.mean }];
  });
  const least = able.reduce((most, { hours }) => Math.min(most, hours), Infinity);
  return able.filter(({ hours }) => hours <= least * (1 + SAME)).map(({ strategy }) => strategy);
}
