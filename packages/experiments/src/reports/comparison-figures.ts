import { WORKLOAD_TIERS } from '@sageserve/core';
import { type Comparison, TIER_LABELS } from '../compare/comparison-rows.js';
import { frontOf, PARETO_LEVELS, type ParetoCurve } from '../compare/pareto.js';
import type { ComparedRun } from '../compare/run-comparison.js';
import { DISTRIBUTION_LEVELS, type RunRecord } from '../compare/run-record.js';
import { estimate } from '../compare/statistics.js';
import type { BarFigure, Drawn, Figure, Level, LineFigure, LineView, ScatterFigure } from './figure.js';
import { strategyInks } from './strategy-inks.js';

/** LT-UA at one gap threshold. */
export interface GapPoint {
  readonly threshold: number;
  readonly gpuHours: number;
  readonly ttftP90Ms: number | undefined;
}

const SECONDS_PER_HOUR = 3_600;
const MS_PER_SECOND = 1_000;
const MS_PER_DAY = 86_400_000;
const TIERS = WORKLOAD_TIERS.map((tier) => TIER_LABELS[tier]);
/** Per cent: settings that attain less are left out of the figure where others attain more. */
const LEAST_SHOWN = 85;
const IW_F = WORKLOAD_TIERS.indexOf('interactive-fast');

interface Recorded {
  readonly name: string;
  readonly record: RunRecord;
}

type Inks = ReadonlyMap<string, Drawn>;
type ByRecord = (record: RunRecord) => readonly (number | null)[];

/** The figures of a comparison. `dated` says that times are those of a trace. */
export function comparisonFigures(
  runs: readonly ComparedRun[],
  comparison: Comparison,
  gaps: readonly GapPoint[],
  curves: readonly ParetoCurve[],
  dated: boolean,
): Figure[] {
  const { strategies } = comparison;
  const inks = strategyInks(strategies);
  const recorded = strategies.flatMap((name): Recorded[] => {
    const record = runs.find((run) => run.strategy === name && run.record !== undefined)?.record;
    return record === undefined ? [] : [{ name, record }];
  });
  const figures: readonly Figure[] = [
    ...(curves.length === 0 ? [] : [paretoFigure(curves, inks)]),
    ...(recorded.length === 0 ? [] : overTime(recorded, inks, dated)),
    instanceHours(runs, strategies, inks),
    ...(recorded.length === 0 ? [] : distributions(recorded, inks)),
    ...bars(comparison, inks),
    ...gapFigures(gaps),
  ];
  return figures.flatMap((one): readonly Figure[] => (one.kind === 'lines' ? withoutEmptyViews(one) : [one]));
}

/** Nothing is drawn of a tier that had no requests. */
function withoutEmptyViews(figure: LineFigure): LineFigure[] {
  const isKnown = ({ values }: LineView['series'][number]): boolean => values.some((value) => value !== null);
  const views = figure.views.filter(({ series }) => series.some(isKnown));
  return views.length === 0 ? [] : [{ ...figure, views }];
}

function linesOf(recorded: readonly Recorded[], inks: Inks, values: ByRecord): LineView['series'] {
  return recorded.map(({ name, record }) => ({ name, ...inks.get(name), values: values(record) }));
}

/** A view for each tier, with the line that its objective is at. */
function byTier(
  recorded: readonly Recorded[],
  inks: Inks,
  values: (record: RunRecord, tier: number) => readonly (number | null)[],
  objective: (tier: number, record: RunRecord) => Level | undefined,
): LineView[] {
  return TIERS.map((name, t) => {
    const level = objective(t, recorded[0]!.record);
    return {
      name,
      ...(level === undefined ? {} : { level }),
      series: linesOf(recorded, inks, (record) => values(record, t)),
    };
  });
}

const objectiveAt = (value: number | undefined, what: string): Level | undefined =>
  value === undefined ? undefined : { value, label: `objective: ${what}`, unit: ' ms' };

const ttftObjective = (tier: number, { objectives }: RunRecord): Level | undefined =>
  objectiveAt(objectives[WORKLOAD_TIERS[tier]!].ttftMs, 'TTFT');

const tbtObjective = (tier: number, { objectives }: RunRecord): Level | undefined =>
  objectiveAt(objectives[WORKLOAD_TIERS[tier]!].tbtMs, 'mean TBT');

/** Where the time to the first token is no objective, the deadline is. */
function e2eObjective(tier: number, { objectives }: RunRecord): Level | undefined {
  const { ttftMs, e2eMs, defaultDeadlineMs } = objectives[WORKLOAD_TIERS[tier]!];
  return e2eMs === undefined && ttftMs === undefined
    ? objectiveAt(defaultDeadlineMs, 'deadline')
    : objectiveAt(e2eMs, 'E2E');
}

