import { WORKLOAD_TIERS } from '@sageserve/core';
import type { Scenario } from '@sageserve/scenario';
import { type Bounds, type Comparison, TIER_LABELS } from '../compare/comparison-rows.js';
import { estimateText, SECTIONS } from '../compare/comparison-text.js';
import { frontOf, type ParetoCurve } from '../compare/pareto.js';
import type { ComparedRun } from '../compare/run-comparison.js';
import { DISTRIBUTION_LEVELS, type RunRecord } from '../compare/run-record.js';
import { verdict } from '../compare/verdict.js';
import type { BarFigure, Figure, LineFigure, ScatterFigure } from './figure.js';
import { figuresPage } from './figures-page.js';
import { escapeHtml } from './page.js';

/** LT-UA at one gap threshold. */
export interface GapPoint {
  readonly threshold: number;
  readonly gpuHours: number;
  readonly ttftP90Ms: number | undefined;
}

/** What a page is made of. */
export interface ComparisonPage {
  readonly scenario: Scenario;
  readonly runs: readonly ComparedRun[];
  readonly comparison: Comparison;
  readonly gaps?: readonly GapPoint[];
  readonly curves?: readonly ParetoCurve[];
  readonly bounds?: Bounds;
}

const SECONDS_PER_HOUR = 3_600;

/**
 * A page of its own, without anything to load: the figures of the paper for one scenario, each with
 * its data, and the table.
 */
export async function comparisonPage({
  scenario,
  runs,
  comparison,
  gaps = [],
  curves = [],
  bounds,
}: ComparisonPage): Promise<string> {
  const head = comparison.strategies.map((name) => `<th>${escapeHtml(name)}</th>`).join('');
  let section = '';
  const rows = SECTIONS.flatMap((title) => comparison.rows.filter((row) => row.section === title))
    .map((row) => {
      const title =
        row.section === section
          ? ''
          : '<tr class="section"><th ' +
            `colspan="${comparison.strategies.length + 1}">${escapeHtml(row.section)}</th></tr>`;
      section = row.section;
      return `${title}<tr><td>${escapeHtml(row.label)}</td>${row.estimates.map((value) => `<td>${escapeHtml(estimateText(value, row.unit))}</td>`).join('')}</tr>`;
    })
    .join('\n');
  return figuresPage({
    title: `${scenario.name}: strategies compared`,
    description: scenario.description,
    verdict: verdict(scenario, runs, comparison, bounds),
    note: `Figures over time are of the first seed; the table and the bars are means over ${comparison.seeds.length === 1 ? 'one seed' : `${comparison.seeds.length} seeds, ± the 95 % confidence interval`}.
Drag over a chart to look closer, double-click to see all again, click a name to hide its line.`,
    figures: [...(curves.length === 0 ? [] : [paretoFigure(curves)]), ...figuresOf(runs, comparison, gaps)],
    table: `<thead><tr><th></th>${head}</tr></thead><tbody>\n${rows}\n</tbody>`,
  });
}

