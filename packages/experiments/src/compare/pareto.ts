import { maxOf, minOf } from '@sageserve/core';
import { estimate, type Estimate } from './statistics.js';
import type { ComparedRun } from './run-comparison.js';

/** At which shares of requests within their objectives strategies are compared. */
export const PARETO_LEVELS = [0.95, 0.97, 0.99] as const;

/** A strategy with its knob at one value. */
export interface ParetoPoint {
  /** Of the knob; undefined for the strategy as it is compared. */
  readonly value: number | undefined;
  /** At equal work. */
  readonly gpuHours: Estimate;
  /** Share (0–1) within the objective, of the model and tier that has the lowest. */
  readonly worst: Estimate;
  /**
   * A tier of which more is asked than the highest level has less than that: no level says so, and
   * the point is on no front.
   */
  readonly misses: boolean;
}

/** GPU-hours that a strategy takes to have its worst model and tier at a level. */
export interface HoursAt {
  readonly level: number;
  /** Undefined where no setting that was run attains so much. */
  readonly gpuHours: number | undefined;
  /** All settings attain more: there may be a cheaper one that was not run. */
  readonly atMost: boolean;
  /**
   * GPU-hours more than the cheapest strategy takes, as a share (0–1) of those; undefined where it
   * is not known what this one takes.
   */
  readonly gap: number | undefined;
  /** It is not known how little another takes: the gap is that or more. */
  readonly gapAtLeast: boolean;
}

/** How much attainment a strategy gives for how many GPU-hours. */
export interface ParetoCurve {
  readonly strategy: string;
  /** What was turned; undefined for a strategy without a knob. */
  readonly option: string | undefined;
  readonly foresight: boolean;
  readonly points: readonly ParetoPoint[];
  readonly at: readonly HoursAt[];
}

/** Runs of a strategy at one value of its knob, over seeds. */
interface KnobRuns {
  readonly value: number | undefined;
  readonly runs: readonly ComparedRun[];
}

/** A strategy with its main knob at several values, the one that it is compared with among them. */
export interface TurnedKnob {
  readonly strategy: string;
  /** What was turned; undefined for a strategy without a knob. */
  readonly option: string | undefined;
  readonly settings: readonly KnobRuns[];
}

/** The lowest attainment of a run's models and tiers; undefined where nothing arrived. */
function worstOf({ attainments }: ComparedRun): number | undefined {
  return attainments.length === 0 ? undefined : minOf(attainments.map(({ attainment }) => attainment));
}

/** Whether something of which more is asked than any level has less. */
function missesMore({ attainments }: ComparedRun): boolean {
  return attainments.some(({ attainment, target }) => target > maxOf(PARETO_LEVELS) && attainment < target);
}

/**
 * Curves of strategies, and the horizontal gaps between them: GPU-hours at the same attainment,
 * which is what a saving is. Strategies that are given the future are no one's yardstick.
 */
export function paretoCurves(strategies: readonly TurnedKnob[]): ParetoCurve[] {
  const curves = strategies.map(({ strategy, option, settings }) => {
    const points = settings.flatMap(({ value, runs }): ParetoPoint[] => {
      const gpuHours = estimate(runs.map(({ result }) => result.atEqualWork.gpuHours));
      const worst = estimate(runs.map(worstOf));
      return gpuHours === undefined || worst === undefined
        ? []
        : [{ value, gpuHours, worst, misses: runs.some(missesMore) }];
    });
    const foresight = settings.some(({ runs }) => runs.some((run) => run.foresight));
    return { strategy, option, foresight, points };
  });
  const at = curves.map(({ points }) => PARETO_LEVELS.map((level) => hoursAt(points, level)));
  return curves.map((curve, c) => ({
    ...curve,
    at: PARETO_LEVELS.map((level, l) => {
      const { gpuHours, atMost } = at[c]![l]!;
      const runnable = curves.flatMap((other, o) => (other.foresight ? [] : [at[o]![l]!]));
      const least = runnable.length === 0 ? Infinity : minOf(runnable.map((one) => one.gpuHours ?? Infinity));
      const gap = gpuHours === undefined || atMost || least === Infinity ? undefined : gpuHours / least - 1;
      return { level, gpuHours, atMost, gap, gapAtLeast: gap !== undefined && runnable.some((one) => one.atMost) };
    }),
  }));
}

/**
 * Points that no other has both fewer GPU-hours and as much attainment than, cheapest first; none
 * that {@link ParetoPoint.misses}.
 */
export function frontOf(points: readonly ParetoPoint[]): ParetoPoint[] {
  const front: ParetoPoint[] = [];
  const able = points.filter(({ misses }) => !misses);
  for (const point of able.toSorted((a, b) => a.gpuHours.mean - b.gpuHours.mean || b.worst.mean - a.worst.mean))
    if (front.length === 0 || point.worst.mean > front.at(-1)!.worst.mean) front.push(point);
  return front;
}

/** On the straight line between the two points of the front that a level lies between. */
function hoursAt(points: readonly ParetoPoint[], level: number): Pick<HoursAt, 'gpuHours' | 'atMost'> {
  const front = frontOf(points);
  const above = front.findIndex(({ worst }) => worst.mean >= level);
  if (above === -1) return { gpuHours: undefined, atMost: false };
  const high = front[above]!;
  if (above === 0) return { gpuHours: high.gpuHours.mean, atMost: high.worst.mean > level };
  const low = front[above - 1]!;
  const share = (level - low.worst.mean) / (high.worst.mean - low.worst.mean);
  return { gpuHours: low.gpuHours.mean + share * (high.gpuHours.mean - low.gpuHours.mean), atMost: false };
}
