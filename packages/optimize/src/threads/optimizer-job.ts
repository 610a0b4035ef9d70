import type { PlacementOptions, PlacementProblem, PlacementSolution } from '@sageserve/core';
import type { Thrown } from '@sageserve/threads';

/** What is asked of the worker, whose data are the optimizer's options. */
export interface OptimizerJob {
  readonly problem: PlacementProblem;
  readonly limits: Omit<PlacementOptions, 'signal'>;
}

/** What it says: that the time runs, then the solution or what was thrown. */
export type OptimizerReport =
  { readonly started: true } | { readonly solution: PlacementSolution } | { readonly thrown: Thrown };