function figuresOf(
  runs: readonly ComparedRun[],
  { strategies, rows }: Comparison,
  gaps: readonly GapPoint[],
): Figure[] {
  const recorded = strategies.flatMap((strategy) => {
    const record = runs.find((run) => run.strategy === strategy && run.record !== undefined)?.record;
    return record === undefined ? [] : [{ name: strategy, record }];
  });
  const figures: Figure[] = [];
  const first = recorded[0]?.record;
  const means = (key: string): number[] =>
    rows.find((row) => row.key === key)?.estimates.map((value) => value?.mean ?? 0) ?? strategies.map(() => 0);
  const tiers = WORKLOAD_TIERS.map((tier) => TIER_LABELS[tier]);
  if (first !== undefined) {
    const hours = {
      label: 'hours from the start',
      values: first.timeS.map((s) => Number((s / SECONDS_PER_HOUR).toFixed(4))),
    };
    const byStrategy = (
      values: (record: RunRecord) => readonly (number | null)[],
    ): LineFigure['views'][number]['series'] => recorded.map(({ name, record }) => ({ name, values: values(record) }));
    const byTier = (values: (record: RunRecord, tier: number) => readonly (number | null)[]): LineFigure['views'] =>
      tiers.map((name, t) => ({ name, series: byStrategy((record) => values(record, t)) }));
    figures.push(
      {
        kind: 'lines',
        title: 'Load by tier',
        note: 'Requests that arrive, in ten minutes each.',
        x: hours,
        y: 'requests/s',
        views: [{ name: 'all regions', series: tiers.map((name, t) => ({ name, values: first.arrivalsPerS[t]! })) }],
      },
      {
        kind: 'lines',
        title: 'Instances over time',
        note: 'Ready instances, all models.',
        x: hours,
        y: 'instances',
        views: [
          { name: 'all regions', series: byStrategy((record) => record.readyInstances) },
          ...first.regions.map((region, r) => ({
            name: region,
            series: byStrategy((record) => record.readyByRegion[r]!),
          })),
          { name: 'provisioning', series: byStrategy((record) => record.provisioningInstances) },
        ],
      },
    );
    figures.push(instanceHours(runs, strategies, first.regions));
    figures.push(
      {
        kind: 'lines',
        title: 'TTFT over time',
        note: '95th percentile of the requests that ended within ten minutes.',
        x: hours,
        y: 'ms',
        log: true,
        views: byTier((record, t) => record.ttftP95Ms[t]!),
      },
      {
        kind: 'lines',
        title: 'E2E over time',
        note: '95th percentile of the requests that ended within ten minutes.',
        x: hours,
        y: 'ms',
        log: true,
        views: byTier((record, t) => record.e2eP95Ms[t]!),
      },
      {
        kind: 'lines',
        title: 'TTFT as a distribution',
        note: 'So many milliseconds or less for that share of the requests.',
        x: { label: 'share of requests', values: DISTRIBUTION_LEVELS },
        y: 'ms',
        log: true,
        views: byTier((record, t) => record.ttftDistributionMs[t]!),
      },
      {
        kind: 'lines',
        title: 'E2E as a distribution',
        note: 'So many milliseconds or less for that share of the requests.',
        x: { label: 'share of requests', values: DISTRIBUTION_LEVELS },
        y: 'ms',
        log: true,
        views: byTier((record, t) => record.e2eDistributionMs[t]!),
      },
      {
        kind: 'lines',
        title: 'Utilisation over time',
        note: 'KV-cache memory in use ÷ memory of ready instances.',
        x: hours,
        y: 'share',
        views: [{ name: 'all', series: byStrategy((record) => record.utilization) }],
      },
      {
        kind: 'lines',
        title: 'Burst response',
        note:
          'By minute of the hour, over all hours of the run: what arrives, how many instances are ready, how long ' +
          'interactive-fast requests wait.',
        x: { label: 'minute of the hour', values: Array.from({ length: 60 }, (_, m) => m) },
        y: 'requests/s, instances or ms',
        views: [
          { name: 'TTFT p95 of IW-F (ms)', series: byStrategy((record) => record.byMinute.ttftP95Ms) },
          { name: 'ready instances', series: byStrategy((record) => record.byMinute.readyInstances) },
          { name: 'arrivals (requests/s)', series: byStrategy((record) => record.byMinute.arrivalsPerS) },
        ],
      },
    );
  }
  figures.push(
    {
      kind: 'bars',
      title: 'Scaling waste by way of acquisition',
      note: 'GPU-hours paid for while instances are not ready yet.',
      y: 'GPU-hours',
      groups: strategies,
      stacked: true,
      series: (['reclaim', 'redeploy', 'new-vm'] as const).map((way) => ({ name: way, values: means(`waste/${way}`) })),
    },
    {
      kind: 'bars',
      title: 'Cost',
      note: 'At the list prices of the scenario.',
      y: 'USD',
      groups: strategies,
      series: [{ name: 'cost', values: means('usd') }],
    },
  );
  if (gaps.length > 0) {
    figures.push(
      {
        kind: 'bars',
        title: 'Sensitivity to the gap threshold: GPU-hours',
        note: 'LT-UA, by the ratio of observed to forecast demand from which it grows past its plan. One seed.',
        y: 'GPU-hours',
        groups: gaps.map(({ threshold }) => String(threshold)),
        series: [{ name: 'GPU-hours', values: gaps.map(({ gpuHours }) => gpuHours) }],
      },
      {
        kind: 'bars',
        title: 'Sensitivity to the gap threshold: TTFT',
        note: '90th percentile of TTFT of interactive-fast requests. One seed.',
        y: 'ms',
        groups: gaps.map(({ threshold }) => String(threshold)),
        series: [{ name: 'TTFT p90', values: gaps.map(({ ttftP90Ms }) => ttftP90Ms ?? 0) }],
      },
    );
  }
  return figures;
}

/** Each strategy's curve, its settings that cost more for no more being points beside it. */
function paretoFigure(curves: readonly ParetoCurve[]): ScatterFigure {
  return {
    kind: 'scatter',
    title: 'GPU-hours against the worst attainment',
    note:
      'Each point is a setting of a strategy’s main knob, large as it is compared. Further left at the same height ' +
      'is cheaper for the same service.',
    x: 'GPU-hours at equal work',
    y: '% within the objective, of the model and tier that has the lowest',
    joined: true,
    series: curves.map(({ strategy, option, points }) => {
      const front = frontOf(points);
      return {
        name: strategy,
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

function instanceHours(
  runs: readonly ComparedRun[],
  strategies: readonly string[],
  regions: readonly string[],
): BarFigure {
  const mean = (strategy: string, region: string): number => {
    const own = runs.filter((run) => run.strategy === strategy);
    const hours = own.map(({ result }) =>
      result.endpoints.filter((e) => e.regionId === region).reduce((sum, e) => sum + e.capacity.instanceHours, 0),
    );
    return hours.reduce((a, b) => a + b, 0) / own.length;
  };
  return {
    kind: 'bars',
    title: 'Instance-hours by region',
    note: 'Provisioning, ready and draining.',
    y: 'instance-hours',
    groups: regions,
    series: strategies.map((strategy) => ({ name: strategy, values: regions.map((region) => mean(strategy, region)) })),
  };
}
