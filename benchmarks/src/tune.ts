import { readFileSync, writeFileSync } from 'node:fs';
import { meetsObjectives, type PolicyChoice, worstAttainment } from 'sageserve';
import { type OutcomeRun, OutcomeRuns, type OutcomeTask } from './outcome-runs.js';
import { choiceAt, TUNING_SPACES } from './tuning-spaces.js';

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
  reserved: '14h',
  burst: '14h',
  'azure-week': '40h',
  servegen: '6h',
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
 * Tunes strategies for scenarios: from where the last scenario's search ended, knob by knob a step
 * up or down for as long as that is better. Better is cheaper at equal work among those that meet
 * every model's objectives, and nearer to them among those that do not. Each search is written when
 * it ends.
 */
export async function tune({ scenarios, strategies, durationOf, runs }: TuneOptions): Promise<void> {
  const kept = await OutcomeRuns.open(runs);
  const starts = new Map<string, number[]>();
  for (const scenario of scenarios) {
    for (const strategy of strategies) {
      const { knobs } = TUNING_SPACES[strategy]!;
      const known = readTuned()[scenario]?.[strategy];
      if (known !== undefined) {
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
      let best = starts.get(strategy) ?? knobs.map(({ start }) => start);
      await tryAll([best]);
      // Knob by knob, until none has moved.
      for (let k = 0, still = 0; still < knobs.length; k = (k + 1) % knobs.length) {
        still++;
        for (let moved = true; moved;) {
          moved = false;
          const neighbours = [-1, 1]
            .map((step) => best.map((value, i) => (i === k ? value + step : value)))
            .filter((point) => point[k]! >= 0 && point[k]! < knobs[k]!.values.length && !seen.has(point.join()));
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
      if (meetsObjectives(winner.attainments)) starts.set(strategy, best);
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

/** How far a run is from its objectives, over all models and tiers. */
function shortfall({ attainments }: OutcomeRun): number {
  return attainments.reduce((sum, { attainment, target }) => sum + Math.max(0, target - attainment), 0);
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
