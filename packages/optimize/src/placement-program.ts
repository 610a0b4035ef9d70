import type { PlacementProblem } from '@sageserve/core';
import { buildLeadTimeModel } from './formulations/lead-time-model.js';
import { buildStaticModel } from './formulations/static-model.js';
import type { IntegerModel } from './integer-model.js';
import { createTask } from './create-task.js';
import type { PlacementFormulation } from './task.js';

/**
 * The integer program of a problem, with explicit flows where the variant has them, to be written
 * by {@link formatLp} or given to a solver of one's own. Throws `ConfigError` for a malformed
 * problem.
 */
export function placementProgram(
  problem: PlacementProblem,
  formulation: PlacementFormulation & { readonly elastic?: boolean } = {},
): IntegerModel {
  const task = createTask(problem, formulation);
  const elastic = formulation.elastic ?? false;
  return (
    task.variant === 'lead-time'
      ? buildLeadTimeModel(task, { elastic })
      : buildStaticModel(task, { elastic, explicitFlows: task.variant === 'flows' })
  ).model;
}
