import { parentPort, workerData } from 'node:worker_threads';
import { packThrown } from '@sageserve/threads';
import { createPlacementOptimizer } from '../placement-optimizer.js';
import type { OptimizerJob, OptimizerReport } from './optimizer-job.js';
import { reviveGrids } from './revive-grids.js';
import type { WorkerOptimizerOptions } from './worker-optimizer.js';

const port = parentPort!;
const say = (report: OptimizerReport): void => port.postMessage(report);
const optimizer = createPlacementOptimizer(workerData as WorkerOptimizerOptions);

async function solve({ problem, limits }: OptimizerJob): Promise<void> {
  try {
    say({ solution: await optimizer.solve(reviveGrids(problem), limits) });
  } catch (error) {
    say({ thrown: packThrown(error) });
  }
}

port.on('message', (job: OptimizerJob) => {
  say({ started: true });
  void solve(job);
});
