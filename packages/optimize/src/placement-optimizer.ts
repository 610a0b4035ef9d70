import { ConfigError, PlacementGrid, type PlacementOptimizer, type PlacementSolution } from '@sageserve/core';
import { bindingConstraints } from './binding.js';
import { type Evaluation, evaluate, gpusUsed } from './evaluate.js';
import { evaluateSchedule } from './evaluate-schedule.js';
import { type PlacementSolver, PlacementSolverError, type SolverAnswer } from './solver.js';
import { createAutoSolver } from './solvers/auto-solver.js';
import { createHeuristicSolver } from './solvers/heuristic-solver.js';
import { createWorkerSolver } from './solvers/in-worker.js';
import { createProgramSolver } from './solvers/program-solver.js';
import { PlanSearch } from './structured/plan-search.js';
import { indexCovers } from './structured/prices.js';
import { nowMs } from './wall-clock.js';
import { createTask } from './create-task.js';
import type { PlacementFormulation, PlacementTask } from './task.js';

export const PLACEMENT_SOLVERS = ['auto', 'highs', 'javascript-lp-solver', 'heuristic'] as const;

export interface PlacementOptimizerOptions extends PlacementFormulation {
  /** `auto` by default; or a solver of one's own. */
  readonly solver?: (typeof PLACEMENT_SOLVERS)[number] | PlacementSolver;
  /** Where not all can be met, the best plan and what it leaves unmet; `true` by default. */
  readonly elastic?: boolean;
}

/** How long a solve may take unless it is said. */
export const DEFAULT_TIME_LIMIT_MS = 60_000;
/** Share of the time limit for a plan that meets all, where one that does not is wanted too. */
const STRICT_SHARE = 0.7;
/** A solver's objective and bound may differ from exact sums by so much. */
const ROUNDING = 1e-7;

/**
 * A solver by its name. One that runs in a thread keeps it between solves; the thread keeps no
 * process alive.
 */
export function createPlacementSolver(name: (typeof PLACEMENT_SOLVERS)[number]): PlacementSolver {
  switch (name) {
    case 'heuristic':
      return createHeuristicSolver();
    case 'highs':
    case 'javascript-lp-solver':
      return createProgramSolver(createWorkerSolver(name));
    case 'auto':
      return createAutoSolver({
        heuristic: createHeuristicSolver(),
        highs: createPlacementSolver('highs'),
        javascriptLpSolver: createPlacementSolver('javascript-lp-solver'),
      });
    default:
      throw new ConfigError('solver', `is ${String(name)}, which is not known`, {
        hint: `Known: ${PLACEMENT_SOLVERS.join(', ')}.`,
      });
  }
}

/**
 * Decides what runs where: the integer program of the paper *SageServe* (arXiv 2502.14617, §5) and
 * its relatives. Every plan is checked in exact arithmetic before it is handed on. An option or
 * problem that is malformed throws `ConfigError`, a solver that answers wrongly
 * `PlacementSolverError` with the program; time limit (60 s unless given) and abort end the solve.
 */
export function createPlacementOptimizer(options: PlacementOptimizerOptions = {}): PlacementOptimizer {
  const solver = typeof options.solver === 'object' ? options.solver : createPlacementSolver(options.solver ?? 'auto');
  return {
    name: `${options.variant ?? 'flows'} (${solver.name})`,
    async solve(problem, { timeLimitMs = DEFAULT_TIME_LIMIT_MS, relativeGap = 0, signal } = {}) {
      if (!(timeLimitMs > 0)) throw new ConfigError('timeLimitMs', `must be more than 0, not ${timeLimitMs}`);
      if (!(relativeGap >= 0 && relativeGap < 1))
        throw new ConfigError('relativeGap', `must be a share from 0 to below 1, not ${relativeGap}`);
      signal?.throwIfAborted();
      const task = createTask(problem, options);
      if (!minimaFit(task)) {
        const answer: SolverAnswer =
          options.elastic === false
            ? { status: 'infeasible' }
            : await solver.solve(task, { elastic: true, timeLimitMs, relativeGap, signal });
        return solutionOf(task, solver, answer, relativeGap, 'infeasible');
      }
      if (options.elastic === false)
        return solutionOf(
          task,
          solver,
          await solver.solve(task, { elastic: false, timeLimitMs, relativeGap, signal }),
          relativeGap,
        );
      const endsAt = nowMs() + timeLimitMs;
      const answer = await solver.solve(task, {
        elastic: false,
        timeLimitMs: STRICT_SHARE * timeLimitMs,
        relativeGap,
        signal,
      });
      if (answer.stages !== undefined) return solutionOf(task, solver, answer, relativeGap);
      const relaxed = await solver.solve(task, {
        elastic: true,
        timeLimitMs: Math.max(1, endsAt - nowMs()),
        relativeGap,
        signal,
      });
      return solutionOf(
        task,
        solver,
        { ...relaxed, notes: [...(answer.notes ?? []), ...(relaxed.notes ?? [])] },
        relativeGap,
        answer.status === 'infeasible' || answer.status === 'not-found' ? answer.status : 'timed-out',
      );
    },
  };
}

