import { readFileSync, writeFileSync } from 'node:fs';
import { meetsObjectives, type PolicyChoice, worstAttainment } from 'sageserve';
import { type OutcomeRun, OutcomeRuns, type OutcomeTask } from './outcome-runs.js';
import { choiceAt, pointOf, TUNING_SPACES } from './tuning-spaces.js';

/** No figure is of this seed. */
export const TUNING_SEED = 101;

/**
 * Scenarios are tuned on their first half, which for a day has a night and a morning's peak in it;
 * those in which more happens later on what shows it.
 */
export const TUNING_DURATIONS: Readonly<Record<string, string>> = {
  'paper-day': '14h',
  'cold-start': '14h',
  'cold-start-10m': '14h',
  'office-hours': '14h',
  step: '9h',
  drop: '13h',
  'late-burst': '12h',
  flash: '12h',
  'region-loss': '16h',
  burst: '14h',
  'azure-week': '40h',
  servegen: '6h',
};

/** Other prices, and otherwise the same: what is tuned there is tuned here. */
export const TUNED_AS: Readonly<Record<string, string>> = { reserved: 'paper-day' };

/** Where a first search begins, other than with what was found for `paper-day`. */
const ALIKE: Readonly<Record<string, string>> = {
  'cold-start-10m': 'cold-start',
  'office-hours': 'cold-start',
  burst: 'late-burst',
};

/** A setting that was tried, and what came of it. */
interface Tried {
  readonly options: PolicyChoice;
  readonly gpuHours: number;
  readonly worst: number;
  readonly worstOf: string;
  readonly meets: boolean;
}

/** A search: its winner, and all that was tried. */
interface TunedStrategy {
  readonly options: PolicyChoice;
  /** Whether the winner meets every objective; where none does it is the one that comes nearest. */
  readonly meets: boolean;
  readonly seed: number;
  readonly duration: string | undefined;
  readonly tried: readonly Tried[];
}

/** By scenario and strategy. */
export type Tuned = Readonly<Record<string, Readonly<Record<string, TunedStrategy>>>>;

const FILE = new URL('../recorded/tuned.json', import.meta.url);

