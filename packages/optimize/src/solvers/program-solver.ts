import { evaluate } from '../evaluate.js';
import { buildLeadTimeModel } from '../formulations/lead-time-model.js';
import { buildStaticModel, type PlacementModel } from '../formulations/static-model.js';
import { type PlacementSolver, PlacementSolverError, type SolverAnswer, type SolveRequest } from '../solver.js';
import { type PlacementTask, withCover } from '../task.js';
import { nowMs } from '../wall-clock.js';
import type { IntegerSolver } from './integer-solver.js';

/** Columns for flows up to which they are part of the program; beyond, what they ask of capacity is, and their price is added to the plan afterwards. */
const MOST_FLOW_COLUMNS = 40_000;
/** Rounds of adding what residency turned out to need. */
const MOST_ROUNDS = 50;

/** Whether flows are columns of a task's program. */
export function hasExplicitFlows({ variant, flowPriced, models, regions, windows }: PlacementTask): boolean {
  return variant === 'flows' && flowPriced && models * regions * regions * windows <= MOST_FLOW_COLUMNS;
}

/** The program of a task, as solvers get it. */
export function buildProgram(task: PlacementTask, elastic: boolean): PlacementModel {
  return task.variant === 'lead-time' ? buildLeadTimeModel(task, { elastic }) : buildStaticModel(task, { elastic, explicitFlows: hasExplicitFlows(task) });
}

/** Placement by an integer program and a solver for such. */
export function createProgramSolver(integerSolver: IntegerSolver): PlacementSolver {
  return {
    name: integerSolver.name,
    async solve(task, request) {
      const endsAt = nowMs() + request.timeLimitMs;
      for (let round = 0, wider = task; ; round++) {
        const answer = await solveOnce(integerSolver, wider, { ...request, timeLimitMs: endsAt - nowMs() });
        const counts = answer.stages?.[0];
        if (counts === undefined || task.variant !== 'flows' || hasExplicitFlows(task) || request.elastic || round === MOST_ROUNDS) return answer;
        const { missingCovers } = evaluate(wider, counts);
        if (missingCovers.length === 0 || nowMs() >= endsAt) return answer;
        for (const { model, serving } of missingCovers) if (!knows(wider, model, serving)) wider = withCover(wider, model, serving);
      }
    },
  };
}

function knows({ covers }: PlacementTask, model: number, serving: readonly number[]): boolean {
  return covers.some((cover) => cover.model === model && cover.kind === 'residency' && cover.regions.join() === serving.join());
}

async function solveOnce(integerSolver: IntegerSolver, task: PlacementTask, { elastic, timeLimitMs, relativeGap, signal, start }: SolveRequest): Promise<SolverAnswer> {
  const program = buildProgram(task, elastic);
  const { model } = program;
  if (model.objective.length === 0) {
    const holds = model.rowLower.every((lower, row) => lower <= 0 && model.rowUpper[row]! >= 0);
    return holds ? { status: 'optimal', stages: program.decode([], 0)!, model, bound: model.constant } : { status: 'infeasible', model };
  }
  const answer = await integerSolver.solve(model, { timeLimitMs: Math.max(1, timeLimitMs), relativeGap, signal, start: start === undefined ? undefined : program.encode(start) });
  const bound = answer.bound === undefined ? {} : { bound: answer.bound };
  if (answer.values === undefined) return { status: answer.status, model, ...bound };
  const stages = program.decode(answer.values, 10 * answer.integrality);
  if (stages === undefined) throw new PlacementSolverError(integerSolver.name, 'gave fractions for whole numbers of instances', model);
  const shadowUsd = new Map<string, number>();
  if (answer.rowDuals !== undefined) for (const [name, row] of program.rowOf) if (answer.rowDuals[row] !== 0) shadowUsd.set(name, Math.abs(answer.rowDuals[row]!));
  return { status: answer.status, stages, model, ...bound, ...(shadowUsd.size > 0 ? { shadowUsd } : {}) };
}
