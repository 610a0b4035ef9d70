import { ConfigError } from '@sageserve/core';
import { evaluate, gpusUsed } from '../evaluate.js';
import { gpuConstraint } from '../formulations/static-model.js';
import type { PlacementSolver, SolverAnswer } from '../solver.js';
import { searchPlans } from '../structured/heuristic.js';
import { planApart } from '../structured/plan-apart.js';
import { withCover } from '../covers.js';
import type { PlacementTask } from '../task.js';
import { nowMs } from '../wall-clock.js';

/**
 * Up to this many entries the search takes the steps that make it good; beyond, those that keep it
 * quick.
 */
const SMALL = 1_500;
const MOST_ROUNDS = 20;

/**
 * Greedy and local search on prices from dual ascent, without any solver. Where models do not
 * compete for GPUs they are planned apart, exactly, and the plan is proven optimal. The same task
 * gives the same plan: time limits only end the search between steps.
 */
export function createHeuristicSolver(): PlacementSolver {
  return {
    name: 'heuristic',
    async solve(task, { elastic, timeLimitMs, relativeGap, signal }) {
      if (task.variant === 'lead-time')
        throw new ConfigError('solver', 'heuristic decides one window at a time, not lead-time', {
          hint: 'Choose highs, javascript-lp-solver or auto.',
        });
      const endsAt = nowMs() + timeLimitMs;
      const stop = (): boolean => signal?.aborted === true || nowMs() >= endsAt;
      signal?.throwIfAborted();
      let wider = elastic ? withFittingMinima(task) : task;
      for (let round = 0; ; round++) {
        const answer = await solveOnce(wider, elastic, relativeGap, stop);
        signal?.throwIfAborted();
        const counts = answer.stages?.[0];
        if (counts === undefined || elastic || task.variant !== 'flows' || round === MOST_ROUNDS) return answer;
        const { missingCovers } = evaluate(wider, counts);
        if (missingCovers.length === 0) return answer;
        for (const { model, serving } of missingCovers) wider = withCover(wider, model, serving);
      }
    },
  };
}

async function solveOnce(
  task: PlacementTask,
  elastic: boolean,
  relativeGap: number,
  stop: () => boolean,
): Promise<SolverAnswer> {
  const apart = elastic ? undefined : await planApart(task, stop);
  if (apart?.status === 'infeasible') return { status: 'infeasible' };
  if (apart?.counts !== undefined)
    return {
      status: 'feasible',
      stages: [apart.counts],
      bound: apart.bound,
      notes: ['models do not compete for GPUs: planned apart, exactly'],
    };
  const small = task.models * task.regions * task.skus <= SMALL;
  const found = await searchPlans(task, {
    elastic,
    steps: small ? 100 : 60,
    planEvery: small ? 10 : 20,
    passes: 20,
    rounds: 3,
    relativeGap,
    stop,
  });
  const bound = Math.max(found.bound, apart?.bound ?? -Infinity);
  const shadowUsd = new Map<string, number>();
  for (const [at, usd] of found.prices.gpuUsd.entries())
    if (usd > 0) shadowUsd.set(gpuConstraint(task, Math.floor(at / task.skus), at % task.skus), usd);
  for (const [c, usd] of found.prices.coverUsd.entries()) if (usd > 0) shadowUsd.set(task.covers[c].name, usd * 1e6);
  if (found.counts === undefined)
    return { status: stop() ? 'timed-out' : 'not-found', ...(bound > -Infinity ? { bound } : {}) };
  const notes = elastic ? ['what is unmet was made little by local search; nothing proves it the least'] : [];
  return { status: 'feasible', stages: [found.counts], bound, shadowUsd, notes };
}

/**
 * The task with minima lowered where a cell's GPUs can't hold them all, those that use most first.
 */
function withFittingMinima(task: PlacementTask): PlacementTask {
  const lower = Float64Array.from(task.lower);
  const { models: M, regions: R, skus: K } = task;
  const used = gpusUsed(task, lower);
  for (let at = 0; at < R * K; at++) {
    while (used[at] > task.gpuCapacity[at]) {
      let most = -1;
      for (let m = 0; m < M; m++) {
        const own = lower[m * R * K + at] * task.gpus[m * K + (at % K)];
        if (own > 0 && (most === -1 || own > lower[most * R * K + at] * task.gpus[most * K + (at % K)])) most = m;
      }
      lower[most * R * K + at]--;
      used[at] -= task.gpus[most * K + (at % K)];
    }
  }
  return { ...task, lower };
}
