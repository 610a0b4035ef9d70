import { SageServeError } from '@sageserve/core';
import { evaluate } from '../evaluate.js';
import type { PlacementSolver, SolverAnswer } from '../solver.js';
import { nowMs } from '../wall-clock.js';

/**
 * Whole numbers up to which javascript-lp-solver is asked: it proves such programs in milliseconds.
 */
const SMALL = 8;
const SMALL_TIME_MS = 1_000;
/** Share of the time limit that the heuristic may take. */
const HEURISTIC_SHARE = 0.3;

export interface AutoSolvers {
  readonly heuristic: PlacementSolver;
  readonly javascriptLpSolver: PlacementSolver;
  readonly highs: PlacementSolver;
}

/**
 * The heuristic first, which is quick and often proves its plan; then, where that is not within the
 * gap, javascript-lp-solver for a handful of instances and HiGHS for the rest, from the heuristic's
 * plan. What fails is passed over and said; the best plan found stands.
 */
export function createAutoSolver({ heuristic, javascriptLpSolver, highs }: AutoSolvers): PlacementSolver {
  return {
    name: 'auto',
    async solve(task, request) {
      const endsAt = nowMs() + request.timeLimitMs;
      const notes: string[] = [];
      let best: SolverAnswer | undefined;
      let bound = -Infinity;
      let usd = Infinity;
      const gap = (): number => Math.max(0, usd - bound) / Math.max(1e-9, Math.abs(usd));
      const ask = async (solver: PlacementSolver, timeLimitMs: number): Promise<SolverAnswer | undefined> => {
        try {
          const answer = await solver.solve(task, { ...request, timeLimitMs, start: best?.stages?.[0] });
          if (answer.bound !== undefined) bound = Math.max(bound, answer.bound);
          const counts = answer.stages?.[0];
          if (counts !== undefined && task.variant !== 'lead-time') {
            const found = evaluate(task, counts);
            if (found.broken.length > 0 || (!request.elastic && found.shortfall.length > 0)) {
              notes.push(
                `${solver.name} gave a plan that breaks ` +
                  (found.broken[0] ?? `service of ${found.shortfall[0].modelId}`),
              );
              return undefined;
            }
            // Of equals the later, which may know prices of constraints too.
            if (found.objectiveUsd <= usd) {
              usd = found.objectiveUsd;
              best = { ...answer, solver: solver.name };
            }
          } else if (counts !== undefined) best = { ...answer, solver: solver.name };
          return answer;
        } catch (error) {
          if (request.signal?.aborted === true) throw error;
          if (!(error instanceof SageServeError)) throw error;
          notes.push(error.message);
          return undefined;
        }
      };
      const finish = (status: SolverAnswer['status']): SolverAnswer => ({
        ...best,
        status,
        notes: [...notes, ...(best?.notes ?? [])],
        ...(bound > -Infinity ? { bound } : {}),
      });
      if (task.variant !== 'lead-time') {
        const answer = await ask(heuristic, HEURISTIC_SHARE * request.timeLimitMs);
        if (answer?.status === 'infeasible') return { ...answer, solver: heuristic.name };
        if (best !== undefined && !request.elastic && gap() <= request.relativeGap + 1e-9) return finish('optimal');
        notes.push(
          best === undefined
            ? 'the heuristic found no plan'
            : `the heuristic's plan was proven within ${(100 * gap()).toFixed(2)} %`,
        );
      }
      const small =
        task.upper.filter((most, e) => most > task.lower[e]).length *
          (task.variant === 'lead-time' ? 2 * task.windows : 1) <=
        SMALL;
      for (const solver of small ? [javascriptLpSolver, highs] : [highs]) {
        const left = endsAt - nowMs();
        if (left <= 0) break;
        const answer = await ask(solver, solver === javascriptLpSolver ? Math.min(left, SMALL_TIME_MS) : left);
        if (answer?.status === 'infeasible') return { ...answer, solver: solver.name, notes };
        if (answer?.status === 'optimal') return finish('optimal');
        if (answer?.status === 'timed-out') notes.push(`${solver.name} found no better plan in time`);
        if (answer?.status === 'not-found') notes.push(`${solver.name} found no plan in whole numbers`);
      }
      if (best !== undefined) return finish('feasible');
      return finish(nowMs() >= endsAt ? 'timed-out' : 'not-found');
    },
  };
}