/** Hours from the midnight before the start; from the start where the trace has no date. */
function timeAxis({ timeS, startEpochMs }: RunRecord, dated: boolean): LineFigure['x'] {
  const sinceMidnightMs = startEpochMs === undefined ? 0 : ((startEpochMs % MS_PER_DAY) + MS_PER_DAY) % MS_PER_DAY;
  const values = timeS.map((s) => Number(((s + sinceMidnightMs / MS_PER_SECOND) / SECONDS_PER_HOUR).toFixed(4)));
  if (startEpochMs === undefined) return { label: 'hours from the start', values };
  const day = new Date(startEpochMs - sinceMidnightMs);
  return dated
    ? {
        label: `time (UTC), from ${day.toISOString().slice(0, 10)} on`,
        values,
        firstDay: day.toISOString().slice(0, 10),
      }
    : { label: 'day of the week and time', values, firstDay: day.getUTCDay() };
}

function overTime(recorded: readonly Recorded[], inks: Inks, dated: boolean): Figure[] {
  const first = recorded[0]!.record;
  const x = timeAxis(first, dated);
  const lines = (values: ByRecord): LineView['series'] => linesOf(recorded, inks, values);
  const ended = '95th percentile of the requests that ended within ten minutes.';
  return [
    {
      kind: 'lines',
      title: 'Load by tier',
      note: 'Requests that arrive, in ten minutes each.',
      x,
      y: 'requests/s',
      views: [{ name: 'all regions', series: TIERS.map((name, t) => ({ name, values: first.arrivalsPerS[t]! })) }],
    },
    {
      kind: 'lines',
      title: 'Instances over time',
      note: 'Ready instances, all models.',
      x,
      y: 'instances',
      views: [
        { name: 'all regions', series: lines((record) => record.readyInstances) },
        ...first.regions.map((region, r) => ({ name: region, series: lines((record) => record.readyByRegion[r]!) })),
        { name: 'provisioning', series: lines((record) => record.provisioningInstances) },
      ],
    },
    {
      kind: 'lines',
      title: 'TTFT over time',
      note: ended,
      x,
      y: 'TTFT p95 (ms)',
      log: true,
      views: byTier(recorded, inks, (record, t) => record.ttftP95Ms[t]!, ttftObjective),
    },
    {
      kind: 'lines',
      title: 'E2E over time',
      note: ended,
      x,
      y: 'E2E p95 (ms)',
      log: true,
      views: byTier(recorded, inks, (record, t) => record.e2eP95Ms[t]!, e2eObjective),
    },
    {
      kind: 'lines',
      title: 'Utilisation over time',
      note: 'KV-cache memory in use ÷ memory of ready instances.',
      x,
      y: '% of KV memory',
      views: [
        {
          name: 'all',
          series: lines((record) => record.utilization.map((one) => (one === null ? null : 100 * one))),
        },
      ],
    },
  ];
}

function distributions(recorded: readonly Recorded[], inks: Inks): Figure[] {
  const first = recorded[0]!.record;
  const lines = (values: ByRecord): LineView['series'] => linesOf(recorded, inks, values);
  const distribution = (title: string, y: string, views: readonly LineView[]): LineFigure => ({
    kind: 'lines',
    title,
    note: 'So many milliseconds or less for that share of the requests.',
    x: {
      label: '% of requests',
      values: DISTRIBUTION_LEVELS.map((level) => Number((100 * level).toFixed(1))),
      // What matters is in the last few per cent.
      even: true,
    },
    y,
    log: true,
    views,
  });
  const ttft = objectiveAt(first.objectives['interactive-fast'].ttftMs, 'TTFT');
  return [
    distribution(
      'TTFT as a distribution',
      'TTFT (ms)',
      byTier(recorded, inks, (record, t) => record.ttftDistributionMs[t]!, ttftObjective),
    ),
    distribution(
      'TBT as a distribution',
      'mean TBT of a request (ms)',
      byTier(recorded, inks, (record, t) => record.tbtDistributionMs[t]!, tbtObjective),
    ),
    distribution(
      'E2E as a distribution',
      'E2E (ms)',
      byTier(recorded, inks, (record, t) => record.e2eDistributionMs[t]!, e2eObjective),
    ),
    {
      kind: 'lines',
      title: 'Burst response',
      note:
        'By minute of the hour, over all hours of the run: what arrives, how many instances are ready, how long ' +
        'interactive-fast requests wait.',
      x: { label: 'minute of the hour', values: Array.from({ length: 60 }, (_, m) => m) },
      y: '',
      views: [
        {
          name: `TTFT p95 of ${TIERS[IW_F]}`,
          y: 'TTFT p95 (ms)',
          ...(ttft === undefined ? {} : { level: ttft }),
          series: lines((record) => record.byMinute.ttftP95Ms),
        },
        { name: 'ready instances', y: 'instances', series: lines((record) => record.byMinute.readyInstances) },
        { name: 'arrivals', y: 'requests/s', series: lines((record) => record.byMinute.arrivalsPerS) },
      ],
    },
  ];
}