/** Whether the fewest instances that are asked for are within bounds and GPUs. */
function minimaFit(task: PlacementTask): boolean {
  return (
    task.lower.every((least, e) => least <= task.upper[e]) &&
    gpusUsed(task, task.lower).every((used, at) => used <= task.gpuCapacity[at])
  );
}

function solutionOf(
  task: PlacementTask,
  solver: PlacementSolver,
  answer: SolverAnswer,
  relativeGap: number,
  unmet?: 'infeasible' | 'timed-out' | 'not-found',
): PlacementSolution {
  const elastic = unmet !== undefined;
  const name =
    answer.solver === undefined || answer.solver === solver.name ? solver.name : `${solver.name}: ${answer.solver}`;
  const notes = answer.notes === undefined || answer.notes.length === 0 ? {} : { notes: answer.notes };
  if (answer.stages === undefined) {
    const bound = answer.bound === undefined || elastic ? {} : { boundUsd: answer.bound };
    return {
      status: unmet ?? answer.status,
      target: undefined,
      objectiveUsd: undefined,
      relativeGap: undefined,
      solver: name,
      ...bound,
      ...notes,
    };
  }
  const evaluateStages = (stages: readonly Float64Array[]): Evaluation =>
    task.variant === 'lead-time' ? evaluateSchedule(task, stages) : evaluate(task, stages[0]);
  let stages = answer.stages;
  let result = evaluateStages(stages);
  const wrong =
    result.broken[0] ??
    (elastic
      ? undefined
      : result.shortfall.map(({ kind, modelId, amount }) => `${kind} of ${modelId} is short by ${amount}`)[0]);
  if (wrong !== undefined)
    throw new PlacementSolverError(name, `gave a plan that breaks a constraint: ${wrong}`, answer.model);
  const { bound } = answer;
  if (!elastic && bound !== undefined && result.objectiveUsd < bound - ROUNDING * Math.max(1, Math.abs(bound)))
    throw new PlacementSolverError(
      name,
      `gave a plan of ${result.objectiveUsd} USD, less than the ${bound} USD that it calls the least possible`,
      answer.model,
    );
  if (task.variant !== 'lead-time') {
    const kept = keepWhatIsThere(task, stages[0], result, elastic);
    if (kept !== undefined) {
      stages = [kept.counts];
      result = kept.result;
    }
  }
  const gap =
    bound === undefined || elastic
      ? undefined
      : Math.max(0, result.objectiveUsd - bound) / Math.max(1e-9, Math.abs(result.objectiveUsd));
  const status =
    unmet ??
    (gap !== undefined && gap <= relativeGap + ROUNDING
      ? 'optimal'
      : answer.status === 'optimal' && gap === undefined
        ? 'optimal'
        : 'feasible');
  const grid = (counts: Float64Array): PlacementGrid => new PlacementGrid(task.models, task.regions, task.skus, counts);
  return {
    status,
    target: grid(stages[0]),
    objectiveUsd: result.objectiveUsd,
    relativeGap: gap !== undefined && gap < ROUNDING ? 0 : gap,
    solver: name,
    ...(bound === undefined || elastic ? {} : { boundUsd: Math.min(bound, result.objectiveUsd) }),
    cost: result.cost,
    ...(result.flowTokensPerS === undefined ? {} : { flowTokensPerS: result.flowTokensPerS }),
    shortfall: result.shortfall,
    binding: bindingConstraints(task, stages[0], answer.shadowUsd),
    ...(task.variant === 'lead-time' ? { schedule: stages.map(grid) } : {}),
    ...notes,
  };
}

/**
 * Of plans that cost the same, one that changes less: what is there now if it will do, else what
 * single moves lead to.
 */
function keepWhatIsThere(
  task: PlacementTask,
  counts: Float64Array,
  result: Evaluation,
  elastic: boolean,
): { counts: Float64Array; result: Evaluation } | undefined {
  const asItIs = Float64Array.from(task.current);
  const now = evaluate(task, asItIs);
  const same = (other: Evaluation): boolean =>
    other.broken.length === 0 &&
    (elastic || other.shortfall.length === 0) &&
    other.objectiveUsd <= result.objectiveUsd + 1e-9 * Math.abs(result.objectiveUsd);
  if (same(now)) return { counts: asItIs, result: now };
  if (elastic) return undefined;
  const moved = Float64Array.from(counts);
  if (!new PlanSearch(task, indexCovers(task, false), moved, false).descend(2)) return undefined;
  const after = evaluate(task, moved);
  return same(after) ? { counts: moved, result: after } : undefined;
}
