import {
  type Attainment,
  count,
  decimal,
  estimate,
  meanAttainments,
  meetsObjectives,
  NONE,
  percent,
  table,
  worstAttainment,
} from '@sageserve/experiments';
import type { Figure } from './measure.js';
import type { OutcomeRun } from './outcome-runs.js';

/** Strategies that nobody could run: they know the future. */
const FORESIGHT = ['oracle', 'clairvoyant'];
const OURS = ['sage', 'sage last-value', 'sage without plan'];

/** Mean over seeds, and half of its 95 % confidence interval. */
interface Spread {
  readonly mean: number;
  readonly halfWidth: number | undefined;
}

/** What a strategy came to on a scenario, in the mean over seeds. */
interface OutcomeRow {
  readonly strategy: string;
  readonly equalGpuHours: Spread;
  /** With what was left charged as the strategy did the rest. */
  readonly ownRateGpuHours: number;
  readonly gpuHours: number;
  readonly equalUsd: number;
  readonly equalBillUsd: number;
  readonly overBound: Spread;
  /** Undefined where `clairvoyant` was not run. */
  readonly overClairvoyant: Spread | undefined;
  /** Against the cheapest baseline that meets every objective; undefined where none does. */
  readonly overBest: Spread | undefined;
  /** The model and tier that comes nearest to missing its objective, or misses it by most. */
  readonly worst: Attainment;
  /** Whether every model meets every tier's objective in the mean over seeds. */
  readonly meets: boolean;
  /** With how many of the seeds every model meets every tier's. */
  readonly seedsMet: number;
  readonly reversals: number;
  readonly actions: number;
  readonly deadlineMisses: number;
}

