export { type EngineLimits, type WorkPrices } from './bounds/densest-iteration.js';
export { costOf, type Work, workPrices } from './bounds/engine-work.js';
export { demandWindows, type DemandWindowsOptions } from './demand-windows.js';
export { explainPlan } from './explain-plan.js';
export { type IntegerModel } from './integer-model.js';
export { formatLp } from './lp-format.js';
export {
  createPlacementOptimizer,
  createPlacementSolver,
  PLACEMENT_SOLVERS,
  type PlacementOptimizerOptions,
} from './placement-optimizer.js';
export { placementProgram } from './placement-program.js';
export { createTask } from './create-task.js';
export { type PlacementSolver, PlacementSolverError, type SolverAnswer, type SolveRequest } from './solver.js';
export {
  type Cover,
  type PlacementFormulation,
  type PlacementTask,
  type PlacementVariant,
  type ShortageStep,
  type UnmetPrices,
} from './task.js';
export {
  createWorkerOptimizer,
  type WorkerOptimizer,
  type WorkerOptimizerOptions,
} from './threads/worker-optimizer.js';