export function readTuned(): Tuned {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8')) as Tuned;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

export interface TuneOptions {
  readonly scenarios: readonly string[];
  readonly strategies: readonly string[];
  /** Shortens every scenario. */
  readonly durationOf: (scenario: string) => string | undefined;
  /** Runs of searches that were broken off. */
  readonly runs: string | undefined;
}

/**
 * Tunes strategies for scenarios: from where a recorded search of it, or of one like it, ended,
 * knob by knob a step up or down for as long as that is better. Better is cheaper at equal work
 * among those that meet every model's objectives with a margin, and nearer to that among those that
 * do not. Each search is written when it ends.
 */
export async function tune({ scenarios, strategies, durationOf, runs }: TuneOptions): Promise<void> {
  const kept = await OutcomeRuns.open(runs);
  for (const scenario of scenarios) {
    const other = TUNED_AS[scenario];
    if (other !== undefined) {
      console.log(`${scenario}: as ${other}`);
      continue;
    }
    for (const strategy of strategies) {
      const { knobs } = TUNING_SPACES[strategy]!;
      const known = readTuned()[scenario]?.[strategy];
      const from = known === undefined ? undefined : pointOf(strategy, known.options);
      const sibling = siblingOf(scenario, strategy);
      if (known !== undefined && from !== undefined && isAtRest(strategy, known, from, sibling)) {
        console.log(`${scenario}, ${strategy}: recorded already`);
        continue;
      }
      const duration = durationOf(scenario);
      const task = (at: readonly number[]): OutcomeTask => ({
        scenario,
        label: strategy,
        strategy: choiceAt(strategy, at),
        seed: TUNING_SEED,
        ...(duration === undefined ? {} : { duration }),
      });
      const seen = new Map<string, OutcomeRun>();
      const tryAll = async (points: readonly (readonly number[])[]): Promise<void> => {
        const results = await kept.of(points.map(task));
        for (const [i, point] of points.entries()) seen.set(point.join(), results[i]!);
      };
      const alike = readTuned()[ALIKE[scenario] ?? 'paper-day']?.[strategy];
      const near = alike?.meets === true ? pointOf(strategy, alike.options) : undefined;
      const starts = [from ?? near ?? knobs.map(({ start }) => start), ...(sibling === undefined ? [] : [sibling])];
      let best = starts[0]!;
      await tryAll(starts);
      for (const start of starts) if (isBetter(seen.get(start.join())!, seen.get(best.join())!)) best = start;
      // Knob by knob, until none has moved.
      for (let k = 0, still = 0; still < knobs.length; k = (k + 1) % knobs.length) {
        still++;
        for (let moved = true; moved;) {
          moved = false;
          const neighbours = neighboursOf(strategy, best, k).filter((point) => !seen.has(point.join()));
          await tryAll(neighbours);
          for (const point of neighbours) {
            if (!isBetter(seen.get(point.join())!, seen.get(best.join())!)) continue;
            best = point;
            moved = true;
            still = 0;
          }
        }
      }
      const winner = seen.get(best.join())!;
      write(scenario, strategy, {
        options: choiceAt(strategy, best),
        meets: meetsObjectives(winner.attainments),
        seed: TUNING_SEED,
        duration,
        tried: [...seen].map(([key, one]) => triedOf(choiceAt(strategy, key.split(',').map(Number)), one)),
      });
      console.log(
        `${scenario}, ${strategy}: ${JSON.stringify(choiceAt(strategy, best))} of ${seen.size} tried, ` +
          `${winner.equalGpuHours.toFixed(0)} GPU-hours, worst ${(100 * worstAttainment(winner.attainments)!.attainment).toFixed(2)} %`,
      );
    }
  }
  await kept.close();
}

function triedOf(options: PolicyChoice, run: OutcomeRun): Tried {
  const worst = worstAttainment(run.attainments)!;
  return {
    options,
    gpuHours: Number(run.equalGpuHours.toFixed(1)),
    worst: Number(worst.attainment.toFixed(5)),
    worstOf: `${worst.modelId}, ${worst.tier}`,
    meets: meetsObjectives(run.attainments),
  };
}

/**
 * What was found for the strategy that another is made of: a search by steps may end in a place of
 * its own.
 */
function siblingOf(scenario: string, strategy: string): number[] | undefined {
  const found = strategy === 'lt-ua' ? readTuned()[scenario]?.['lt-u'] : undefined;
  if (found === undefined || typeof found.options === 'string') return undefined;
  return pointOf(strategy, { ...found.options, name: strategy });
}

/** One step down and up of one knob, where there is one. */
function neighboursOf(strategy: string, at: readonly number[], knob: number): number[][] {
  const { length } = TUNING_SPACES[strategy]!.knobs[knob]!.values;
  return [-1, 1]
    .map((step) => at.map((value, i) => (i === knob ? value + step : value)))
    .filter((point) => point[knob]! >= 0 && point[knob]! < length);
}

/** Whether a recorded search would end where it did: all around its winner was tried. */
function isAtRest(
  strategy: string,
  { options, tried }: TunedStrategy,
  at: readonly number[],
  sibling: readonly number[] | undefined,
): boolean {
  const all = new Set(tried.map((one) => JSON.stringify(one.options)));
  if (!all.has(JSON.stringify(options))) return false;
  if (sibling !== undefined && !all.has(JSON.stringify(choiceAt(strategy, sibling)))) return false;
  return at.every((_, k) =>
    neighboursOf(strategy, at, k).every((point) => all.has(JSON.stringify(choiceAt(strategy, point)))),
  );
}

/** What is kept in hand, as a share of what may be missed: figures are of other seeds. */
const MARGIN = 0.1;

const withMargin = (target: number): number => target + MARGIN * (1 - target);

/** How far a run is from its objectives with a margin, over all models and tiers. */
function shortfall({ attainments }: OutcomeRun): number {
  return attainments.reduce((sum, { attainment, target }) => sum + Math.max(0, withMargin(target) - attainment), 0);
}

function isBetter(run: OutcomeRun, other: OutcomeRun): boolean {
  const [short, otherShort] = [shortfall(run), shortfall(other)];
  return short === otherShort ? run.equalGpuHours < other.equalGpuHours : short < otherShort;
}

function write(scenario: string, strategy: string, tuned: TunedStrategy): void {
  const all = readTuned();
  const next: Tuned = { ...all, [scenario]: { ...all[scenario], [strategy]: tuned } };
  writeFileSync(FILE, `${JSON.stringify(next, null, 2)}\n`);
}
