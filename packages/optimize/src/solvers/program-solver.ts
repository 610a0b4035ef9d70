import { evaluate } from '../evaluate.js';
import { buildLeadTimeModel } from '../formulations/lead-time-model.js';
import { buildStaticModel, type PlacementModel } from '../formulations/static-model.js';
import { type PlacementSolver, PlacementSolverError, type SolverAnswer, type SolveRequest } from '../solver.js';
import { withCover } from '../covers.js';
import type { PlacementTask } from '../task.js';
import { nowMs } from '../wall-clock.js';
import type { IntegerSolver } from './integer-solver.js';

/**
 * Columns for flows up to which they are part of the program; beyond, what they ask of capacity is,
 * and their price is added to the plan afterwards.
 */
const MOST_FLOW_COLUMNS = 40_000;
/** Share of the gap that the plan without flows may take; the rest is left for their price. */
const SHARE_OF_GAP = 0.9;
/** Rounds of adding what residency turned out to need. */
const MOST_ROUNDS = 50;

/**
 * Whether flows are columns of a task's program: where they have prices, or where each region's and
 * window's unmet demand does.
 */
function hasExplicitFlows({ variant, flowPriced, models, regions, windows }: PlacementTask, elastic: boolean): boolean {
  return variant === 'flows' && (flowPriced || elastic) && models * regions * regions * windows <= MOST_FLOW_COLUMNS;
}

/** The program of a task, as solvers get it. */
function buildProgram(task: PlacementTask, elastic: boolean, explicitFlows: boolean): PlacementModel {
  return task.variant === 'lead-time'
    ? buildLeadTimeModel(task, { elastic })
    : buildStaticModel(task, { elastic, explicitFlows });
}

/**
 * Placement by an integer program and a solver for such. Where flows have prices and a gap is
 * allowed, the program without flows comes first: its bound holds, and if the plan with the price
 * of its flows is within the gap, flows as columns would not change that.
 */
export function createProgramSolver(integerSolver: IntegerSolver): PlacementSolver {
  return {
    name: integerSolver.name,
    async solve(task, request) {
      const endsAt = nowMs() + request.timeLimitMs;
      const explicit = hasExplicitFlows(task, request.elastic);
      let { start } = request;
      if (task.variant === 'flows' && !request.elastic && (!explicit || request.relativeGap > 0)) {
        const answer = await withoutFlows(
          integerSolver,
          task,
          { ...request, relativeGap: task.flowPriced ? SHARE_OF_GAP * request.relativeGap : request.relativeGap },
          endsAt,
        );
        const counts = answer.stages?.[0];
        if (!explicit || answer.status === 'infeasible' || nowMs() >= endsAt) return answer;
        if (counts !== undefined && answer.bound !== undefined) {
          const { objectiveUsd } = evaluate(task, counts);
          if (objectiveUsd - answer.bound <= request.relativeGap * Math.abs(objectiveUsd)) return answer;
          start = counts;
        }
      }
      return solveOnce(integerSolver, buildProgram(task, request.elastic, explicit), {
        ...request,
        start,
        timeLimitMs: endsAt - nowMs(),
      });
    },
  };
}

/** Capacity alone, with what residency turns out to ask of it, round by round. */
async function withoutFlows(
  integerSolver: IntegerSolver,
  task: PlacementTask,
  request: SolveRequest,
  endsAt: number,
): Promise<SolverAnswer> {
  for (let round = 0, wider = task; ; round++) {
    const answer = await solveOnce(integerSolver, buildProgram(wider, false, false), {
      ...request,
      timeLimitMs: endsAt - nowMs(),
    });
    const counts = answer.stages?.[0];
    if (counts === undefined || round === MOST_ROUNDS || nowMs() >= endsAt) return answer;
    const { missingCovers } = evaluate(wider, counts);
    if (missingCovers.length === 0) return answer;
    for (const { model, serving } of missingCovers)
      if (!knows(wider, model, serving)) wider = withCover(wider, model, serving);
  }
}

function knows({ covers }: PlacementTask, model: number, serving: readonly number[]): boolean {
  return covers.some(
    (cover) => cover.model === model && cover.kind === 'residency' && cover.regions.join() === serving.join(),
  );
}

async function solveOnce(
  integerSolver: IntegerSolver,
  program: PlacementModel,
  { timeLimitMs, relativeGap, signal, start }: SolveRequest,
): Promise<SolverAnswer> {
  const { model } = program;
  if (model.objective.length === 0) {
    const holds = model.rowLower.every((lower, row) => lower <= 0 && model.rowUpper[row] >= 0);
    return holds
      ? { status: 'optimal', stages: program.decode([], 0)!, model, bound: model.constant }
      : { status: 'infeasible', model };
  }
  const answer = await integerSolver.solve(model, {
    timeLimitMs: Math.max(1, timeLimitMs),
    relativeGap,
    signal,
    start: start === undefined ? undefined : program.encode(start),
  });
  const bound = answer.bound === undefined ? {} : { bound: answer.bound };
  if (answer.values === undefined) return { status: answer.status, model, ...bound };
  const stages = program.decode(answer.values, 10 * answer.integrality);
  if (stages === undefined)
    throw new PlacementSolverError(integerSolver.name, 'gave fractions for whole numbers of instances', model);
  const shadowUsd = new Map<string, number>();
  if (answer.rowDuals !== undefined)
    for (const [name, row] of program.rowOf)
      if (answer.rowDuals[row] !== 0) shadowUsd.set(name, Math.abs(answer.rowDuals[row]));
  return { status: answer.status, stages, model, ...bound, ...(shadowUsd.size > 0 ? { shadowUsd } : {}) };
}