function bars({ strategies, rows }: Comparison, inks: Inks): BarFigure[] {
  const of = (key: string): Pick<BarFigure['series'][number], 'values' | 'halfWidths'> => {
    const estimates = rows.find((row) => row.key === key)?.estimates ?? strategies.map(() => undefined);
    return {
      values: estimates.map((value) => value?.mean ?? null),
      halfWidths: estimates.map((value) => value?.halfWidth),
    };
  };
  const groupInk = strategies.map((name) => inks.get(name)!);
  const groups = strategies;
  return [
    {
      kind: 'bars',
      title: 'GPU-hours at equal work',
      note: 'What was left to do at the end is charged at the throughput of a saturated instance.',
      y: 'GPU-hours',
      groups,
      groupInk,
      series: [{ name: 'GPU-hours at equal work', ...of('equal-gpu-hours') }],
    },
    {
      kind: 'bars',
      title: 'Scaling waste by way of acquisition',
      note: 'GPU-hours paid for while instances are not ready yet.',
      y: 'GPU-hours',
      groups,
      stacked: true,
      totalHalfWidths: of('waste').halfWidths ?? [],
      series: (['reclaim', 'redeploy', 'new-vm'] as const).map((way) => ({ name: way, ...of(`waste/${way}`) })),
    },
    {
      kind: 'bars',
      title: 'Cost at equal work',
      note: 'Of what is held and of what was left to do at the end, at the list prices of the scenario.',
      y: 'US dollars',
      usd: true,
      groups,
      groupInk,
      series: [{ name: 'cost at equal work', ...of('equal-usd') }],
    },
  ];
}

/** Each strategy's curve, its settings that cost more for no more being points beside it. */
function paretoFigure(curves: readonly ParetoCurve[], inks: Inks): ScatterFigure {
  const shares = curves.flatMap(({ points }) => points.map(({ worst }) => 100 * worst.mean));
  // What nobody would run takes the room of what one would.
  const isLow = shares.some((one) => one < LEAST_SHOWN) && shares.some((one) => one >= LEAST_SHOWN);
  return {
    kind: 'scatter',
    title: 'GPU-hours against the lowest attainment',
    note:
      'Each point is a setting of a strategy’s main knob, large as it is compared. Further left at the same height ' +
      'is cheaper for the same service. A setting that misses deadlines of non-interactive requests is on no curve.' +
      (isLow ? ` Settings with less than ${LEAST_SHOWN} % are in the data only.` : ''),
    x: 'GPU-hours at equal work',
    y: '% within the objective, lowest of a model and tier',
    levels: PARETO_LEVELS.map((level) => ({ value: 100 * level, label: '', unit: ' %' })),
    ...(isLow ? { from: LEAST_SHOWN } : {}),
    joined: true,
    series: curves.map(({ strategy, option, points }) => {
      const front = frontOf(points);
      return {
        name: strategy,
        ...inks.get(strategy),
        points: points.map((point) => ({
          name: point.value === undefined ? strategy : `${strategy}, ${option} ${point.value}`,
          x: point.gpuHours.mean,
          y: 100 * point.worst.mean,
          front: front.includes(point),
          best: point.value === undefined,
        })),
      };
    }),
  };
}

function instanceHours(runs: readonly ComparedRun[], strategies: readonly string[], inks: Inks): BarFigure {
  const regions = [...new Set(runs.flatMap(({ result }) => result.endpoints.map(({ regionId }) => regionId)))];
  const hoursOf = ({ result }: ComparedRun, region: string): number =>
    result.endpoints.filter((e) => e.regionId === region).reduce((sum, e) => sum + e.capacity.instanceHours, 0);
  return {
    kind: 'bars',
    title: 'Instance-hours by region',
    note: 'Provisioning, ready and draining.',
    y: 'instance-hours',
    groups: regions,
    series: strategies.map((name) => {
      const own = runs.filter((run) => run.strategy === name);
      const estimates = regions.map((region) => estimate(own.map((run) => hoursOf(run, region)))!);
      return {
        name,
        ...inks.get(name),
        values: estimates.map(({ mean }) => mean),
        halfWidths: estimates.map(({ halfWidth }) => halfWidth),
      };
    }),
  };
}

function gapFigures(gaps: readonly GapPoint[]): BarFigure[] {
  if (gaps.length === 0) return [];
  const groups = gaps.map(({ threshold }) => String(threshold));
  return [
    {
      kind: 'bars',
      title: 'Sensitivity to the gap threshold: GPU-hours',
      note: 'LT-UA, by the ratio of observed to forecast demand from which it grows past its plan. One seed.',
      y: 'GPU-hours',
      groups,
      series: [{ name: 'GPU-hours', values: gaps.map(({ gpuHours }) => gpuHours) }],
    },
    {
      kind: 'bars',
      title: 'Sensitivity to the gap threshold: TTFT',
      note: '90th percentile of TTFT of interactive-fast requests. One seed.',
      y: 'TTFT p90 (ms)',
      groups,
      series: [{ name: 'TTFT p90', values: gaps.map(({ ttftP90Ms }) => ttftP90Ms ?? null) }],
    },
  ];
}
