export { createTask } from './task.js';
export { buildStaticModel } from './formulations/static-model.js';
export { createWorkerSolver } from './solvers/in-worker.js';
export { formatLp } from './lp-format.js';
export { evaluate } from './evaluate.js';