export interface ScenarioOutcome {
  readonly scenario: string;
  readonly seeds: number;
  /** The cheapest baseline at equal work that meets every objective. */
  readonly best: string | undefined;
  readonly rows: readonly OutcomeRow[];
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function spread(values: readonly number[]): Spread {
  const { mean: centre, halfWidth } = estimate(values)!;
  return { mean: centre, halfWidth };
}

/** What the runs of a scenario came to; `bounds` by seed. */
export function outcomeOf(
  scenario: string,
  runs: readonly OutcomeRun[],
  bounds: ReadonlyMap<number, number>,
): ScenarioOutcome {
  const names = [...new Set(runs.map(({ strategy }) => strategy))];
  const of = (name: string): OutcomeRun[] => runs.filter(({ strategy }) => strategy === name);
  const hours = (name: string): number => mean(of(name).map((r) => r.equalGpuHours));
  const best = names
    .filter((name) => !OURS.includes(name) && !FORESIGHT.includes(name))
    .filter((name) => meetsObjectives(meanAttainments(of(name))))
    .toSorted((a, b) => hours(a) - hours(b))[0];
  /** Of ratios on the same traffic. */
  const over = (name: string, theirs: ReadonlyMap<number, number>): Spread =>
    spread(of(name).map((r) => r.equalGpuHours / theirs.get(r.seed)!));
  const against = (name: string, base: string | undefined): Spread | undefined =>
    base === undefined || !names.includes(base)
      ? undefined
      : over(name, new Map(of(base).map((r) => [r.seed, r.equalGpuHours])));
  return {
    scenario,
    seeds: bounds.size,
    best,
    rows: names.map((strategy): OutcomeRow => {
      const own = of(strategy);
      const meanOf = (measure: (r: OutcomeRun) => number): number => mean(own.map(measure));
      const attainments = meanAttainments(own);
      return {
        strategy,
        equalGpuHours: spread(own.map((r) => r.equalGpuHours)),
        ownRateGpuHours: meanOf((r) => r.ownRateGpuHours ?? Infinity),
        gpuHours: meanOf((r) => r.gpuHours),
        equalUsd: meanOf((r) => r.equalUsd),
        equalBillUsd: meanOf((r) => r.equalBillUsd),
        overBound: over(strategy, bounds),
        overClairvoyant: against(strategy, 'clairvoyant'),
        overBest: against(strategy, best),
        worst: worstAttainment(attainments)!,
        meets: meetsObjectives(attainments),
        seedsMet: own.filter((r) => meetsObjectives(r.attainments)).length,
        reversals: meanOf((r) => r.reversals),
        actions: meanOf((r) => r.actions),
        deadlineMisses: meanOf((r) => r.deadlineMisses),
      };
    }),
  };
}

function spreadText(given: Spread | undefined, digits: number): string {
  if (given === undefined) return NONE;
  const { mean: centre, halfWidth } = given;
  return decimal(centre, digits) + (halfWidth === undefined ? '' : ` ±${decimal(halfWidth, digits)}`);
}

/** Every strategy on a scenario, the cheapest first; those that miss objectives come last. */
export function outcomeTable({ scenario, seeds, best, rows }: ScenarioOutcome): string {
  const sorted = rows.toSorted(
    (a, b) => Number(b.meets) - Number(a.meets) || a.equalGpuHours.mean - b.equalGpuHours.mean,
  );
  return [
    `${scenario}, ${seeds} seeds; ${best === undefined ? 'no baseline meets every objective' : `best baseline: ${best}`}`,
    table(
      [
        'in the mean over seeds',
        'meets',
        'seeds',
        'GPU-h, equal work',
        'own rate',
        'held',
        '$',
        '$ less spot',
        '÷ bound',
        '÷ clairvoyant',
        '÷ best baseline',
        'worst',
        'of',
        'undone',
        'actions',
        'NIW missed',
      ],
      sorted.map((row) => [
        row.strategy,
        row.meets ? 'all' : 'NO',
        `${row.seedsMet}/${seeds}`,
        spreadText(row.equalGpuHours, 0),
        Number.isFinite(row.ownRateGpuHours) ? count(row.ownRateGpuHours) : NONE,
        count(row.gpuHours),
        count(row.equalUsd),
        count(row.equalBillUsd),
        spreadText(row.overBound, 2),
        spreadText(row.overClairvoyant, 3),
        spreadText(row.overBest, 3),
        percent(row.worst.attainment),
        `${row.worst.modelId} ${row.worst.tier}`,
        count(row.reversals),
        count(row.actions),
        count(row.deadlineMisses),
      ]),
    ),
  ].join('\n');
}

/**
 * A row for each scenario: how ours stands to the best baseline, to what is possible, and to itself
 * without forecast or plan.
 */
export function outcomeSummary(outcomes: readonly ScenarioOutcome[]): string {
  const meetsText = ({ meets, worst }: OutcomeRow): string => (meets ? 'all' : `NO, ${percent(worst.attainment)}`);
  return table(
    [
      'sage by scenario',
      'meets',
      'GPU-h, equal work',
      '÷ bound',
      '÷ clairvoyant',
      'best baseline',
      'GPU-h',
      'sage ÷ it',
      'own rate',
      'last-value ÷ sage',
      'meets',
      'without plan ÷ sage',
      'meets',
    ],
    outcomes.map(({ scenario, best, rows }) => {
      const row = (name: string): OutcomeRow => rows.find(({ strategy }) => strategy === name)!;
      const sage = row('sage');
      const baseline = best === undefined ? undefined : row(best);
      const [lastValue, noPlan] = [row('sage last-value'), row('sage without plan')];
      const overSage = (other: OutcomeRow): string => decimal(other.equalGpuHours.mean / sage.equalGpuHours.mean, 3);
      return [
        scenario,
        meetsText(sage),
        spreadText(sage.equalGpuHours, 0),
        spreadText(sage.overBound, 2),
        spreadText(sage.overClairvoyant, 3),
        best ?? NONE,
        spreadText(baseline?.equalGpuHours, 0),
        spreadText(sage.overBest, 3),
        decimal(baseline && sage.ownRateGpuHours / baseline.ownRateGpuHours, 3),
        overSage(lastValue),
        meetsText(lastValue),
        overSage(noPlan),
        meetsText(noPlan),
      ];
    }),
  );
}

/** What stands in the columns of {@link outcomeTable}. */
export const OUTCOME_LEGEND = [
  'Means over seeds, ± half of the 95 % confidence interval; ratios on the same traffic. Meets: every model meets every',
  'tier’s objective in the mean over seeds; seeds: with how many it does. Equal work: what is left at the end, or was',
  'refused, is charged as a saturated instance does it; own rate: as the strategy did the rest. $: at equal work, and with',
  'donated GPUs paid for less what they earn as spot. Worst: the model and tier that comes nearest to missing its objective. Undone:',
  'instances given up and wanted back within ten minutes; actions: decisions to scale, of one instance or more.',
].join('\n');

/** What is kept beside the next run. */
export function outcomeFigures({ scenario, best, rows }: ScenarioOutcome): Figure[] {
  const sage = rows.find(({ strategy }) => strategy === 'sage')!;
  return [
    ...(best === undefined
      ? []
      : [
          {
            name: `${scenario}: sage ÷ ${best}, the best baseline that meets every objective`,
            value: sage.overBest!.mean,
            unit: `× GPU-hours at equal work; sage ${sage.meets ? 'meets' : 'MISSES'} its own`,
          },
        ]),
    ...rows.map(({ strategy, meets, equalGpuHours }) => ({
      name: `  ${scenario}, ${strategy}`,
      value: equalGpuHours.mean,
      unit: `GPU-hours at equal work${meets ? '' : '; misses objectives'}`,
    })),
  ];
}
